"""Maps laid over the pictures that they explain."""

from xmirad.explanations.scoring import image_on
from xmirad.explanations.watching import Snapshot
from xmirad.indexing.runner import Tools
from xmirad.lanes import Priority
from xmirad.saliency.method import SaliencyMap
from xmirad.saliency.render import overlay
from xmirad_services.retrieval.pictures import Pictures


class Overlays:
    """Renders on the lane of the blobs."""

    def __init__(self, pictures: Pictures, tools: Tools) -> None:
        """Lay maps over pictures of the originals."""
        self._pictures = pictures
        self._tools = tools

    async def of(self, snapshot: Snapshot) -> list[bytes]:
        """Return a PNG for each map of an explanation, empty where the picture is not kept any more."""
        return [await self._rendered(snapshot, kept.saliency) for kept in snapshot.maps]

    async def _rendered(self, snapshot: Snapshot, saliency: SaliencyMap) -> bytes:
        request = snapshot.asked.request
        picture = await self._pictures.of(request, image_on(request, saliency.explained_image))
        if picture is None:
            return b""
        return await self._tools.lanes.blobs.run(
            Priority.INTERACTIVE, lambda: overlay(picture.pixels, saliency, geometry=picture.geometry)
        )
