"""Maps laid over the pictures that they explain."""

from collections import OrderedDict
from collections.abc import Hashable

from xmirad.explanations.scoring import image_on
from xmirad.explanations.watching import Snapshot
from xmirad.indexing.runner import Tools
from xmirad.lanes import Priority
from xmirad.saliency.method import SaliencyMap
from xmirad.saliency.render import overlay
from xmirad_services.retrieval.pictures import Pictures

KEPT = 16


class Overlays:
    """Renders on the lane of the blobs. Belongs to one event loop.

    The overlays rendered last are kept: whoever watches is sent the same map with every step of its progress.
    """

    def __init__(self, pictures: Pictures, tools: Tools) -> None:
        """Lay maps over pictures of the originals."""
        self._pictures = pictures
        self._tools = tools
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()

    async def of(self, snapshot: Snapshot) -> list[bytes]:
        """Return a PNG for each map of an explanation, empty where the picture is not kept any more."""
        return [await self._overlay(snapshot, kept.saliency) for kept in snapshot.maps]

    async def _overlay(self, snapshot: Snapshot, saliency: SaliencyMap) -> bytes:
        asked = snapshot.asked
        level = (saliency.exact, saliency.estimated_error)
        key = (asked.request.explanation, asked.attempt, saliency.explained_image, level)
        if key not in self._kept:
            self._kept[key] = await self._rendered(snapshot, saliency)
        self._kept.move_to_end(key)
        rendered = self._kept[key]
        if not rendered:
            del self._kept[key]
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return rendered

    async def _rendered(self, snapshot: Snapshot, saliency: SaliencyMap) -> bytes:
        request = snapshot.asked.request
        picture = await self._pictures.of(request, image_on(request, saliency.explained_image))
        if picture is None:
            return b""
        return await self._tools.lanes.blobs.run(
            Priority.INTERACTIVE, lambda: overlay(picture.pixels, saliency, geometry=picture.geometry)
        )
