"""The parts of the page that `xmirad plan` rests on: images, calls and formulas."""

from collections.abc import Iterator

from benchmarks.scale.cells import INDEXES, Json
from benchmarks.scale.coefficients import COMPARED, coefficients, told_to_measured
from benchmarks.scale.markdown import name_of, table
from xmirad.planning.growth import Quantity


def images(document: Json) -> Iterator[str]:
    """Say what an image costs beside its vector, and a call beside its stages."""
    measured, calls = document["images"], document["calls"]
    yield from [
        "",
        "## An image and a call",
        "",
        "Processor milliseconds of the stages, each alone, with the default model. Writing is the digest of the file,",
        "blobs and record, and the vector; an original that is kept takes",
        f"{measured['original_ms_per_megabyte']:.1f} ms a megabyte more. The service adds",
        f"{calls['search_ms']:.1f} ms to a search by image, and to an image that is stored what the",
        f"last column says ({calls['source']}).",
        "",
    ]
    rows = (
        [
            kind["name"],
            *(f"{kind[stage]:.1f}" for stage in ("decode_ms", "embed_ms", "write_ms")),
            f"{calls['storing_ms'][key]:.1f}",
        ]
        for key, kind in measured["kinds"].items()
    )
    yield from table(["image", "decode", "model", "write", "the service adds"], rows)


def formulas(document: Json) -> Iterator[str]:
    """Compare what the formulas tell with what was measured."""
    yield from [
        "",
        "## What `xmirad plan` makes of it",
        "",
        "What the formulas tell with the fitted coefficients, as a share of what was measured. Each formula has three",
        "coefficients, fitted to as many archives as this (those that the index left flat belong to `flat`):",
        "",
    ]
    growth = coefficients(document)["growth"]
    rows = [[index.value, *(str(growth[index.value][one.value]["cells"]) for one in Quantity)] for index in INDEXES]
    yield from [*table(["index", *(f"`{one.value}`" for one in Quantity)], rows), ""]
    rows = [
        [*name_of(cell), *(f"{told_to_measured(cell, quantities):.2f}" for quantities in COMPARED.values())]
        for cell in document["cells"]
        if "asked" in cell
    ]
    yield from table(["items", "components", "index", *COMPARED], rows)
