"""Resizing by torchvision on bytes; made to live in a process of its own, because torch does not belong beside ours."""

from collections.abc import Sequence

import torch
from torchvision.transforms import InterpolationMode, v2

from benchmarks.effort import Effort, effort_of
from benchmarks.run import random_pictures


class TorchvisionResize:
    """Resizes pictures on one thread, as tensors whose channels lie together: torch's fast way for bytes."""

    def __init__(self, shorter_side: int, size: tuple[int, int], count: int) -> None:
        """Make the pictures, `(height, width)` each."""
        torch.set_num_threads(1)
        self._resize = v2.Resize(shorter_side, interpolation=InterpolationMode.BICUBIC, antialias=True)
        self._pictures: Sequence[torch.Tensor] = [
            torch.from_numpy(picture).permute(2, 0, 1) for picture in random_pictures(size, count)
        ]
        self._resize(self._pictures[0])

    def resize(self) -> Effort:
        """Resize all of them."""
        return effort_of(lambda: [self._resize(picture) for picture in self._pictures], windows=len(self._pictures))
