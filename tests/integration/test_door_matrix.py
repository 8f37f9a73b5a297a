"""Every method that reflection names, with every kind of token: who is let in. `pytest -s` prints the table."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from support.live_service import live_service
from support.tokens import ASKED_FOR, create_token
from support.web_tokens import IdentityProvider, unsigned
from xmirad.access.caller import Scope
from xmirad.api.errors import error_of
from xmirad.api.v1 import explanation_service_pb2 as explanations
from xmirad.api.v1 import resources_pb2 as resources
from xmirad.api.v1 import retrieval_service_pb2 as retrieval
from xmirad.client import Client, Credentials
from xmirad.errors import AccessDeniedError, UnauthenticatedError, XmiradError

SECONDS = 20.0
ALL = " ".join(Scope)
REFUSED, DENIED, IN = "UNAUTHENTICATED", "PERMISSION_DENIED", "let in"
ANSWERS = {"INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"}  # of a method that was reached
HEALTH_LIST = "grpc.health.v1.Health/List"  # gRPC's asynchronous health service names it and does not have it
READING = ("Get", "List", "BatchGet")
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Locked:
    address: str
    provider: IdentityProvider
    log: Path
    kept_token: str


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    folder = tmp_path_factory.mktemp("locked")
    provider = IdentityProvider(folder)
    token = create_token(folder / "home", name="all", scopes=list(Scope), site="local")
    environment = {**provider.environment, **ASKED_FOR}
    with live_service(folder / "home", **environment) as service:
        service.credentials = Credentials(token=token)
        with service.start():
            yield Locked(service.address, provider, service.log, token)


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def expected_scope(method: str) -> Scope | None:
    """Say again, by rule, what the table says method by method."""
    service, name = method.split("/")
    if service == "grpc.health.v1.Health":
        return None
    if service == "xmirad.v1.ExplanationService":
        return Scope.EXPLAIN
    if service == "xmirad.v1.AccessService":
        return Scope.ADMIN
    if service != "xmirad.v1.ArchiveService":
        return Scope.READ
    if name == "GetItemImage":
        return Scope.IDENTITY
    return Scope.READ if name.startswith(READING) and "Import" not in name else Scope.ADMIN


class Walker:
    """Calls methods by what reflection tells of them."""

    def __init__(self, address: str, token: str) -> None:
        self.channel = grpc.insecure_channel(address)
        database = ProtoReflectionDescriptorDatabase(grpc.intercept_channel(self.channel, _Adding(bearer(token))))
        pool = DescriptorPool(database)
        self.methods: Mapping[str, MethodDescriptor] = {
            f"{service}/{method.name}": method
            for service in database.get_services()
            for method in pool.FindServiceByName(service).methods
        }

    def outcome(self, method: str, metadata: Metadata, request: bytes = b"") -> str:
        """Call a method with a request, which may be empty, and return how it ended."""
        try:
            self._call(method, metadata, request)
        except grpc.RpcError as error:
            code: str = error.code().name
            is_answer = code in ANSWERS or (method == HEALTH_LIST and code == "UNIMPLEMENTED")
            return IN if is_answer else code
        return IN

    def _call(self, method: str, metadata: Metadata, request: bytes) -> None:
        described, path = self.methods[method], f"/{method}"
        if described.client_streaming:
            stream: Any = self.channel.stream_stream(path)(iter([]), metadata=metadata, timeout=SECONDS)
            next(stream, None)
        elif described.server_streaming:
            watch: Any = self.channel.unary_stream(path)
            answers = watch(request, metadata=metadata, timeout=SECONDS)
            next(answers, None)
            answers.cancel()
        else:
            single: Any = self.channel.unary_unary(path)
            single(request, metadata=metadata, timeout=SECONDS)


class _Adding(grpc.StreamStreamClientInterceptor):
    """Adds metadata to reflection's stream."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:  # noqa: ANN401
        return continuation(details._replace(metadata=self._metadata), requests)


@pytest.fixture(scope="module")
def walker(locked: Locked) -> Iterator[Walker]:
    walker = Walker(locked.address, locked.kept_token)
    yield walker
    walker.channel.close()


def cases(locked: Locked, needed: Scope | None) -> dict[str, tuple[Metadata, str]]:
    """Return what a call carries and how it must end, by the name of the column."""
    provider = locked.provider
    others = " ".join(scope for scope in Scope if scope is not needed)
    bad = REFUSED if needed else IN
    return {
        "none": ((), bad),
        "garbage": (bearer("nonsense"), bad),
        "expired": (bearer(provider.token(ALL, exp=time.time() - 600)), bad),
        "audience": (bearer(provider.token(ALL, aud="another")), bad),
        "signature": (bearer(provider.forged(ALL)), bad),
        "alg none": (bearer(unsigned(ALL)), bad),
        "alg HS256": (bearer(provider.confused(ALL)), bad),
        "no site": (bearer(provider.token(ALL, site=None)), bad),
        "other scopes": (bearer(provider.token(others)), DENIED if needed else IN),
        "right": (bearer(provider.token(needed or "")), IN),
        "catalog": (bearer(locked.kept_token), IN),
    }


