import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmirad.errors import InvalidRequestError
from xmirad.saliency.lattice import WindowLattice
from xmirad.saliency.levels import chunks, levels, walk

unhurried = settings(deadline=None)
some_lattices = st.integers(1, 12).flatmap(
    lambda window: st.builds(
        WindowLattice, size=st.integers(window, 60), window=st.just(window), stride=st.integers(1, window)
    )
)


def test_the_default_lattice_is_walked_in_four_levels() -> None:
    lattice = WindowLattice(size=224)
    assert [level.windows for level in levels(lattice)] == [169, 625, 1201, 2401]


def test_coarse_levels_are_the_lattices_of_strides_20_and_10() -> None:
    lattice = WindowLattice(size=224)
    tops = np.arange(5 - 24, 224, 5)
    for step, level in zip((4, 2), levels(lattice), strict=False):
        rows, columns = np.divmod(np.sort(walk(lattice)[: level.windows]), lattice.per_axis)
        expected = np.arange(5 - 24, 224, 5 * step)
        np.testing.assert_array_equal(np.unique(tops[rows]), expected)
        np.testing.assert_array_equal(np.unique(tops[columns]), expected)
        assert level.windows == expected.size**2


def test_the_third_level_is_a_checkerboard() -> None:
    lattice = WindowLattice(size=224)
    rows, columns = np.divmod(walk(lattice)[:1201], lattice.per_axis)
    assert not ((rows + columns) % 2).any()


@pytest.mark.parametrize(("size", "stride", "expected"), [(224, 8, [900]), (224, 13, [100, 181, 361])])
def test_lattices_that_do_not_nest_have_fewer_levels(size: int, stride: int, expected: list[int]) -> None:
    lattice = WindowLattice(size=size, window=24, stride=stride)
    assert [level.windows for level in levels(lattice)] == expected


@unhurried
@given(some_lattices)
def test_the_walk_visits_every_window_once(lattice: WindowLattice) -> None:
    np.testing.assert_array_equal(np.sort(walk(lattice)), np.arange(lattice.windows))
    assert levels(lattice)[-1].windows == lattice.windows


@unhurried
@given(some_lattices, st.integers(1, 50))
def test_chunks_tile_the_walk_and_end_with_each_level(lattice: WindowLattice, largest: int) -> None:
    parts = chunks(lattice, largest)
    assert [position for part in parts for position in part] == list(range(lattice.windows))
    assert max(len(part) for part in parts) <= largest
    assert {level.windows for level in levels(lattice)} <= {part.stop for part in parts}


def test_empty_chunks_are_refused() -> None:
    with pytest.raises(InvalidRequestError):
        chunks(WindowLattice(size=224), 0)
