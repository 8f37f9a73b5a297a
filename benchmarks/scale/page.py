"""The page `docs/scale.md`, made of the figures of a run and nothing else."""

from collections.abc import Iterator, Sequence

from benchmarks.scale.cells import INDEXES, Json, missing
from benchmarks.scale.charts import PICTURES
from benchmarks.scale.coefficients import COMMAND, COMPARED, largest_items, total, value_of
from benchmarks.scale.markdown import name_of, table
from benchmarks.scale.page_plan import formulas, images
from benchmarks.scale.questions import QUESTIONS
from xmirad.planning.growth import Quantity

NOTICE = f"<!-- Written by `{COMMAND}`. -->"
MEGABYTE = 1e6
COLUMNS = (
    "items",
    "components",
    "index",
    "build CPU s",
    "of these index",
    "disk MB",
    "log MB",
    "own MB",
    "mapped MB",
    "open s",
    "search p50 / p95 / p99 ms",
    "CPU ms",
    "recall@10",
)
CAPTIONS = {
    "scale-search": "How long a search takes, in the whole archive and in few of its items.",
    "scale-size": "Memory (own and mapped after all searches) and disk.",
    "scale-building": "What building takes, and how many of the exact ten results a search finds.",
}


def page(document: Json) -> str:
    """Return the whole page."""
    cells = document["cells"]
    archives = [_head(document), _cells(cells), _repeats(document["repeats"]), _pictures(), _searches(cells)]
    parts = [*archives, images(document), formulas(document)]
    return NOTICE + "\n\n" + "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _head(document: Json) -> Iterator[str]:
    mixture, machine = document["mixture"], document["machine"]
    real, drawn = mixture["likeness"]["images"], mixture["likeness"]["drawn"]
    yield from [
        "# How cost grows",
        "",
        f"`make bench-scale` makes archives and asks each the same questions, here of {_range(document['cells'])},",
        "through the product's own embedded store and search. Every archive is built in one process and asked in",
        "another, so its memory is its own; its figures are kept when the run is broken off. `xmirad plan` counts with",
        "what was measured here; [Planning](architecture/18-planning.md) has the formulas.",
        "",
        f"**Vectors** are drawn from {mixture['components']} Gaussians fitted to the embeddings of",
        f"{mixture['images']:,} images ({mixture['source']}) by {mixture['model']}; parameters",
        f"`{mixture['digest'][:12]}`. A quarter of the images was held out, to tell whether the drawn vectors are as",
        f"hard to search as real ones: median cosine to the nearest {real['nearest']:.2f} (drawn",
        f"{drawn['nearest']:.2f}), to the tenth {real['tenth']:.2f} ({drawn['tenth']:.2f}), intrinsic",
        f"dimension {real['intrinsic_dimension']:.1f} ({drawn['intrinsic_dimension']:.1f}). Vectors of 256 components",
        "are a fixed random projection. Patients have three images on average, which share half of their variance",
        "within a cluster; 89 % of the items are of the site that is searched.",
        "",
        f"**Machine**: {machine['cpu']}, {machine['cores']} core(s) used, {machine['memory_gigabytes']:.0f} GB,",
        f"Qdrant Edge {machine['packages']['qdrant-edge-py']}. Times on the wall are",
        "those of the machine as it was, with whatever ran beside; processor times are what to compare. The engine",
        "builds graphs in threads of the lowest priority.",
        "",
        *_coverage(document["cells"]),
    ]


def _range(cells: Sequence[Json]) -> str:
    items = [cell["items"] for cell in cells if "asked" in cell]
    return f"{min(items):,} to {max(items):,} items"


def _coverage(measured: Sequence[Json]) -> Iterator[str]:
    """Say how far each index was measured, and what of the whole run is missing."""
    for index in INDEXES:
        largest = largest_items(measured, index)
        limits = ", ".join(f"{items:,} items of {size} components" for size, items in largest.items())
        yield f"**Measured with `{index.value}`** up to {limits}."
        yield ""
    if absent := missing(measured):
        named = ", ".join(f"{one.items:,} x {one.embedding_size} {one.index.value}" for one in absent)
        yield f"**Not measured**, though `make bench-scale` has them: {named}."
        yield ""


def _cells(cells: Sequence[Json]) -> Iterator[str]:
    yield from [
        "## Archives",
        "",
        "`flat` compares with every embedding (exact), `int8` with codes of one byte a component and then the best",
        "embeddings themselves, `hnsw` along a graph of neighbors (m 16, 100 candidates at building). Fewer than",
        "10 MB of embeddings are left flat by either. Memory is the process's own, and what it maps of the archive.",
        "The write-ahead log is part of the disk; the engine cuts it off, so that it stops growing.",
        "",
    ]
    yield from table(COLUMNS, (_row(cell) for cell in cells))


def _repeats(cells: Sequence[Json]) -> Iterator[str]:
    if cells:
        yield from [
            "",
            "The same archives, made again by the same code. A graph differs from one build to the next, and so does",
            "what it finds:",
            "",
            *table(COLUMNS, (_row(cell) for cell in cells)),
        ]


def _row(cell: Json) -> list[str]:
    if "asked" not in cell:
        return [*name_of(cell), cell["given_up"], *[""] * 9]
    built, plain = cell["built"], cell["asked"]["answers"]["plain"]
    latency = plain["latency"]
    sizes = (
        total(cell, COMPARED["disk"]),
        *(value_of(cell, one) for one in (Quantity.LOG_BYTES, Quantity.OWN_BYTES, Quantity.MAPPED_BYTES)),
    )
    return [
        *name_of(cell),
        f"{value_of(cell, Quantity.BUILD_SECONDS):.1f}",
        f"{built['index']['cpu']:.1f}",
        *(f"{size / MEGABYTE:,.0f}" for size in sizes),
        f"{cell['asked']['open_seconds']:.1f}",
        f"{latency['p50']:.1f} / {latency['p95']:.1f} / {latency['p99']:.1f}",
        f"{latency['cpu_p50']:.2f}",
        f"{plain['recall']:.4f}",
    ]


def _pictures() -> Iterator[str]:
    for name in PICTURES:
        yield from ["", f"![{CAPTIONS[name]}](pictures/{name}.png)"]
    yield ""


def _searches(cells: Sequence[Json]) -> Iterator[str]:
    yield from [
        "## Kinds of search",
        "",
        "Processor milliseconds (median) and recall@10. Labels are those of the query's own class and cluster;",
        "grouping returns ten patients; a stored item is asked for without its own patient's items.",
        "",
    ]
    columns = ["items", "components", "index", *QUESTIONS]
    yield from table(columns, (_kinds(cell) for cell in cells if "asked" in cell))


def _kinds(cell: Json) -> list[str]:
    answers = [cell["asked"]["answers"][name] for name in QUESTIONS]
    shown = [f"{one['latency']['cpu_p50']:.2f} ({one['recall']:.3f})" for one in answers]
    return [*name_of(cell), *shown]
