"""`python -m benchmarks.scale.publish FOLDER`: makes a run the one that documentation and `xmirad plan` speak of.

With `--bench FILE`, figures of `make bench`, it also takes from there what a call costs; else that stays as it was.
Cells that were measured again, `FOLDER/repeats/*.json`, are shown beside the others and nothing is fitted to them.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.scale.calls import calls
from benchmarks.scale.cells import Json
from benchmarks.scale.charts import draw
from benchmarks.scale.coefficients import coefficients
from benchmarks.scale.page import page
from xmirad.planning.growth import measured

ROOT = Path(__file__).parents[2]
COEFFICIENTS = ROOT / "core" / "xmirad" / "planning" / "coefficients.json"
MEASURED = Path(__file__).parent / "measured.json"
DOCS = ROOT / "docs"


def main(arguments: Sequence[str]) -> int:
    """Write the figures, the coefficients, the pictures and the page."""
    options = _options(arguments)
    document: Json = json.loads((options.folder / "scale.json").read_text("utf-8"))
    document["calls"] = calls(options.bench) if options.bench else json.loads(MEASURED.read_text("utf-8"))["calls"]
    repeats = sorted((options.folder / "repeats").glob("*.json"))
    document["repeats"] = [json.loads(file.read_text("utf-8")) for file in repeats]
    MEASURED.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    COEFFICIENTS.write_text(json.dumps(coefficients(document), indent=2) + "\n", "utf-8")
    measured.cache_clear()
    draw(document, DOCS / "pictures")
    (DOCS / "scale.md").write_text(page(document), "utf-8")
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.publish", description=__doc__)
    parser.add_argument("folder", type=Path, help="output of `python -m benchmarks.scale`")
    parser.add_argument("--bench", type=Path, help="JSON of `make bench`, with the suites load and indexing")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
