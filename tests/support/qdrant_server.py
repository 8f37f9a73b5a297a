"""A Qdrant server for tests: the real gRPC contract on a loopback port, over qdrant-client's local mode under one lock.

It holds no query logic of its own: requests and answers pass through qdrant-client's converters. What local mode
swallows (parameters of a collection, payload indexes) is remembered and echoed. It speaks no REST, so a client that
uses any REST call fails. Calls can be made to fail or to wait. Run it with
`PYTHONPATH=tests python -m support.qdrant_server --port 6334`.
"""
# ruff: noqa: ANN401 - the generated messages have no common type

import argparse
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from qdrant_client import QdrantClient
from qdrant_client import grpc as wire
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc

Handler = Callable[[Any, Any], Any]


def given(message: Any, field: str, convert: Callable[[Any], Any]) -> Any:
    """Convert an optional field; None if it is not set."""
    return convert(getattr(message, field)) if message.HasField(field) else None


class Points(wire.PointsServicer):
    """Items, over local mode."""

    def __init__(self, local: QdrantClient, schemas: dict[str, dict[str, wire.PayloadSchemaInfo]]) -> None:
        self.local = local
        self.schemas = schemas

    def Upsert(self, request: Any, context: Any) -> Any:
        points = [GrpcToRest.convert_point_struct(point) for point in request.points]
        result = self.local.upsert(request.collection_name, points, wait=request.wait)
        return wire.PointsOperationResponse(result=RestToGrpc.convert_update_result(result))

    def Delete(self, request: Any, context: Any) -> Any:
        selector = GrpcToRest.convert_points_selector(request.points)
        result = self.local.delete(request.collection_name, selector, wait=request.wait)
        return wire.PointsOperationResponse(result=RestToGrpc.convert_update_result(result))

    def Get(self, request: Any, context: Any) -> Any:
        records = self.local.retrieve(
            request.collection_name,
            [GrpcToRest.convert_point_id(point) for point in request.ids],
            with_payload=GrpcToRest.convert_with_payload_interface(request.with_payload),
            with_vectors=given(request, "with_vectors", GrpcToRest.convert_with_vectors_selector),
        )
        return wire.GetResponse(result=[RestToGrpc.convert_record(record) for record in records])

    def Scroll(self, request: Any, context: Any) -> Any:
        records, after = self.local.scroll(
            request.collection_name,
            scroll_filter=given(request, "filter", GrpcToRest.convert_filter),
            limit=request.limit,
            offset=given(request, "offset", GrpcToRest.convert_point_id),
            with_payload=GrpcToRest.convert_with_payload_interface(request.with_payload),
            with_vectors=given(request, "with_vectors", GrpcToRest.convert_with_vectors_selector),
        )
        following = RestToGrpc.convert_extended_point_id(after) if isinstance(after, str) else None
        result = [RestToGrpc.convert_record(record) for record in records]
        return wire.ScrollResponse(result=result, next_page_offset=following)

    def Query(self, request: Any, context: Any) -> Any:
        response = self.local.query_points(
            request.collection_name,
            query=given(request, "query", GrpcToRest.convert_query),
            query_filter=given(request, "filter", GrpcToRest.convert_filter),
            limit=request.limit,
            with_payload=GrpcToRest.convert_with_payload_interface(request.with_payload),
            with_vectors=given(request, "with_vectors", GrpcToRest.convert_with_vectors_selector) or False,
        )
        return wire.QueryResponse(result=[RestToGrpc.convert_scored_point(point) for point in response.points])

    def Count(self, request: Any, context: Any) -> Any:
        where = given(request, "filter", GrpcToRest.convert_filter)
        result = self.local.count(request.collection_name, count_filter=where, exact=request.exact)
        return wire.CountResponse(result=RestToGrpc.convert_count_result(result))

    def Facet(self, request: Any, context: Any) -> Any:
        where = given(request, "filter", GrpcToRest.convert_filter)
        response = self.local.facet(request.collection_name, request.key, facet_filter=where, limit=request.limit)
        return wire.FacetResponse(hits=[RestToGrpc.convert_facet_value_hit(hit) for hit in response.hits])

    def CreateFieldIndex(self, request: Any, context: Any) -> Any:
        self.local.get_collection(request.collection_name)
        kind = wire.FieldType.Name(request.field_type).removeprefix("FieldType")
        info = wire.PayloadSchemaInfo(data_type=wire.PayloadSchemaType.Value(kind))
        if request.HasField("field_index_params"):
            info.params.CopyFrom(request.field_index_params)
        self.schemas.setdefault(request.collection_name, {})[request.field_name] = info
        completed = wire.UpdateResult(operation_id=0, status=wire.UpdateStatus.Completed)
        return wire.PointsOperationResponse(result=completed)


