"""`python -m benchmarks.scale.publish FOLDER`: makes a run the one that documentation and `xmirad plan` speak of."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

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
    document: Json = json.loads((Path(arguments[0]) / "scale.json").read_text("utf-8"))
    MEASURED.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    COEFFICIENTS.write_text(json.dumps(coefficients(document), indent=2) + "\n", "utf-8")
    measured.cache_clear()
    draw(document, DOCS / "pictures")
    (DOCS / "scale.md").write_text(page(document), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
