"""Filter options of the commands, and the filter they make."""

from typing import Annotated

import typer

from xmirad.errors import InvalidRequestError
from xmirad.types import IntRange, ItemFilter, Sex

Labels = Annotated[list[str] | None, typer.Option("--filter-label", help="Only items with this label; repeatable.")]
Datasets = Annotated[
    list[str] | None, typer.Option("--filter-dataset", help="Only items of this data set; repeatable.")
]
Splits = Annotated[list[str] | None, typer.Option("--filter-split", help="Only items of this split; repeatable.")]
Sources = Annotated[list[str] | None, typer.Option("--filter-source", help="Only items from this source; repeatable.")]
Modalities = Annotated[list[str] | None, typer.Option("--filter-modality", help="Only this modality; repeatable.")]
BodyParts = Annotated[list[str] | None, typer.Option("--filter-body-part", help="Only this body part; repeatable.")]
Views = Annotated[list[str] | None, typer.Option("--filter-view-position", help="Only this view; repeatable.")]
Sexes = Annotated[list[Sex] | None, typer.Option("--filter-sex", help="Only patients of this sex; repeatable.")]
Years = Annotated[str, typer.Option("--filter-years", help="Only these years, such as 2015-2020, 2015- or -2020.")]
AgeBands = Annotated[str, typer.Option("--filter-ages", help="Only these ages in ten-year bands, such as 40-60.")]


def item_filter(
    *,
    labels: list[str] | None = None,
    datasets: list[str] | None = None,
    splits: list[str] | None = None,
    sources: list[str] | None = None,
    modalities: list[str] | None = None,
    body_parts: list[str] | None = None,
    view_positions: list[str] | None = None,
    sexes: list[Sex] | None = None,
    years: str = "",
    age_bands: str = "",
) -> ItemFilter:
    """Return the filter that the options ask for.

    Raises:
        InvalidRequestError: If a range is none.
    """
    return ItemFilter(
        labels=tuple(labels or ()),
        datasets=tuple(datasets or ()),
        splits=tuple(splits or ()),
        sources=tuple(sources or ()),
        modalities=tuple(modalities or ()),
        body_parts=tuple(body_parts or ()),
        view_positions=tuple(view_positions or ()),
        sexes=tuple(sexes or ()),
        years=_range(years, field="filter.years"),
        age_bands=_range(age_bands, field="filter.age_bands"),
    )


def _range(text: str, *, field: str) -> IntRange | None:
    if not text:
        return None
    first, dash, last = text.partition("-")
    if not dash:
        last = first
    if not (first + last).isdecimal():
        raise InvalidRequestError(f"{text!r} is not a range such as 2015-2020, 2015- or -2020", field=field)
    return IntRange(int(first) if first else None, int(last) if last else None)
