"""Draw the pictures of `figures.md` again, of generated images by a running system: part of `make docs-pictures`.

`python docs/figure_pictures.py [FOLDER]` runs a service and an explainer in a temporary home and has it draw.
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

from xmirad.client import Client, OcclusionMethod
from xmirad.datasets.reading import read_dataset
from xmirad.evaluation.options import Silence
from xmirad.figures.drawing import draw_figures
from xmirad.figures.index import DrawnFigure
from xmirad.figures.options import FiguresOptions
from xmirad.phantoms.writing import write_phantoms
from xmirad.settings_sources import load_settings
from xmirad.supervisor.connection import PrivateUse, private_service
from xmirad.types import WorkerKind

WIDTH = 1000
IMAGES_PER_CLASS, SEED = 20, 0
OPTIONS = FiguresOptions(
    only=("tsne", "grid-activation", "control-activation", "sanity"),
    control="efficientnet-lite0-random-seed0",
    occlusion=OcclusionMethod(window=56, stride=28),
    pairs_per_class=2,
    thumbnails=True,
)


def main() -> None:
    """Draw the pictures."""
    pictures = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent) / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="xmirad-figures-") as scratch:
        folder = Path(scratch)
        write_phantoms(folder / "phantoms", images_per_class=IMAGES_PER_CLASS, seed=SEED)
        settings = load_settings({"home": folder / "home", "models_dir": load_settings({}).models_dir})
        use = PrivateUse(workers=(WorkerKind.EXPLAINER,), is_asked_for=True)
        with (
            private_service(settings, notify=print, use=use) as connection,
            Client(connection.address, credentials=connection.credentials) as client,
        ):
            dataset = read_dataset(folder / "phantoms")
            for outcome in draw_figures(client, dataset, folder / "out", options=OPTIONS, progress=Silence()):
                if not isinstance(outcome, DrawnFigure):
                    raise SystemExit(f"{outcome.name}: {outcome.message}")
                if outcome.details.get("failed"):
                    raise SystemExit(f"{outcome.name}: {outcome.details['failed']}")
                print(f"{outcome.name}: {outcome.caption}")
                write_small(folder / "out" / outcome.file, pictures / f"figure-{outcome.name}.png")


def write_small(large: Path, small: Path) -> None:
    """Write a picture as wide as a page shows it."""
    with Image.open(large) as opened:
        width = min(WIDTH, opened.width)
        resized = opened.convert("RGB").resize((width, round(opened.height * width / opened.width)))
        resized.quantize(256, method=Image.Quantize.MEDIANCUT).save(small, optimize=True)


if __name__ == "__main__":
    main()
