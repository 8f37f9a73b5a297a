"""The service's methods without the SDK, which would refuse some requests by itself."""

import re
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # has stubs, but no py.typed
from grpc_status import rpc_status

from support.project import ROOT
from xmirad.api.errors import REQUEST_ID_KEY, error_of
from xmirad.api.v1.access_service_pb2_grpc import AccessServiceStub
from xmirad.api.v1.archive_service_pb2_grpc import ArchiveServiceStub
from xmirad.api.v1.explanation_service_pb2_grpc import ExplanationServiceStub
from xmirad.api.v1.model_service_pb2_grpc import ModelServiceStub
from xmirad.api.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from xmirad.api.v1.server_service_pb2_grpc import ServerServiceStub
from xmirad.errors import XmiradError

CALL_SECONDS = 30.0
INTERNALS = re.compile(
    r"traceback|\.py\b|\bline \d+|0x[0-9a-f]{4,}|site-packages|\bxmirad[._]\w|\b(numpy|pydicom|openvino|grpc|asyncio)\b"
    r"|\bPIL\b|qdrant_edge|/(tmp|home|root|usr|var|proc)/",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a call failed.

    Attributes:
        error: The error that the SDK would raise.
        seconds: How long the call took.
        details: The details of the rich status by the name of their type.
        request_id: From the trailing metadata.
    """

    error: XmiradError | TimeoutError | CancelledError
    seconds: float
    details: Mapping[str, Any]
    request_id: str

    @property
    def domain_error(self) -> XmiradError:
        """The error, which must be one of ours."""
        assert isinstance(self.error, XmiradError), self.error
        return self.error


class RawService:
    """A channel without limits and the stubs of every service, as a context manager."""

    def __init__(self, address: str) -> None:
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(address, options=options)
        self.retrieval = RetrievalServiceStub(self.channel)
        self.access = AccessServiceStub(self.channel)
        self.archives = ArchiveServiceStub(self.channel)
        self.explanations = ExplanationServiceStub(self.channel)
        self.models = ModelServiceStub(self.channel)
        self.server = ServerServiceStub(self.channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.channel.close()


def refusal(method: Callable[..., Any], request: object, *, seconds: float = CALL_SECONDS) -> Refusal:
    """Make a call that must fail, and return how it failed."""
    begin = time.monotonic()
    try:
        answer = method(request, timeout=seconds)
    except grpc.RpcError as rpc_error:
        return _refusal_of(rpc_error, time.monotonic() - begin)
    raise AssertionError(f"the call should have failed, but was answered with {str(answer)[:200]}")


def assert_tells_no_internals(error: XmiradError, *secrets: object) -> None:
    """Check that neither message nor metadata name a path, a module, or anything else of the service's inside."""
    for text in (error.message, error.field, *error.metadata, *error.metadata.values()):
        assert not INTERNALS.search(text), text
        for secret in (ROOT, Path(sys.prefix), *secrets):
            assert str(secret) not in text, text


def _refusal_of(rpc_error: grpc.RpcError, seconds: float) -> Refusal:
    call = cast("grpc.Call", rpc_error)
    status = rpc_status.from_call(call)
    details: dict[str, Any] = {}
    for name in ("ErrorInfo", "BadRequest", "RetryInfo", "ResourceInfo", "PreconditionFailure"):
        message = getattr(error_details_pb2, name)()
        if status is not None and any(detail.Unpack(message) for detail in status.details):
            details[name] = message
    trailing = dict(call.trailing_metadata() or ())
    return Refusal(error_of(rpc_error), seconds, details, str(trailing.get(REQUEST_ID_KEY, "")))
