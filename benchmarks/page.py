"""`python -m benchmarks.page JSON [FOLDER]`: writes `performance.md` and its pictures for `make docs-performance`."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.charts import draw_load, draw_occlusion, draw_targets
from benchmarks.document import read_document
from benchmarks.promises import Promise, read_promises
from xmirad.errors import XmiradError

DOCS = Path(__file__).parent.parent / "docs"
Draw = Callable[[Mapping[str, Any], Path], None]
PICTURES: Mapping[str, tuple[str, Draw, str]] = {
    "targets": ("", draw_targets, "Every figure that has a target"),
    "occlusion": ("occlusion", draw_occlusion, "Windows per second, by what computes them"),
    "load": ("load", draw_load, "What 1 to 64 clients get"),
}
"""Name: the suite that must have been measured, what draws it, and its title."""
HOW = """\
## How it is measured

`make bench` runs every suite and prints its table; `make bench SUITES="search load"` runs some of them, and adds them
to `build/bench.json`. `make bench QUICK=1` only shows that everything works. To write this page:
`make docs-performance JSON=build/bench.json`.

Every figure is a ratio to a baseline that the same run measures beside it, in turns: ours, theirs, ours, theirs.
Values are medians over the repeats, the ratio is the median of the repeats' ratios, its interval a 95 % bootstrap
interval over repeats. Absolute times are allowed in proportion to the calibration, one forward of the default model
just before the suite. CPU is the processor time of all threads at work, which other processes disturb less than the
time on the wall.

`make bench CHECK=1` compares with `benchmarks/reference.json`, and fails where the whole interval of a ratio is more
than 20 % worse. To see it fail, slow something down: `make bench SUITES=maps CHECK=1 SLOWED=0.1` lets every worker
pause for 0.1 s at each chunk and map.
"""


def main(arguments: Sequence[str]) -> int:
    """Write the page and return the exit code."""
    folder = Path(arguments[1]) if len(arguments) > 1 else DOCS
    try:
        document = read_document(Path(arguments[0]))
    except XmiradError as error:
        sys.stderr.write(f"benchmarks: {error.message} [{error.reason}]\n")
        return 1
    write_page(document, read_promises(), folder)
    for promise in unexplained(document, read_promises()):
        sys.stderr.write(f"missed, and benchmarks/promises.toml does not say why: {promise.what}\n")
    return 0


def write_page(document: Mapping[str, Any], promises: Sequence[Promise], folder: Path) -> None:
    """Write the page and its pictures below a folder."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for name, (suite, draw, _) in PICTURES.items():
        if not suite or suite in document["suites"]:
            draw(document, pictures / f"performance-{name}.svg")
    (folder / "performance.md").write_text("\n".join(_lines(document, promises)), "utf-8")


def unexplained(document: Mapping[str, Any], promises: Sequence[Promise]) -> list[Promise]:
    """Return the promises that were missed without a remark."""
    return [promise for promise in promises if promise.verdict(document) == "MISS" and not promise.remark]


def _lines(document: Mapping[str, Any], promises: Sequence[Promise]) -> Iterator[str]:
    yield "# Performance\n"
    yield "Written by `make docs-performance` from the figures of a run; do not edit.\n"
    yield from _machine(document["machine"])
    if any(measured["quick"] for measured in document["suites"].values()):
        yield "**These figures are of a quick run, which measures nothing well.**\n"
    yield "## What was promised\n"
    yield "| what | must reach | measured | | remark |\n|---|---|---|---|---|"
    for promise in promises:
        measured = "<br>".join(_ratio(figure) for figure in promise.found(document))
        yield f"| {promise.what} | {promise.must} | {measured} | {promise.verdict(document)} | {promise.remark} |"
    yield ""
    for name, (suite, _, title) in PICTURES.items():
        if not suite or suite in document["suites"]:
            yield f"![{title}](pictures/performance-{name}.svg)\n"
    yield HOW
    yield "## All figures\n"
    for name, measured in document["suites"].items():
        yield from _suite(name, measured)


def _machine(machine: Mapping[str, Any]) -> Iterator[str]:
    yield "## Machine\n"
    yield (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gigabytes']:.0f} GB of memory, "
        f"{machine['system']}, Python {machine['python']}; "
        + ", ".join(f"{package} {version}" for package, version in machine["packages"].items())
        + ".\n"
    )
    yield "Threads: " + "; ".join(f"{process}: {count}" for process, count in machine["threads"].items()) + ".\n"


def _suite(name: str, measured: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    yield (
        f"{measured['seconds']:.0f} s; one forward of the default model took {measured['forward_ms']:.2f} ms; "
        f"other processes used {measured['company']:.0%} of the machine.\n"
    )
    yield "| figure | value | baseline | ratio | 95 % | target | | compared with |\n|---|--:|--:|--:|---|---|---|---|"
    for title, figure in measured["figures"].items():
        interval = "{:.2f}-{:.2f}".format(*figure["interval"]) if figure["interval"] else ""
        verdict = {True: "PASS", False: "MISS", None: ""}[figure["met"]]
        sign = ">=" if figure["better"] == "higher" else "<="
        target = "" if figure["target"] is None else f"{sign} {figure['target']:g}"
        compared = figure["baseline"] + (f"; {figure['note']}" if figure["note"] else "")
        values = f"{figure['value']:.4g} {figure['unit']} | {figure['baseline_value']:.4g} {figure['unit']}"
        yield f"| {title} | {values} | {figure['ratio']:.2f} | {interval} | {target} | {verdict} | {compared} |"
    yield ""


def _ratio(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return "-"
    interval = " ({:.2f}-{:.2f})".format(*figure["interval"]) if figure["interval"] else ""
    values = f"{figure['value']:.3g} against {figure['baseline_value']:.3g} {figure['unit']}"
    return f"{figure['ratio']:.2f}{interval}: {values}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
