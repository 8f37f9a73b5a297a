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


_LOWEST = {
    "images": 1,
    "embedding_size": 1,
    "forward_ms": 1e-6,
    "peak": 1,
    "utilization": 0.01,
    "node_memory_bytes": GIB,
    "node_disk_bytes": GIB,
    "node_cores": 1,
    "replicas": 1,
}
_SHARES = {"warm_share", "utilization"}
_HIGHEST = 1e15
"""Far above any archive, and far below where a sum of products is no longer a finite number."""


def _check(name: str, value: float) -> None:
    lowest, highest = _LOWEST.get(name, 0), 1 if name in _SHARES else _HIGHEST
    if not lowest <= value <= highest:
        message = f"{name} is {value}; it must be {lowest:g} to {highest:g}"
        limits = {"value": str(value), "lowest": str(lowest), "highest": str(highest)}
        raise InvalidRequestError(message, field=name, metadata=limits)
