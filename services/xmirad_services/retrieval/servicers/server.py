"""`ServerService`."""

from xmirad import __version__
from xmirad.access.caller import Scope
from xmirad.api.images import RASTER_TYPES
from xmirad.api.v1 import server_service_pb2 as pb
from xmirad.api.v1 import server_service_pb2_grpc as pb_grpc
from xmirad.imaging.dicom import SUPPORTED_TRANSFER_SYNTAXES
from xmirad.settings import Settings
from xmirad_services.retrieval.door import current_caller
from xmirad_services.retrieval.imports import Imports
from xmirad_services.retrieval.interceptors import Context

INTENDED_USE = "Research and decision support. Not a diagnosis."


class ServerServicer(pb_grpc.ServerServiceServicer):
    """Says what the running service is and accepts."""

    def __init__(self, settings: Settings, *, boot_id: str, has_queue: bool, imports: Imports) -> None:
        """Describe a service that runs under these settings."""
        queued = {
            "explanation_queue": has_queue,
            "imports": imports.are_possible,
            "local_imports": imports.read_paths,
        }
        limits = settings.limits
        self._info = pb.ServerInfo(
            version=__version__,
            boot_id=boot_id,
            max_message_bytes=settings.server.max_message_bytes,
            max_image_bytes=limits.max_image_bytes,
            max_image_pixels=limits.max_image_pixels,
            max_top_k=limits.max_top_k,
            max_ranking_top_k=limits.max_ranking_top_k,
            media_types=RASTER_TYPES,
            transfer_syntaxes=SUPPORTED_TRANSFER_SYNTAXES,
            vector_store=settings.store.kind.value,
            intended_use=INTENDED_USE,
            max_batch_explanations=settings.explanations.max_batch,
            max_occlusion_windows=settings.explanations.max_windows,
            features=["explanations", *(name for name, is_there in queued.items() if is_there)],
        )

    async def GetServerInfo(self, request: pb.GetServerInfoRequest, context: Context) -> pb.GetServerInfoResponse:
        """Return version, limits and abilities; the limits are those of the caller."""
        response = pb.GetServerInfoResponse(info=self._info)
        if Scope.EVALUATE not in current_caller().scopes:
            response.info.max_ranking_top_k = self._info.max_top_k
        return response
