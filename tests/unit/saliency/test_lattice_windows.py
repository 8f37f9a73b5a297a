import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.saliency import slow_windows
from xmirad.errors import InvalidRequestError
from xmirad.saliency.aggregation import coverage
from xmirad.saliency.lattice import WindowLattice

unhurried = settings(deadline=None)


@st.composite
def lattices(draw: st.DrawFn, largest: int = 40) -> WindowLattice:
    size = draw(st.integers(1, largest))
    window = draw(st.integers(1, size))
    return WindowLattice(size=size, window=window, stride=draw(st.integers(1, window)))


def test_24_by_5_on_224_pixels_gives_the_published_windows() -> None:
    lattice = WindowLattice(size=224)
    spans = [lattice.box(row * lattice.per_axis)[0] for row in range(lattice.per_axis)]
    full = sum(span.stop - span.start == 24 for span in spans)
    print(f"windows: {lattice.windows}, full on an axis: {full}, clipped: {1 - full**2 / lattice.windows:.1%}")
    assert lattice.windows == 2401
    assert (spans[0], spans[1], spans[-1]) == (slice(0, 5), slice(0, 10), slice(221, 224))
    assert full == 40


def test_24_by_5_on_224_pixels_covers_pixels_as_often_as_published() -> None:
    times, pixels = np.unique(coverage(WindowLattice(size=224)), return_counts=True)
    print(f"coverage (windows over a pixel: pixels): {dict(zip(times.tolist(), pixels.tolist(), strict=True))}")
    assert times.tolist() == [16, 20, 25]
    assert pixels.tolist() == [2_025, 16_110, 32_041]


@unhurried
@given(lattices())
def test_windows_are_those_of_the_formula(lattice: WindowLattice) -> None:
    boxes = [lattice.box(window) for window in range(lattice.windows)]
    assert [(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in boxes] == slow_windows(lattice)


@unhurried
@given(lattices())
def test_every_pixel_is_covered(lattice: WindowLattice) -> None:
    assert coverage(lattice).min() >= 1


@unhurried
@given(lattices())
def test_memberships_say_which_pixels_a_window_hides(lattice: WindowLattice) -> None:
    members = lattice.memberships()
    for row in range(lattice.per_axis):
        hidden = np.zeros(lattice.size)
        hidden[lattice.box(row * lattice.per_axis)[0]] = 1
        np.testing.assert_array_equal(members[row], hidden)


@pytest.mark.parametrize(
    ("size", "window", "stride", "field"),
    [
        (224, 225, 5, "window"),
        (224, 0, 5, "window"),
        (224, 24, 0, "stride"),
        (224, 24, -5, "stride"),
        (224, 24, 25, "stride"),
        (0, 1, 1, "size"),
    ],
)
def test_impossible_windows_are_refused_with_the_field(size: int, window: int, stride: int, field: str) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        WindowLattice(size=size, window=window, stride=stride)
    assert refusal.value.field == field
    assert refusal.value.metadata["lowest"] == "1"
