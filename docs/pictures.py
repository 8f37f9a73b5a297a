"""Write `explanations.md` and its pictures again: `make docs-pictures`.

`python docs/pictures.py [FOLDER]` runs a service and an explainer in a temporary home, asks them why one generated
image was found for another by every method, and writes what they answer.
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from xmirad.client import ActivationMethod, AttentionMethod, Client, OcclusionMethod, Upload
from xmirad.client.explanation_types import Explanation, ExplanationMap, Method
from xmirad.phantoms.drawing import draw_phantom
from xmirad.saliency.geometry import Point, to_original
from xmirad.saliency.method import ExplainedImage
from xmirad.settings_sources import load_settings
from xmirad.supervisor.connection import PrivateUse, private_service
from xmirad.types import EncodedImage, WorkerKind

NOTICE = "<!-- Written by `make docs-pictures`. -->"
ARCHIVE = "phantoms"
SEED = 0
QUERY, RESULT, OTHER = ("nodules", 0), ("nodules", 3), ("haze", 1)


@dataclass(frozen=True, slots=True)
class Case:
    """One way to explain the pair.

    Attributes:
        name: Of its picture.
        title: What a reader sees.
        options: The options of `xmirad explain` that ask for it.
        method: The method.
        side: The image that the map lies on.
        by_itself: Whether the result is explained by itself.
        contrast: Whether it is told apart from another item.
    """

    name: str
    title: str
    options: str
    method: Method = field(default_factory=OcclusionMethod)
    side: ExplainedImage = ExplainedImage.RESULT
    by_itself: bool = False
    contrast: bool = False


def cases(point: Point) -> Iterator[Case]:
    """Yield every case; `point` is a place on the query."""
    on_query = ExplainedImage.QUERY
    yield Case("occlusion-result", "Occlusion, on the result", "(none)")
    yield Case("occlusion-query", "Occlusion, on the query", "--explained-image query", side=on_query)
    yield Case("occlusion-signed", "Occlusion, signed", "--signed", OcclusionMethod(signed=True))
    yield Case("occlusion-self", "The result by itself", "--self", by_itself=True)
    yield Case("contrast", "Why it, and not the other", "--contrast ITEM", side=on_query, contrast=True)
    yield Case("attention", "Attention", "--method attention", AttentionMethod())
    both = "--method activation --explained-image query"
    yield Case("activation-query", "Activation, on the query", both, ActivationMethod(), on_query)
    yield Case("activation-result", "Activation, on the result", "--method activation", ActivationMethod())
    where = f"--method activation --point {point.row:.0f},{point.column:.0f}"
    yield Case("activation-point", "What matches one point of the query", where, ActivationMethod(point=point))


def main() -> None:
    """Write page and pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="xmirad-pictures-") as scratch:
        models = load_settings({}).models_dir
        settings = load_settings({"home": Path(scratch) / "home", "models_dir": models})
        use = PrivateUse(workers=(WorkerKind.EXPLAINER,), is_asked_for=True)
        with (
            private_service(settings, notify=print, use=use) as connection,
            Client(connection.address, credentials=connection.credentials) as client,
        ):
            rows = list(explained(client, pictures))
    (folder / "explanations.md").write_text("\n".join(page(rows)) + "\n", encoding="utf-8")


def explained(client: Client, pictures: Path) -> Iterator[tuple[Case, ExplanationMap]]:
    """Yield every case with its map, and write its picture."""
    client.create_archive(ARCHIVE)
    result, other = (
        client.create_item(ARCHIVE, Upload(phantom(*which), external_id=f"synthetic-{which[0]}")).item
        for which in (RESULT, OTHER)
    )
    query = phantom(*QUERY)
    for name, image in (("query", query), ("result", phantom(*RESULT)), ("other", phantom(*OTHER))):
        (pictures / f"{name}.png").write_bytes(image.data)
    parts = client.create_explanation(
        query, result, method=ActivationMethod(), explained_image=ExplainedImage.QUERY
    ).maps[0]
    row, column = np.unravel_index(int(parts.values.argmax()), parts.values.shape)
    for case in cases(to_original(parts.geometry, Point(float(row), float(column)))):
        made = client.create_explanation(
            result if case.by_itself else query,
            result,
            method=case.method,
            explained_image=case.side,
            contrast_item=other if case.contrast else "",
        )
        final = settled(client, made)
        (pictures / f"{case.name}.png").write_bytes(final.overlay_png)
        yield case, final


def settled(client: Client, explanation: Explanation) -> ExplanationMap:
    """Wait for the exact map and its fidelity."""
    last = explanation
    for update in client.watch_explanation(explanation.name, include_overlay=True):
        last = update.explanation
    if last.error is not None:
        raise last.error
    return last.maps[0]


def phantom(finding: str, number: int) -> EncodedImage:
    """Return a generated image, PNG."""
    file = io.BytesIO()
    Image.fromarray(draw_phantom(finding, seed=SEED, number=number)).save(file, "PNG")
    return EncodedImage(file.getvalue(), "image/png")


def page(rows: list[tuple[Case, ExplanationMap]]) -> Iterator[str]:
    """Return the lines of the page."""
    yield from [NOTICE, "", "# Explanations by example", ""]
    yield "`xmirad explain QUERY RESULT --archive ARCHIVE [options] --overlay-only -o map.png` on two generated"
    yield "images (no patient, no disease), EfficientNet-Lite0 with ImageNet weights, 2,401 windows where there are"
    yield "any. Colors lie over the original: the stronger, the more a place matters; blue speaks against. How the maps"
    yield "are computed:"
    yield "[Saliency](architecture/09-saliency.md). Fidelity is insertion minus deletion area, beside the best of ten"
    yield "controls that know nothing of the image (nine random smooth fields, and its center): a map that is not"
    yield "above all of them, p = 0.09, should not be relied on."
    yield from ["", "| query | result | another item |", "|---|---|---|"]
    yield "| ![query](pictures/query.png) | ![result](pictures/result.png) | ![other item](pictures/other.png) |"
    yield from [
        "",
        "| | map | options | values mean | largest | fidelity, best control, p |",
        "|---|---|---|---|---|---|",
    ]
    for case, saliency in rows:
        fidelity = saliency.fidelity
        worth = "not computed"
        if fidelity:
            worth = f"{fidelity.fidelity:+.3f}, {max(fidelity.controls):+.3f}, {fidelity.p_value:.2f}"
        largest = float(np.abs(saliency.values).max())
        picture = f"![{case.title}](pictures/{case.name}.png)"
        yield f"| {case.title} | {picture} | `{case.options}` | {saliency.meaning} | {largest:.3g} | {worth} |"


if __name__ == "__main__":
    main()
