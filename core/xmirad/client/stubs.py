"""The stubs of all services over one channel."""

from dataclasses import dataclass

import grpc

from xmirad.api.v1.access_service_pb2_grpc import AccessServiceStub
from xmirad.api.v1.archive_service_pb2_grpc import ArchiveServiceStub
from xmirad.api.v1.explanation_service_pb2_grpc import ExplanationServiceStub
from xmirad.api.v1.model_service_pb2_grpc import ModelServiceStub
from xmirad.api.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from xmirad.api.v1.server_service_pb2_grpc import ServerServiceStub


@dataclass(frozen=True, slots=True)
class Stubs:
    """What methods are called on; over an asynchronous channel the methods are asynchronous."""

    access: AccessServiceStub
    archives: ArchiveServiceStub
    models: ModelServiceStub
    retrieval: RetrievalServiceStub
    explanations: ExplanationServiceStub
    server: ServerServiceStub


def stubs_of(channel: "grpc.Channel | grpc.aio.Channel") -> Stubs:
    """Return the stubs of a channel."""
    return Stubs(
        access=AccessServiceStub(channel),
        archives=ArchiveServiceStub(channel),
        models=ModelServiceStub(channel),
        retrieval=RetrievalServiceStub(channel),
        explanations=ExplanationServiceStub(channel),
        server=ServerServiceStub(channel),
    )
