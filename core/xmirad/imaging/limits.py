"""How much an image may ask for."""

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Limits on one image.

    Attributes:
        max_bytes: Length of the encoded file in bytes.
        max_pixels: Width times height of one frame.
        max_aspect_ratio: Longer side divided by the shorter one.
        memory_bytes: Address space that a decoder process may take, in bytes.
        wall_seconds: Time from request to answer.
        cpu_seconds: Processor time of one decoding.
    """

    max_bytes: int = 60 * MEBIBYTE
    max_pixels: int = 40_000_000
    max_aspect_ratio: float = 16.0
    memory_bytes: int = 1536 * MEBIBYTE
    wall_seconds: float = 5.0
    cpu_seconds: int = 5
