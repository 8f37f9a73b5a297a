"""The vectors, questions and exact answers of `make bench-scale`, and that `xmirad plan` tells what it measured."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from support.models import REPOSITORY
from xmirad.planning.growth import Quantity, measured
from xmirad.types import EdgeIndex, Float32Array

PLAN_TOLERANCE = {"memory": 1.5, "disk": 1.1, "search": 2.0, "build": 2.0}
"""By what factor a formula may be off, either way, of what was measured once and is checked in."""


def scale(module: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.scale.{module}")


def embeddings() -> tuple[Float32Array, "np.typing.NDArray[np.int64]"]:
    """Return unit vectors of two classes with three directions of spread each, and no negative values."""
    random = np.random.default_rng(3)
    classes = np.arange(240) % 2
    centers, spread = random.uniform(2, 4, (2, 32)), random.normal(size=(2, 3, 32))
    rows = [centers[one] + random.normal(size=3) @ spread[one] + 0.05 * random.normal(size=32) for one in classes]
    vectors = np.maximum(np.array(rows), 0).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), classes


def mixture() -> Any:  # noqa: ANN401 - a class of the benchmarks, which are not on the path of types
    return scale("mixture").fit_mixture(*embeddings())


def test_drawn_vectors_have_mean_and_covariance_of_what_was_fitted() -> None:
    real, _ = embeddings()
    block = scale("population").Population(mixture(), 32).block(0)
    assert np.abs(block.vectors.mean(axis=0) - real.mean(axis=0)).max() < 0.02
    assert np.abs(np.cov(block.vectors.T) - np.cov(real.T)).max() < 0.003
    assert block.vectors.min() >= 0


def test_neighbors_among_drawn_vectors_are_as_near_as_among_real_ones() -> None:
    real, _ = embeddings()
    like = scale("likeness").likeness(mixture(), real[:180], real[180:])
    assert like.drawn.nearest == pytest.approx(like.images.nearest, abs=0.02)
    assert like.drawn.intrinsic_dimension == pytest.approx(like.images.intrinsic_dimension, rel=0.5)


def test_a_small_archive_is_the_beginning_of_a_larger_one_and_shorter_vectors_are_unit_vectors_too() -> None:
    population = scale("population").Population(mixture(), 16)
    few, many = (np.concatenate([block.vectors for block in population.blocks(items)]) for items in (1_000, 2_000))
    assert np.array_equal(few, many[:1_000])
    assert many.shape == (2_000, 16)
    assert np.abs(np.linalg.norm(many, axis=1) - 1).max() < 1e-5


def test_a_mixture_read_again_is_the_same(tmp_path: Any) -> None:  # noqa: ANN401
    made = mixture()
    made.save(tmp_path / "mixture.npz")
    assert scale("mixture").load_mixture(tmp_path / "mixture.npz").digest == made.digest


def test_exact_answers_are_those_of_a_slow_search_over_everything() -> None:
    questions, population = scale("questions"), scale("population").Population(mixture(), 32)
    answers = questions.exact_answers(population, 1_500, 8)
    blocks = list(population.blocks(1_500))
    vectors = np.concatenate([block.vectors for block in blocks])
    sites, patients = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("sites", "patients"))
    queries = population.block(-1).vectors[:8]
    for row, query in enumerate(queries):
        ranked = [number for number in np.argsort(-(vectors @ query)) if sites[number] == 0]
        assert list(answers["plain"][row]) == ranked[:10]
        best: dict[int, int] = {}
        for number in ranked:
            best.setdefault(int(patients[number]), int(number))
        assert list(answers["grouped by patient"][row]) == list(best.values())[:10]


def cell(items: int, size: int, *, disk: float = 1.0, log: float = 0.0) -> dict[str, Any]:
    return {
        "items": items,
        "embedding_size": size,
        "index": "flat",
        "built": {"disk_bytes": disk + log, "log_bytes": log},
        "asked": {},
    }


def test_a_fit_finds_the_coefficients_that_made_the_figures() -> None:
    sizes = ((1_000, 1280), (10_000, 1280), (10_000, 256), (100_000, 256))
    cells = [cell(items, size, disk=5e6 + items * (300 + 4 * size), log=1e9) for items, size in sizes]
    found = scale("coefficients").fitted(cells, EdgeIndex.FLAT, Quantity.DISK_BYTES)
    made = {"fixed": 5e6, "each": 300, "component": 4, "cells": 4}
    assert found == pytest.approx(made, rel=1e-3)


def test_the_log_grows_with_the_embeddings_until_the_engine_cuts_it() -> None:
    sizes = ((1_000, 1280), (2_000, 1280), (1_000, 256), (1_000_000, 256))
    cells = [cell(items, size, log=min(60e6, items * (500 + 4 * size))) for items, size in sizes]
    found = scale("coefficients").fitted(cells, EdgeIndex.FLAT, Quantity.LOG_BYTES)
    assert found == pytest.approx({"fixed": 0.0, "each": 500, "component": 4, "cells": 3, "most": 60e6}, rel=1e-3)


def test_a_page_names_the_cells_that_were_not_measured() -> None:
    document = checked_in()
    kept = [one for one in document["cells"] if (one["items"], one["index"]) != (10_000, "int8")]
    page = scale("page").page(document | {"cells": kept})
    assert "10,000 x 1280 int8" in page
    assert "10,000 x 256 int8" in page
    assert "10,000 x 1280 flat" not in page


def test_what_a_call_costs_is_what_it_takes_more_than_its_stages(tmp_path: Path) -> None:
    def figure(value: float, stages: float) -> dict[str, float]:
        return {"value": value, "baseline_value": stages}

    kinds = {"256x256 JPEG": 22.0, "1024x1024 PNG": 33.0, "3000x3000 16-bit DICOM": 90.0}
    suites = {
        "load": {"figures": {"by image, 16 clients, CPU of the service per search": figure(19.0, 15.0)}},
        "indexing": {
            "figures": {f"CPU of the service per image, {kind}": figure(ms, 16.0) for kind, ms in kinds.items()}
        },
    }
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({"format": 1, "machine": {}, "suites": suites}), "utf-8")
    found = scale("calls").calls(file)
    assert found["search_ms"] == 4.0
    assert found["storing_ms"] == {"jpeg": 6.0, "png": 17.0, "dicom": 74.0}


def checked_in() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((REPOSITORY / "benchmarks/scale/measured.json").read_text("utf-8"))
    return document


def test_the_plans_formulas_tell_what_was_measured() -> None:
    coefficients = scale("coefficients")
    measured_cells = [cell for cell in checked_in()["cells"] if "asked" in cell]
    for cell in measured_cells:
        for name, quantities in coefficients.COMPARED.items():
            share = coefficients.told_to_measured(cell, quantities)
            factor = PLAN_TOLERANCE[name]
            assert 1 / factor <= share <= factor, f"{name} of {cell['items']} items, {cell['index']}"
    assert len(measured_cells) >= 10


def test_coefficients_and_page_are_those_of_the_figures_checked_in() -> None:
    document = checked_in()
    for index, quantities in scale("coefficients").coefficients(document)["growth"].items():
        for quantity, found in quantities.items():
            assert found == pytest.approx(measured()["growth"][index][quantity], rel=1e-6)
    assert measured()["calls"] == document["calls"]
    page = (REPOSITORY / "docs/scale.md").read_text("utf-8")
    assert page == scale("page").page(document), "run `python -m benchmarks.scale.publish` on the figures"
