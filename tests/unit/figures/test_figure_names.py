import pytest

from xmirad.errors import InvalidRequestError
from xmirad.figures import libraries
from xmirad.figures.catalog import NAMES, TSNE, wanted

WITHOUT_CONTROL = ("tsne", "grid-occlusion", "grid-attention", "grid-activation")


def test_all_figures_are_drawn_where_none_is_named() -> None:
    assert wanted((), has_control=True) == NAMES
    assert wanted((), has_control=False) == WITHOUT_CONTROL


def test_a_kind_stands_for_all_its_figures() -> None:
    assert wanted(("grid", "tsne"), has_control=False) == WITHOUT_CONTROL
    assert wanted(("sanity", "control-occlusion"), has_control=True) == ("control-occlusion", "sanity")


def test_an_unknown_figure_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        wanted(("tsne", "umap"), has_control=False)
    assert refusal.value.field == "only"
    assert refusal.value.metadata["value"] == "umap"
    assert "grid-attention" in refusal.value.metadata["allowed"]


@pytest.mark.parametrize("name", ["control", "sanity", "control-activation"])
def test_what_needs_random_weights_is_refused_without_them(name: str) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        wanted((name,), has_control=False)
    assert refusal.value.field == "control"


@pytest.mark.parametrize("library", ["matplotlib", "sklearn"])
def test_a_library_that_is_absent_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name == library else object())
    with pytest.raises(InvalidRequestError, match=rf"{library}: install xmirad\[lab\]"):
        libraries.require_libraries((TSNE,))


def test_grids_need_no_library_of_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name == "sklearn" else object())
    libraries.require_libraries(("grid-occlusion", "sanity"))
