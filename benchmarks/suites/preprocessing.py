"""What resizing costs by Pillow beside torchvision on bytes: the price of serving without torch.

Torchvision is several times faster, but rounds differently, and with it every decoder child would hold torch.
"""

from collections.abc import Iterator

from PIL import Image

from benchmarks.effort import effort_of
from benchmarks.figures import Figure
from benchmarks.pairs import wall_and_cpu
from benchmarks.run import Run, random_pictures
from benchmarks.servant import servant
from benchmarks.torchvision_resize import TorchvisionResize
from xmirad.imaging.preprocessing import resize_shorter_side

REPEATS = (7, 1)
PICTURES = {(1_024, 1_024): (20, 2), (3_000, 3_000): (4, 1)}


def preprocessing(run: Run) -> Iterator[Figure]:
    """Resize pictures to the model's side, both ways in turns, on one thread each."""
    for size, counts in PICTURES.items():
        yield from _resizing(run, size, run.count(*counts))


def _resizing(run: Run, size: tuple[int, int], count: int) -> Iterator[Figure]:
    recipe = run.artifact.preprocessing
    pictures = [Image.fromarray(pixels) for pixels in random_pictures(size, count)]
    with servant(TorchvisionResize, recipe.resize_shorter_side, size, count) as torchvision:
        pairs = [
            (
                effort_of(lambda: [resize_shorter_side(one, recipe) for one in pictures], windows=count),
                torchvision.ask("resize"),
            )
            for _ in range(run.count(*REPEATS))
        ]
    name = f"resize {size[1]} x {size[0]} to {recipe.resize_shorter_side}"
    yield from wall_and_cpu(name, "torchvision, bytes, one thread", pairs)
