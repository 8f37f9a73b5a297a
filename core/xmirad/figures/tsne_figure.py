"""Figures S1 and S2: the embeddings on a plane, with a star on the image nearest to each class's centroid."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xmirad.figures.canvas import LARGE, ONE_COLUMN, SMALL, Canvas, Place, shortened
from xmirad.figures.catalog import TSNE
from xmirad.figures.embeddings import Star, chosen_positions, class_silhouettes, embeddings_of, stars
from xmirad.figures.index import DrawnFigure, Number
from xmirad.figures.options import FiguresOptions
from xmirad.figures.palette import INK, PALE, ClassStyle, class_styles
from xmirad.figures.pictures import Pictures
from xmirad.figures.projecting import Projection, projected
from xmirad.figures.service import FiguresService
from xmirad.figures.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARGIN, _LEGEND_TOP, _ROW, _PLOT_HEIGHT = 0.06, 0.29, 0.155, 3.0
_MARK_WIDTH, _CHARACTER, _ENTRY_GAP = 0.15, 0.0535, 0.1
_THUMBNAIL, _THUMBNAIL_GAP, _TEXT_HEIGHT = 0.78, 0.14, 0.26
_STAR_SIZE = 170
UNLABELED = ""
_UNLABELED_STYLE = ClassStyle(PALE, "o")
_STAR_STYLE = ClassStyle("white", "*")


def draw_tsne(service: FiguresService, subject: Subject, options: FiguresOptions, folder: Path) -> DrawnFigure:
    """Draw the embeddings of a data set on a plane.

    Raises:
        InvalidRequestError: If there is too little to lay out.
        AccessDeniedError: If the caller may not see embeddings or, with thumbnails, images.
    """
    positions = chosen_positions(subject, max_points=options.max_points, seed=options.seed)
    embeddings = embeddings_of(service, subject, positions)
    projection = projected(embeddings, seed=options.seed)
    marked = stars(subject, positions, embeddings)
    pictures = Pictures(service) if options.thumbnails and marked else None
    canvas = _canvas(subject, positions, projection, marked, pictures)
    silhouettes = class_silhouettes(subject, positions, projection.distances)
    details = _details(subject, positions, marked)
    numbers = _numbers(subject, positions, projection, seed=options.seed)
    numbers |= {f"silhouette, {label}": value for label, value in silhouettes.items()}
    numbers |= {f"star, {star.label}": subject.file(star.position) for star in marked}
    return DrawnFigure(
        name=TSNE,
        title=f"t-SNE of the embeddings, {subject.run.dataset.name}",
        caption=_caption(subject, numbers, silhouettes, has_stars=bool(marked)),
        file=canvas.save(folder, TSNE),
        numbers=numbers,
        details=details,
    )


def _canvas(
    subject: Subject,
    positions: Sequence[int],
    projection: Projection,
    marked: Sequence[Star],
    pictures: Pictures | None,
) -> Canvas:
    styles = class_styles(subject.labels)
    rows = _rows(_entries(subject, positions, styles, has_stars=bool(marked)))
    top = _LEGEND_TOP + len(rows) * _ROW + 0.04
    beside = 0.0 if pictures is None else _THUMBNAIL + 2 * _THUMBNAIL_GAP
    stacked = 0.0 if pictures is None else len(marked) * (_THUMBNAIL + _TEXT_HEIGHT + _THUMBNAIL_GAP)
    plot = max(_PLOT_HEIGHT, stacked - _THUMBNAIL_GAP)
    canvas = Canvas(ONE_COLUMN + beside, top + plot + _MARGIN)
    canvas.text(_MARGIN, _MARGIN, subject.run.dataset.name, size=LARGE, weight="bold")
    canvas.text(ONE_COLUMN - _MARGIN, _MARGIN + 0.02, f"n = {len(positions)}", ha="right")
    _legend(canvas, rows)
    axes = canvas.axes(_MARGIN, top, ONE_COLUMN - 2 * _MARGIN, plot)
    _scatter(axes, subject, positions, projection, styles)
    _mark(axes, positions, projection, marked, styles)
    if pictures is not None:
        _thumbnails(canvas, subject, marked, styles, pictures, top=top)
    return canvas


def _entries(
    subject: Subject, positions: Sequence[int], styles: dict[str, ClassStyle], *, has_stars: bool
) -> list[tuple[str, ClassStyle]]:
    """Return what the legend names: every class that is shown, and the star."""
    shown = [_shown_label(subject, position) for position in positions]
    entries = [(f"{label} ({shown.count(label)})", style) for label, style in styles.items()]
    if UNLABELED in shown:
        entries.append((f"no label ({shown.count(UNLABELED)})", _UNLABELED_STYLE))
    return [*entries, ("nearest to the centroid", _STAR_STYLE)] if has_stars else entries


def _rows(entries: Sequence[tuple[str, ClassStyle]]) -> list[list[tuple[str, ClassStyle]]]:
    """Put as many entries into a row as the column is wide."""
    rows: list[list[tuple[str, ClassStyle]]] = [[]]
    left = 0.0
    for entry in entries:
        width = _width(entry[0])
        if left and left + width > ONE_COLUMN - _MARGIN:
            rows.append([])
            left = 0.0
        rows[-1].append(entry)
        left += width
    return rows


def _width(text: str) -> float:
    return _MARK_WIDTH + _CHARACTER * len(text) + _ENTRY_GAP


def _legend(canvas: Canvas, rows: Sequence[Sequence[tuple[str, ClassStyle]]]) -> None:
    for number, row in enumerate(rows):
        left, top = _MARGIN, _LEGEND_TOP + number * _ROW
        for text, style in row:
            canvas.mark(left + 0.06, top + 0.06, style)
            canvas.text(left + _MARK_WIDTH, top, text)
            left += _width(text)


def _shown_label(subject: Subject, position: int) -> str:
    """Return the class that an image is drawn as; of several, its first."""
    labels = subject.items[position].attributes.labels
    return labels[0] if labels else UNLABELED


def _scatter(
    axes: "Axes",
    subject: Subject,
    positions: Sequence[int],
    projection: Projection,
    styles: dict[str, ClassStyle],
) -> None:
    shown = np.array([_shown_label(subject, position) for position in positions])
    for label, style in {**styles, UNLABELED: _UNLABELED_STYLE}.items():
        x, y = projection.points[shown == label].T
        axes.scatter(x, y, s=13, c=style.color, marker=style.mark, alpha=0.8, linewidths=0)
    axes.margins(0.06)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_edgecolor(PALE)


def _mark(
    axes: "Axes",
    positions: Sequence[int],
    projection: Projection,
    marked: Sequence[Star],
    styles: dict[str, ClassStyle],
) -> None:
    rows = {position: row for row, position in enumerate(positions)}
    for each in marked:
        x, y = projection.points[rows[each.position]]
        color = styles[each.label].color
        axes.scatter(x, y, s=_STAR_SIZE, c=color, marker="*", edgecolors=INK, linewidths=0.8, zorder=5)


def _thumbnails(
    canvas: Canvas,
    subject: Subject,
    marked: Sequence[Star],
    styles: dict[str, ClassStyle],
    pictures: Pictures,
    *,
    top: float,
) -> None:
    left = ONE_COLUMN + _THUMBNAIL_GAP
    for number, star in enumerate(marked):
        above = top + number * (_THUMBNAIL + _TEXT_HEIGHT + _THUMBNAIL_GAP)
        picture = pictures.of(subject.archive.names[star.position])
        canvas.image(Place(left, above, _THUMBNAIL, _THUMBNAIL), picture, styles[star.label].color)
        below = above + _THUMBNAIL + 0.04
        canvas.text(left, below, f"\u2605 {shortened(star.label, 13)}", size=SMALL)
        canvas.text(left, below + 0.11, shortened(subject.file(star.position), 17), size=5.5, color=PALE)


def _numbers(subject: Subject, positions: Sequence[int], projection: Projection, *, seed: int) -> dict[str, Number]:
    return {
        "n": len(positions),
        "of": len(subject.items),
        "model": subject.run.model.display_name,
        "digest": subject.run.model.digest,
        "perplexity": projection.perplexity,
        "seed": seed,
        "neighbors": projection.neighbors,
        "trustworthiness": projection.trustworthiness,
    }


def _details(subject: Subject, positions: Sequence[int], marked: Sequence[Star]) -> dict[str, Any]:
    shown = set(positions)
    return {
        "classes": {label: len(shown.intersection(subject.members(label))) for label in subject.labels},
        "stars": {star.label: {"file": subject.file(star.position), "distance": star.distance} for star in marked},
    }


def _caption(subject: Subject, numbers: dict[str, Number], silhouettes: dict[str, float], *, has_stars: bool) -> str:
    some = "" if numbers["n"] == numbers["of"] else f", drawn from {numbers['of']}"
    lines = [
        f"Two-dimensional t-SNE of the embeddings of {subject.run.dataset.name} (n = {numbers['n']}{some}) by "
        f"{subject.model_words}; perplexity {numbers['perplexity']:.3g}, seed {numbers['seed']}.",
        "Every mark is an image; images whose marks lie together have similar embeddings, while the axes, the size of "
        "a group and the distance of far groups mean nothing.",
    ]
    if has_stars:
        lines.append("A star is on the image nearest to the centroid of its class in the space of the embeddings.")
    lines.append(
        f"Trustworthiness ({numbers['neighbors']} neighbors; 1: all that lie together belong together): "
        f"{numbers['trustworthiness']:.3f}."
    )
    if silhouettes:
        values = ", ".join(f"{name} {value:+.3f}" for name, value in silhouettes.items())
        lines.append(
            f"Silhouettes in the space of the embeddings (-1 to 1; above 0: nearer to its own class): {values}."
        )
    return " ".join(lines)
