"""What a call costs around the stages of its work, from the figures of `make bench`: sandbox, gRPC, event loop."""

from pathlib import Path

from benchmarks.document import read_document
from benchmarks.scale.cells import Json
from benchmarks.scale.images import KINDS

SOURCE = "make bench, suites load (16 clients) and indexing: rows `CPU of the service per`, less the stages alone"
SEARCH = "by image, 16 clients, CPU of the service per search"


def calls(bench: Path) -> Json:
    """Return the processor milliseconds that a search and an image that is stored cost more than their stages.

    Raises:
        InvalidRequestError: If the file holds no figures.
        KeyError: If a suite was not measured.
    """
    suites = read_document(bench)["suites"]
    return {
        "source": SOURCE,
        "search_ms": _more(suites["load"], SEARCH),
        "storing_ms": {
            key: _more(suites["indexing"], f"CPU of the service per image, {kind}") for key, kind in KINDS.items()
        },
    }


def _more(suite: Json, name: str) -> float:
    figure = suite["figures"][name]
    return max(0.0, float(figure["value"] - figure["baseline_value"]))
