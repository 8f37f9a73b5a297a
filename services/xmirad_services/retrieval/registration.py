"""Which services the server offers."""

from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection

from xmirad.api.v1 import (
    access_service_pb2,
    access_service_pb2_grpc,
    archive_service_pb2,
    archive_service_pb2_grpc,
    explanation_service_pb2,
    explanation_service_pb2_grpc,
    model_service_pb2,
    model_service_pb2_grpc,
    retrieval_service_pb2,
    retrieval_service_pb2_grpc,
    server_service_pb2,
    server_service_pb2_grpc,
)
from xmirad.indexing.runner import Tools
from xmirad.observability.metrics import RetrievalMetrics
from xmirad.settings import Settings
from xmirad_services.retrieval.byte_budget import ByteBudget
from xmirad_services.retrieval.explaining import Explainer
from xmirad_services.retrieval.health import HealthReporter
from xmirad_services.retrieval.imports import Imports
from xmirad_services.retrieval.item_details import ItemDetails
from xmirad_services.retrieval.loaded_models import LoadedModels
from xmirad_services.retrieval.open_archives import OpenArchives
from xmirad_services.retrieval.overlays import Overlays
from xmirad_services.retrieval.pictures import Pictures
from xmirad_services.retrieval.purging import Purger
from xmirad_services.retrieval.replays import Replays
from xmirad_services.retrieval.searching import Searcher
from xmirad_services.retrieval.servicers.access import AccessServicer
from xmirad_services.retrieval.servicers.archive import ArchiveServicer
from xmirad_services.retrieval.servicers.explanation import ExplanationServicer
from xmirad_services.retrieval.servicers.model import ModelServicer
from xmirad_services.retrieval.servicers.retrieval import RetrievalServicer
from xmirad_services.retrieval.servicers.server import ServerServicer

SERVICES = tuple(
    service
    for module in (
        retrieval_service_pb2,
        archive_service_pb2,
        explanation_service_pb2,
        model_service_pb2,
        access_service_pb2,
        server_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
)
METHODS = tuple(f"{service.full_name}/{method.name}" for service in SERVICES for method in service.methods)


@dataclass(frozen=True, slots=True)
class Servicers:
    """What the servicers work with."""

    archives: OpenArchives
    models: LoadedModels
    explainer: Explainer
    purger: Purger
    imports: Imports
    replays: Replays
    tools: Tools
    metrics: RetrievalMetrics
    boot_id: str


def register(server: grpc.aio.Server, parts: Servicers, settings: Settings) -> HealthReporter:
    """Add every service, health, and reflection unless it is switched off."""
    tools = parts.tools
    budget = ByteBudget(settings.server.max_stream_bytes)
    searcher = Searcher(parts.archives, parts.models, tools)
    explainer = parts.explainer
    retrieval = RetrievalServicer(
        searcher, ItemDetails(tools), parts.metrics, settings.limits, budget=budget, explainer=explainer
    )
    overlays = Overlays(Pictures(explainer.parts.images, tools), tools)
    explanation = ExplanationServicer(
        explainer,
        overlays,
        parts.metrics,
        replays=parts.replays,
        max_image_bytes=settings.limits.max_image_bytes,
    )
    explanation_service_pb2_grpc.add_ExplanationServiceServicer_to_server(explanation, server)
    archive = ArchiveServicer(
        parts.archives,
        parts.purger,
        tools,
        parts.metrics,
        settings.limits,
        budget=budget,
        explainer=explainer,
        imports=parts.imports,
        replays=parts.replays,
    )
    retrieval_service_pb2_grpc.add_RetrievalServiceServicer_to_server(retrieval, server)
    archive_service_pb2_grpc.add_ArchiveServiceServicer_to_server(archive, server)
    _register_administration(server, parts, settings)
    names = [service.full_name for service in SERVICES]
    if settings.server.reflection:
        health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        reflection.enable_server_reflection([*names, health_name, reflection.SERVICE_NAME], server)
    return HealthReporter(server, names, parts.metrics)


def _register_administration(server: grpc.aio.Server, parts: Servicers, settings: Settings) -> None:
    """Add tokens, models and the service's description."""
    database, lane = parts.tools.catalog.database, parts.tools.lanes.blobs
    access = AccessServicer(database, lane, replays=parts.replays)
    access_service_pb2_grpc.add_AccessServiceServicer_to_server(access, server)
    model = ModelServicer(parts.models, lane)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(model, server)
    has_queue = parts.explainer.parts.has_queue
    description = ServerServicer(settings, boot_id=parts.boot_id, has_queue=has_queue, imports=parts.imports)
    server_service_pb2_grpc.add_ServerServiceServicer_to_server(description, server)