class Collections(wire.CollectionsServicer):
    """Collections, over local mode."""

    def __init__(self, local: QdrantClient, schemas: dict[str, dict[str, wire.PayloadSchemaInfo]]) -> None:
        self.local = local
        self.schemas = schemas
        self.created: dict[str, Any] = {}

    def Create(self, request: Any, context: Any) -> Any:
        if self.local.collection_exists(request.collection_name):
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"Collection `{request.collection_name}` already exists!")
        vectors = GrpcToRest.convert_vectors_config(request.vectors_config)
        self.local.create_collection(request.collection_name, vectors_config=vectors)
        self.created[request.collection_name] = request
        return wire.CollectionOperationResponse(result=True)

    def Get(self, request: Any, context: Any) -> Any:
        info = RestToGrpc.convert_collection_info(self.local.get_collection(request.collection_name))
        name = request.collection_name
        created = self.created[name]
        for key, value in created.metadata.items():
            info.config.metadata[key].CopyFrom(value)
        info.config.params.shard_number = created.shard_number or 1
        info.config.params.replication_factor = created.replication_factor or 1
        for key, schema in self.schemas.get(name, {}).items():
            info.payload_schema[key].CopyFrom(schema)
        return wire.GetCollectionInfoResponse(result=info)

    def List(self, request: Any, context: Any) -> Any:
        names = self.local.get_collections().collections
        descriptions = [RestToGrpc.convert_collection_description(description) for description in names]
        return wire.ListCollectionsResponse(collections=descriptions)

    def Delete(self, request: Any, context: Any) -> Any:
        self.schemas.pop(request.collection_name, None)
        self.created.pop(request.collection_name, None)
        return wire.CollectionOperationResponse(result=self.local.delete_collection(request.collection_name))

    def CollectionExists(self, request: Any, context: Any) -> Any:
        exists = wire.CollectionExists(exists=self.local.collection_exists(request.collection_name))
        return wire.CollectionExistsResponse(result=exists)


class Health(wire.QdrantServicer):
    """Says that the server is there."""

    def HealthCheck(self, request: Any, context: Any) -> Any:
        return wire.HealthCheckReply(title="qdrant stand-in", version="1.20.0")


class Gate(grpc.ServerInterceptor):
    """One call at a time; checks the API key, injects faults and gives local mode's errors their status."""

    def __init__(self, api_key: str | None) -> None:
        self.api_key = api_key
        self.lock = threading.RLock()
        self.faults: list[grpc.StatusCode] = []
        self.delay_seconds = 0.0
        self.calls: list[str] = []

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = continuation(details)
        inner: Handler = handler.unary_unary
        key = dict(details.invocation_metadata).get("api-key")

        def guarded(request: Any, context: Any) -> Any:
            self.calls.append(details.method)
            time.sleep(self.delay_seconds)
            if self.api_key is not None and key != self.api_key:
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "Invalid API key or JWT")
            if self.faults:
                context.abort(self.faults.pop(0), "injected")
            with self.lock:
                try:
                    return inner(request, context)
                except ValueError as error:
                    missing = "not found" in str(error)
                    status = grpc.StatusCode.NOT_FOUND if missing else grpc.StatusCode.INVALID_ARGUMENT
                    context.abort(status, str(error))

        return grpc.unary_unary_rpc_method_handler(guarded, handler.request_deserializer, handler.response_serializer)


class QdrantServer:
    """The server, as a context manager.

    `gate.faults` holds the statuses that the next calls fail with, `gate.delay_seconds` is waited before every call,
    `gate.calls` lists the methods that were called.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self.local = QdrantClient(":memory:")
        self.gate = Gate(api_key)
        options = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
        self._server = grpc.server(ThreadPoolExecutor(8), interceptors=[self.gate], options=options)
        schemas: dict[str, dict[str, wire.PayloadSchemaInfo]] = {}
        wire.add_PointsServicer_to_server(Points(self.local, schemas), self._server)  # type: ignore[no-untyped-call]
        self.collections = Collections(self.local, schemas)
        wire.add_CollectionsServicer_to_server(self.collections, self._server)  # type: ignore[no-untyped-call]
        wire.add_QdrantServicer_to_server(Health(), self._server)  # type: ignore[no-untyped-call]
        address = f"{host}:{port}"
        if credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, credentials)
        self.url = f"{'http' if credentials is None else 'https'}://{host}:{self.port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(grace=None).wait()
        self.local.close()

    def wait(self) -> None:
        """Block until the server is stopped."""
        self._server.wait_for_termination()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6334)
    parser.add_argument("--api-key-file", type=Path, default=None, help="In the command line others could read it.")
    arguments = parser.parse_args()
    key = arguments.api_key_file.read_text().strip() if arguments.api_key_file else None
    with QdrantServer(host=arguments.host, port=arguments.port, api_key=key) as server:
        print(server.url, flush=True)
        server.wait()


if __name__ == "__main__":
    main()
