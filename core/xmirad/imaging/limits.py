"""How much an image may ask for, and the errors that say so."""

from dataclasses import dataclass

from xmirad.errors import InvalidImageError, PayloadTooLargeError

MEBIBYTE = 1 << 20
MEGAPIXEL = 1_000_000
MOST_OF_WALL_TIME = 0.8


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Limits on one image.

    Attributes:
        max_bytes: Length of the encoded file in bytes.
        max_pixels: Width times height of one frame.
        max_aspect_ratio: Longer side divided by the shorter one.
        memory_bytes: Address space that a decoder process may take, in bytes.
        wall_seconds: Time from the moment that it is an image's turn to its answer. Who exceeds it found the machine
            busy, and may try again.
        cpu_seconds: Processor time of one decoding, whatever the size.
        cpu_seconds_per_megapixel: Processor time that is allowed besides, for each million of pixels in the header.
    """

    max_bytes: int = 60 * MEBIBYTE
    max_pixels: int = 40_000_000
    max_aspect_ratio: float = 16.0
    memory_bytes: int = 1536 * MEBIBYTE
    wall_seconds: float = 30.0
    cpu_seconds: float = 2.0
    cpu_seconds_per_megapixel: float = 0.25

    def processor_seconds(self, pixels: int) -> float:
        """Return the processor time that decoding so many pixels may take.

        At most four fifths of `wall_seconds`, so that a wall-clock limit that is reached means a busy machine.
        """
        allowed = self.cpu_seconds + self.cpu_seconds_per_megapixel * pixels / MEGAPIXEL
        return min(allowed, MOST_OF_WALL_TIME * self.wall_seconds)

    @property
    def most_processor_seconds(self) -> float:
        """The processor time that the largest allowed image may take."""
        return self.processor_seconds(self.max_pixels)

    def check_length(self, data: bytes, *, field: str) -> None:
        """Refuse a file that is empty or too long.

        Raises:
            InvalidImageError: If it is empty.
            PayloadTooLargeError: If it has more than `max_bytes`.
        """
        if not data:
            raise InvalidImageError("the image is empty", field=field)
        if len(data) > self.max_bytes:
            raise PayloadTooLargeError(
                f"the image has {len(data)} bytes; at most {self.max_bytes} are allowed",
                field=field,
                metadata={"max_image_bytes": str(self.max_bytes), "image_bytes": str(len(data))},
            )

    def check_size(self, width: int, height: int, *, field: str) -> None:
        """Refuse a width and height in pixels as read from a header, before any pixel is decoded.

        Raises:
            InvalidImageError: If a side is 0, or one is more than `max_aspect_ratio` times the other.
            PayloadTooLargeError: If there are more than `max_pixels`.
        """
        found = {"width": str(width), "height": str(height)}
        if width < 1 or height < 1:
            raise InvalidImageError("the image has no pixels", field=field, metadata=found)
        if width * height > self.max_pixels:
            raise self.too_many_pixels(field=field, found=found)
        if max(width, height) > self.max_aspect_ratio * min(width, height):
            raise InvalidImageError(
                f"one side of the image is more than {self.max_aspect_ratio:g} times as long as the other",
                field=field,
                metadata=found | {"max_aspect_ratio": f"{self.max_aspect_ratio:g}"},
            )

    def too_many_pixels(self, *, field: str, found: dict[str, str]) -> PayloadTooLargeError:
        """Return the error for more than `max_pixels`; `found` is what is known of the image."""
        return PayloadTooLargeError(
            f"the image has more than the {self.max_pixels} pixels that are allowed",
            field=field,
            metadata=found | {"max_image_pixels": str(self.max_pixels)},
        )