def test_every_method_of_every_service_lets_in_whom_it_should_and_nobody_else(locked: Locked, walker: Walker) -> None:
    assert len(walker.methods) > 30
    rows: list[list[str]] = []
    wrong: list[tuple[str, str, str, str]] = []
    for method in sorted(walker.methods):
        needed = expected_scope(method)
        table = cases(locked, needed)
        outcomes = {column: walker.outcome(method, metadata) for column, (metadata, _) in table.items()}
        wrong += [
            (method, column, outcomes[column], expected)
            for column, (_, expected) in table.items()
            if outcomes[column] != expected
        ]
        rows.append([method.rpartition(".")[2], needed or "open", *outcomes.values()])
    _print([["method", "scope", *cases(locked, None)], *rows])
    assert wrong == []


VECTOR = resources.Embedding(values=[1.0])
SEARCH, CREATE = "xmirad.v1.RetrievalService/Search", "xmirad.v1.ExplanationService/CreateExplanation"
BATCH = "xmirad.v1.ExplanationService/BatchCreateExplanations"
REQUESTS = {
    "search by a vector": (SEARCH, retrieval.SearchRequest(embedding=VECTOR), "read", "embedding"),
    "search, view FULL": (SEARCH, retrieval.SearchRequest(view=retrieval.SEARCH_VIEW_FULL), "read", "identity"),
    "search, explain_top": (SEARCH, retrieval.SearchRequest(explain_top=1), "read", "explain"),
    "search by a vector in feedback": (
        SEARCH,
        retrieval.SearchRequest(feedback=resources.Feedback(embedding=VECTOR)),
        "read",
        "embedding",
    ),
    "explain a vector": (
        CREATE,
        explanations.CreateExplanationRequest(query={"embedding": VECTOR}),
        "explain",
        "embedding",
    ),
    "explain a vector in feedback": (
        CREATE,
        explanations.CreateExplanationRequest(query={"feedback": resources.Feedback(embedding=VECTOR)}),
        "explain",
        "embedding",
    ),
    "explain a vector, many": (
        BATCH,
        explanations.BatchCreateExplanationsRequest(query={"embedding": VECTOR}),
        "explain",
        "embedding",
    ),
    "explain, overlay": (CREATE, explanations.CreateExplanationRequest(include_overlay=True), "explain", "identity"),
}


def test_what_a_request_asks_for_takes_a_scope_beside_its_methods(locked: Locked, walker: Walker) -> None:
    rows, wrong = [["request", "scopes", "method's", "both"]], []
    for name, (method, request, scope, more) in REQUESTS.items():
        tokens = [locked.provider.token(words) for words in (scope, f"{scope} {more}")]
        outcomes = [walker.outcome(method, bearer(token), request.SerializeToString()) for token in tokens]
        rows.append([name, f"{scope} {more}", *outcomes])
        wrong += [name] if outcomes != [DENIED, IN] else []
    _print(rows)
    assert wrong == []


def test_refusals_say_the_same_whatever_is_wrong_and_a_denial_names_the_scope(locked: Locked) -> None:
    provider = locked.provider
    said = set()
    tokens = ["", "nonsense", provider.token(exp=1.0), provider.token(aud="x"), provider.forged(), unsigned()]
    for token in tokens:
        error = refusal(locked.address, Credentials(token=token), lambda client: client.get_archive("nowhere"))
        assert isinstance(error, UnauthenticatedError)
        said.add((error.reason, error.message, frozenset(error.metadata) - {"request_id"}))
    assert len(said) == 1

    reader = Credentials(token=provider.token("read"))
    error = refusal(locked.address, reader, lambda client: client.delete_archive("nowhere"))
    assert isinstance(error, AccessDeniedError)  # although there is no such archive
    assert error.metadata["scope"] == "admin"


def test_health_tells_everyone_and_reflection_nobody_without_a_token(locked: Locked, walker: Walker) -> None:
    assert walker.outcome("grpc.health.v1.Health/Check", ()) == IN
    with grpc.insecure_channel(locked.address) as channel, pytest.raises(grpc.RpcError) as caught:
        ProtoReflectionDescriptorDatabase(channel).get_services()
    assert isinstance(error_of(caught.value), UnauthenticatedError)


def test_a_token_comes_once(locked: Locked, walker: Walker) -> None:
    twice = (*bearer(locked.kept_token), *bearer("another"))
    assert walker.outcome("xmirad.v1.ServerService/GetServerInfo", twice) == REFUSED


def test_no_token_is_ever_in_the_log(locked: Locked) -> None:
    token = locked.provider.token("read")
    with Client(locked.address, credentials=Credentials(token=token)) as client:
        client.server_info()
    refusal(locked.address, Credentials(token="planted-secret"), lambda client: client.server_info())
    until = time.monotonic() + SECONDS
    while "service.started" not in (log := locked.log.read_text()):  # which is when the model is loaded
        assert time.monotonic() < until
        time.sleep(0.1)
    for secret in (locked.kept_token, token, token.rpartition(".")[2], "planted-secret", "Bearer"):
        assert secret not in log


def refusal(address: str, credentials: Credentials, ask: Callable[[Client], object]) -> XmiradError:
    with Client(address, credentials=credentials) as client, pytest.raises(XmiradError) as caught:
        ask(client)
    return caught.value


def _print(rows: list[list[str]]) -> None:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
