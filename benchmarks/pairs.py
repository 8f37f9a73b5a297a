"""From efforts that were measured in turns to figures of time on the wall and on the processor."""

from collections.abc import Iterator, Sequence

from benchmarks.clock import MILLISECONDS
from benchmarks.effort import Effort
from benchmarks.figures import Better, Figure, Target

LOWER = Target(Better.LOWER)


def wall_and_cpu(name: str, baseline: str, pairs: Sequence[tuple[Effort, Effort]]) -> Iterator[Figure]:
    """Yield both figures, in milliseconds a piece, of pairs (ours, the baseline's)."""
    ours, bare = zip(*pairs, strict=True)
    wall, bare_wall = (tuple(MILLISECONDS / one.rate for one in efforts) for efforts in (ours, bare))
    cpu, bare_cpu = (tuple(one.cpu_milliseconds for one in efforts) for efforts in (ours, bare))
    yield Figure(name, "ms", wall, baseline, bare_wall, LOWER)
    yield Figure(f"{name}, CPU", "ms", cpu, baseline, bare_cpu, LOWER)
