"""The recipe that turns a decoded image into a model's input, as data.

Resizing and cropping give exactly the pixels of torchvision's `Resize` and `CenterCrop` on Pillow images, so models
trained with those see what they were trained on.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np
from PIL import Image

from xmirad.ids import canonical_digest
from xmirad.types import Float32Array, ImageGeometry, UInt8Array

DECODING_RULES = 2
"""Version of the rules by which this room makes pixels from files; raised whenever any pixel may come out different."""

Channels = tuple[float, float, float]


class Interpolation(StrEnum):
    """How pixels are resampled; both filters are Pillow's, with antialiasing."""

    BICUBIC = "bicubic"
    BILINEAR = "bilinear"

    @property
    def resampling(self) -> Image.Resampling:
        """Pillow's name of the filter."""
        return Image.Resampling[self.name]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """A preprocessing recipe.

    Attributes:
        resize_shorter_side: Length of the shorter side after resizing, in pixels.
        interpolation: Filter of the resizing.
        crop_size: Width and height of the center crop in pixels, at most `resize_shorter_side`.
        mean: Subtracted from red, green and blue, on the scale 0 to 255.
        std: Divides the differences, on the scale 0 to 255.
    """

    resize_shorter_side: int
    interpolation: Interpolation
    crop_size: int
    mean: Channels
    std: Channels

    def __post_init__(self) -> None:
        """Refuse a recipe that cannot be followed.

        Raises:
            ValueError: If the crop does not fit, or a mean or standard deviation is not usable.
        """
        if not 0 < self.crop_size <= self.resize_shorter_side:
            raise ValueError("crop_size must be 1 to resize_shorter_side")
        if not all(math.isfinite(value) for value in self.mean):
            raise ValueError("mean must be finite")
        if not all(math.isfinite(value) and value > 0 for value in self.std):
            raise ValueError("std must be finite and positive")

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the uint8 input: decoding rules, resizing and crop, but not mean and std."""
        return canonical_digest(
            {
                "decoding_rules": DECODING_RULES,
                "resize_shorter_side": self.resize_shorter_side,
                "interpolation": self.interpolation.value,
                "crop_size": self.crop_size,
            }
        )

    def normalize(self, pixels: UInt8Array, out: Float32Array | None = None) -> Float32Array:
        """Return `(pixels - mean) / std`, each step rounded to float32.

        Args:
            pixels: Prepared image, `[S, S, 3]`, RGB, 0 to 255.
            out: Buffer `[3, S, S]` to write to and return.
        """
        normalized = np.empty((3, *pixels.shape[:2]), dtype=np.float32) if out is None else out
        for channel in range(3):
            plane = normalized[channel]
            np.subtract(pixels[:, :, channel], np.float32(self.mean[channel]), out=plane, dtype=np.float32)
            np.divide(plane, np.float32(self.std[channel]), out=plane)
        return normalized

    def to_json(self) -> dict[str, object]:
        """Return the recipe as a JSON object."""
        return {
            "resize_shorter_side": self.resize_shorter_side,
            "interpolation": self.interpolation.value,
            "crop_size": self.crop_size,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> "Preprocessing":
        """Read a recipe from a JSON object.

        Raises:
            ValueError: If a key is missing or unknown, or a value is not of its type.
        """
        expected = {entry.name for entry in fields(cls)}
        if set(data) != expected:
            raise ValueError(f"preprocessing must have exactly the keys {', '.join(sorted(expected))}")
        return cls(
            resize_shorter_side=_whole_number(data, "resize_shorter_side"),
            interpolation=Interpolation(str(data["interpolation"])),
            crop_size=_whole_number(data, "crop_size"),
            mean=_three_numbers(data, "mean"),
            std=_three_numbers(data, "std"),
        )


def _whole_number(data: Mapping[str, object], key: str) -> int:
    value = data[key]
    if type(value) is not int:
        raise ValueError(f"{key} must be a whole number")
    return value


def _three_numbers(data: Mapping[str, object], key: str) -> Channels:
    values = data[key]
    if not isinstance(values, list | tuple) or len(values) != 3 or any(type(v) not in (int, float) for v in values):
        raise ValueError(f"{key} must be three numbers")
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def resize_shorter_side(image: Image.Image, recipe: Preprocessing) -> Image.Image:
    """Resize an image to the recipe's shorter side; the longer one keeps the ratio, rounded down to whole pixels."""
    side = recipe.resize_shorter_side
    shorter, longer = sorted(image.size)
    long_side = int(side * longer / shorter)
    size = (side, long_side) if image.width <= image.height else (long_side, side)
    return image.resize(size, recipe.interpolation.resampling)


def prepare(image: Image.Image, recipe: Preprocessing) -> tuple[UInt8Array, ImageGeometry]:
    """Resize an image's shorter side and crop its center.

    Args:
        image: Mode `RGB`, or `L`, whose one channel then becomes all three: the same pixels in a third of the time.
        recipe: What to do.

    Returns:
        The model's input before normalization, `[S, S, 3]` uint8, and how it was made.
    """
    width, height = image.size
    crop = recipe.crop_size
    resized = resize_shorter_side(image, recipe)
    size = resized.size
    left, top = (round((length - crop) / 2.0) for length in size)
    cropped = resized.crop((left, top, left + crop, top + crop))
    geometry = ImageGeometry(
        original_width=width,
        original_height=height,
        resized_width=size[0],
        resized_height=size[1],
        crop_left=left,
        crop_top=top,
        crop_size=crop,
    )
    return np.array(cropped.convert("RGB")), geometry


EFFICIENTNET_LITE = Preprocessing(
    resize_shorter_side=256,
    interpolation=Interpolation.BICUBIC,
    crop_size=224,
    mean=(127.0, 127.0, 127.0),
    std=(128.0, 128.0, 128.0),
)
IMAGENET = Preprocessing(
    resize_shorter_side=256,
    interpolation=Interpolation.BILINEAR,
    crop_size=224,
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
)
