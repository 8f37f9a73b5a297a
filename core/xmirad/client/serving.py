"""Asks which services of the contract are served."""

import grpc

from xmirad.api.v1 import (
    access_service_pb2,
    archive_service_pb2,
    explanation_service_pb2,
    model_service_pb2,
    retrieval_service_pb2,
    server_service_pb2,
)
from xmirad.client.credentials import Credentials
from xmirad.client.health import SERVING, asking, unhealthy

CONTRACT = (
    access_service_pb2,
    archive_service_pb2,
    explanation_service_pb2,
    model_service_pb2,
    retrieval_service_pb2,
    server_service_pb2,
)
FIELD = 0x0A
"""Of HealthCheckRequest: the tag of `service`, a string whose length follows."""


def serving_services(address: str, credentials: Credentials, *, timeout_seconds: float) -> dict[str, bool]:
    """Return which services are served, by their short names, such as `ArchiveService`.

    Raises:
        BackendUnavailableError: If no server of ours answers.
        InvalidRequestError: If a file of the credentials cannot be read.
    """
    names = [service.full_name for file in CONTRACT for service in file.DESCRIPTOR.services_by_name.values()]
    with asking(address, credentials) as check:
        calls = {name: check.future(_request(name), timeout=timeout_seconds) for name in names}
        try:
            return {name.rpartition(".")[2]: call.result() == SERVING for name, call in calls.items()}
        except grpc.RpcError as error:
            raise unhealthy(address) from error


def _request(service: str) -> bytes:
    name = service.encode("ascii")
    return bytes((FIELD, len(name))) + name
