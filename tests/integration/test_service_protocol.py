"""What foreign clients rely on: health by service, reflection, error details, and JSON requests through `buf curl`."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # has stubs, but no py.typed
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from support.live_service import LiveService, live_service
from support.pictures import png
from support.raw_service import assert_tells_no_internals
from xmirad.api.errors import error_of
from xmirad.client.client import Client
from xmirad.client.types import Upload
from xmirad.errors import InvalidRequestError

SERVICES = [f"xmirad.v1.{name}Service" for name in ("Access", "Archive", "Explanation", "Model", "Retrieval", "Server")]
HEALTH = "grpc.health.v1.Health"
REFLECTION = "grpc.reflection.v1alpha.ServerReflection"
BUF = Path(sys.executable).parent / "buf"
SECONDS = 30.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with live_service(tmp_path_factory.mktemp("protocol") / "home") as live:
        with live.start() as client:
            client.create_archive("curled")
            client.create_item("curled", Upload(png(1)))
            client.create_item("curled", Upload(png(2)))
        yield live


@pytest.fixture
def channel(service: LiveService) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(service.address) as opened:
        yield opened


def buf_curl(service: LiveService, method: str, request: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Call a method as a client that knows nothing but the address."""
    url = f"http://{service.address}/{method}"
    command = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", "--data", "@-", url]
    return subprocess.run(
        command,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=service.home,  # away from the project, whose protos it would find
    )


@pytest.mark.parametrize("name", ["", *SERVICES])
def test_health_is_told_for_every_service(channel: grpc.Channel, name: str) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    assert stub.Check(health_pb2.HealthCheckRequest(service=name)).status == health_pb2.HealthCheckResponse.SERVING


def test_health_of_an_unknown_service_is_not_found(channel: grpc.Channel) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(health_pb2.HealthCheckRequest(service="xmirad.v1.NoService"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_lists_every_service(channel: grpc.Channel) -> None:
    assert sorted(ProtoReflectionDescriptorDatabase(channel).get_services()) == sorted([*SERVICES, HEALTH, REFLECTION])


def test_reflection_can_be_switched_off(tmp_path: Path) -> None:
    with live_service(tmp_path / "home", XMIRAD_SERVER__REFLECTION="false") as service:
        with service.start() as client:
            assert client.server_info().version
        finished = buf_curl(service, "xmirad.v1.ServerService/GetServerInfo", {})
        assert finished.returncode != 0
        assert not finished.stdout
        assert service.stop() == 0


def test_a_foreign_client_searches_through_reflection(service: LiveService) -> None:
    image = {"data": base64.b64encode(png(1).data).decode(), "mediaType": "image/png"}
    request = {"archive": "archives/curled", "topK": 2, "image": image, "view": "SEARCH_VIEW_FULL"}
    finished = buf_curl(service, "xmirad.v1.RetrievalService/Search", request)
    assert finished.returncode == 0, finished.stderr
    answer = json.loads(finished.stdout)
    with Client(service.address) as client:
        expected = client.search("curled", png(1), top_k=2)
    assert [result["item"] for result in answer["results"]] == [result.item for result in expected.results]
    assert [result["rank"] for result in answer["results"]] == [1, 2]
    assert answer["results"][0]["score"] == pytest.approx(1.0, abs=1e-5)
    assert base64.b64decode(answer["results"][0]["thumbnail"]).startswith(b"\xff\xd8")
    assert answer["searchedItems"] == "2"
    assert answer["requestId"]


def test_a_foreign_client_learns_what_is_wrong(service: LiveService) -> None:
    finished = buf_curl(
        service, "xmirad.v1.RetrievalService/Search", {"archive": "archives/curled", "topK": 0, "embedding": {}}
    )
    assert finished.returncode != 0
    failure = json.loads(finished.stderr[finished.stderr.index("{") :])
    assert failure["code"] == "invalid_argument"
    details = {detail["type"]: detail for detail in failure["details"]}
    info = error_details_pb2.ErrorInfo()
    packed = details["google.rpc.ErrorInfo"]["value"]
    info.ParseFromString(base64.b64decode(packed + "=" * (-len(packed) % 4)))
    assert (info.reason, info.domain) == ("FIELD_INVALID", "xmirad")
    assert "google.rpc.BadRequest" in details


def test_an_unknown_method_is_unimplemented(channel: grpc.Channel) -> None:
    call: Any = channel.unary_unary("/xmirad.v1.RetrievalService/Explain")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("kind", ["single", "stream"])
def test_bytes_that_are_no_message_are_refused_without_internals(
    channel: grpc.Channel, service: LiveService, kind: str
) -> None:
    single: Any = channel.unary_unary("/xmirad.v1.RetrievalService/Search")
    stream: Any = channel.stream_stream("/xmirad.v1.RetrievalService/StreamSearch")
    with pytest.raises(grpc.RpcError) as caught:
        _ = single(b"\xff" * 20) if kind == "single" else list(stream(iter([b"\xff" * 20])))
    error = error_of(caught.value)
    assert isinstance(error, InvalidRequestError)
    assert_tells_no_internals(error)
    with Client(service.address) as client:
        assert client.search("curled", png(1)).results


def test_the_server_says_what_it_takes(service: LiveService) -> None:
    with Client(service.address) as client:
        info = client.server_info()
    assert info.vector_store == "edge"
    assert (info.max_top_k, info.max_ranking_top_k) == (1_000, 100_000)
    assert info.max_image_bytes < info.max_message_bytes
    assert "image/png" in info.media_types
    assert "1.2.840.10008.1.2.1" in info.transfer_syntaxes
    assert "not a diagnosis" in info.intended_use.lower()


def test_models_are_listed_and_described(service: LiveService) -> None:
    with Client(service.address) as client:
        models = client.list_models()
        default = [model for model in models if model.is_default]
        assert [model.display_name for model in default] == ["efficientnet-lite0-imagenet"]
        assert (default[0].embedding_size, default[0].card) == (1280, "")
        described = client.get_model(default[0].display_name)
    assert described.digest == default[0].digest
    assert described.card
    assert described.license == "Apache-2.0"
