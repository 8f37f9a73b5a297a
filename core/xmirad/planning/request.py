"""What a plan is asked for."""

from dataclasses import dataclass, fields
from enum import StrEnum

from xmirad.errors import InvalidRequestError
from xmirad.saliency.codec import Codec
from xmirad.saliency.lattice import STRIDE, WINDOW
from xmirad.types import EdgeIndex

GIB = 1024**3


class ImageFormat(StrEnum):
    """What decoding an image costs; the sizes are those that were measured."""

    JPEG = "jpeg"
    PNG = "png"
    DICOM = "dicom"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """An archive and what it is used for.

    Attributes:
        images: Images in the archive.
        embedding_size: Components of an embedding.
        forward_ms: Milliseconds of one forward pass on one core.
        index: Index of the archive.
        image_format: What its images are.
        original_bytes: Bytes kept of each original; 0 where they are referred to.
        warm_share: Share of the images whose occlusion cache is kept, 0 to 1.
        codec: How the cache is coded.
        window: Width and height of an occluding window, pixels.
        stride: Distance of the windows, pixels.
        images_per_day: Images to store a day.
        searches_per_second: Searches by image at the peak.
        explanations_per_day: Occlusion maps asked for a day.
        retention_days: How long explanations are kept.
        peak: How many times the average rate the busiest hour has, for explanations.
        utilization: How busy processors may be at the peak, 0 to 1.
        node_memory_bytes: Memory of a node.
        node_disk_bytes: Disk of a node.
        node_cores: Cores of a node.
        replicas: Copies of the vector store.
    """

    images: int
    embedding_size: int = 1280
    forward_ms: float | None = None
    index: EdgeIndex = EdgeIndex.FLAT
    image_format: ImageFormat = ImageFormat.DICOM
    original_bytes: float = 0.0
    warm_share: float = 0.0
    codec: Codec = Codec.INT8
    window: int = WINDOW
    stride: int = STRIDE
    images_per_day: float = 0.0
    searches_per_second: float = 1.0
    explanations_per_day: float = 0.0
    retention_days: float = 7.0
    peak: float = 4.0
    utilization: float = 0.6
    node_memory_bytes: float = 64 * GIB
    node_disk_bytes: float = 4096 * GIB
    node_cores: int = 16
    replicas: int = 1

    def __post_init__(self) -> None:
        """Refuse what no archive can have.

        Raises:
            InvalidRequestError: If a number is out of its range. Names the field and the limit.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float):
                _check(field.name, value)


_LOWEST = {"images": 1, "embedding_size": 1, "node_cores": 1, "replicas": 1, "node_memory_bytes": GIB, "peak": 1}
_SHARES = {"warm_share", "utilization"}
_ABOVE_ZERO = {"utilization", "forward_ms", "node_disk_bytes"}


def _check(name: str, value: float) -> None:
    lowest = _LOWEST.get(name, 0)
    highest = 1 if name in _SHARES else float("inf")
    if lowest <= value <= highest and not (name in _ABOVE_ZERO and value == 0):
        return
    limit = f"{lowest} to {highest}" if name in _SHARES else f"at least {lowest}"
    message = f"{name} is {value:g}; it must be {'above 0 and ' if name in _ABOVE_ZERO else ''}{limit}"
    raise InvalidRequestError(message, field=name, metadata={"value": str(value), "lowest": str(lowest)})
