"""A page of a figure, measured in inches from its upper left corner, and how it becomes files.

Equal inputs give equal bytes: no dates, fixed identifiers, and the font that comes with matplotlib.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xmirad.figures.index import replace_file
from xmirad.figures.palette import INK, ClassStyle
from xmirad.types import UInt8Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PRINT_DPI = 300
ONE_COLUMN, TWO_COLUMNS = 3.5, 7.0
"""Widths of a column and of a page of a journal, in inches."""
SMALL, NORMAL, LARGE = 6.5, 7.5, 9.0
"""Font sizes in points."""
BORDER = 2.0
"""Width of a border in points."""
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": NORMAL,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "path.simplify": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "xmirad",
    "text.parse_math": False,  # a label may hold dollars
    "image.composite_image": False,
}


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle on a page, in inches."""

    left: float
    top: float
    width: float
    height: float


class Canvas:
    """A white page."""

    def __init__(self, width: float, height: float) -> None:
        """Begin an empty page of so many inches."""
        from matplotlib.figure import Figure

        self.width = width
        self.height = height
        self._figure: Figure = Figure(figsize=(width, height), facecolor="white")
        self._page = self._figure.add_axes((0, 0, 1, 1))
        self._page.set_axis_off()
        self._page.set_xlim(0, width)
        self._page.set_ylim(height, 0)
        self._page.set_autoscale_on(False)

    def axes(self, left: float, top: float, width: float, height: float) -> "Axes":
        """Return axes of their own on a part of the page."""
        bottom = self.height - top - height
        return self._figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height)
        )

    def text(self, left: float, top: float, text: str, **style: Any) -> None:  # noqa: ANN401 - matplotlib's own
        """Write at a place; by default its upper left corner is there."""
        placed: dict[str, Any] = {"ha": "left", "va": "top", "size": NORMAL} | style
        self._page.text(left, top, text, **placed)

    def image(self, place: Place, picture: UInt8Array, color: str, *, width: float = BORDER) -> None:
        """Show a picture, uint8 RGB, within a border of so many points."""
        extent = (place.left, place.left + place.width, place.top + place.height, place.top)
        self._page.imshow(picture, extent=extent, interpolation="none", aspect="auto")
        self.box(place, "none", border=color, width=width)

    def box(self, place: Place, color: str, *, border: str = "none", width: float = BORDER) -> None:
        """Fill a rectangle, and put a border of so many points around it."""
        from matplotlib.patches import Rectangle

        corner = (place.left, place.top)
        self._page.add_patch(
            Rectangle(
                corner, place.width, place.height, facecolor=color, edgecolor=border, linewidth=width, joinstyle="miter"
            )
        )

    def mark(self, left: float, top: float, style: ClassStyle) -> None:
        """Draw the mark of a class; a white one gets a border."""
        border = INK if style.color == "white" else "none"
        size = 30 if style.mark == "*" else 16
        self._page.scatter([left], [top], s=size, c=style.color, marker=style.mark, edgecolors=border, linewidths=0.7)

    def save(self, folder: Path, name: str) -> str:
        """Write the page as SVG and as PNG of 300 dots an inch, and return the name of the PNG."""
        metadata: dict[str, dict[str, Any]] = {"svg": {"Date": None, "Creator": "X-MIRAD"}, "png": {"Software": None}}
        for kind, described in metadata.items():
            buffer = BytesIO()
            self._figure.savefig(buffer, format=kind, dpi=PRINT_DPI, metadata=described)
            replace_file(folder / f"{name}.{kind}", buffer.getvalue())
        return f"{name}.png"


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw in the figures' style for the length of the block."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        yield


def shortened(text: str, characters: int) -> str:
    """Return a text of at most so many characters; of a longer one, its beginning and its end."""
    if len(text) <= characters:
        return text
    head = (characters - 1) // 2
    return f"{text[:head]}\u2026{text[len(text) - (characters - 1 - head) :]}"
