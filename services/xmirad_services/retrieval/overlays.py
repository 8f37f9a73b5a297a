"""Maps laid over the pictures that they explain."""

from xmirad.errors import EmbeddingCorruptError, ItemNotFoundError
from xmirad.explanations.images import ExplanationImages
from xmirad.explanations.records import ImageKind
from xmirad.explanations.results import KeptMap
from xmirad.explanations.scoring import image_on
from xmirad.explanations.store import Asked
from xmirad.explanations.watching import Snapshot
from xmirad.indexing.runner import Tools
from xmirad.lanes import Priority
from xmirad.saliency.render import overlay
from xmirad.types import ImageGeometry


class Overlays:
    """Renders on the lane of the blobs."""

    def __init__(self, images: ExplanationImages, tools: Tools) -> None:
        """Lay maps over what the model saw."""
        self._images = images
        self._tools = tools

    async def of(self, snapshot: Snapshot) -> list[bytes]:
        """Return a PNG for each map of an explanation, empty where the picture is not kept any more."""
        return await self._tools.lanes.blobs.run(
            Priority.INTERACTIVE, lambda: [self._rendered(snapshot.asked, kept) for kept in snapshot.maps]
        )

    def _rendered(self, asked: Asked, kept: KeptMap) -> bytes:
        request, saliency = asked.request, kept.saliency
        image = image_on(request, saliency.explained_image)
        try:
            picture = self._images.input(image.digest, request.preprocessing, is_query=image.kind is not ImageKind.ITEM)
        except (ItemNotFoundError, EmbeddingCorruptError):
            return b""
        height, width = picture.shape[:2]
        return overlay(picture, saliency, geometry=ImageGeometry(width, height, width, height, 0, 0, width))
