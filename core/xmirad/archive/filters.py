"""From the filter of a request to the condition on items, always within one site."""

from uuid import UUID

from xmirad.archive.conditions import All, AnyOf, Between, Condition, ItemIs, Not, PayloadField
from xmirad.archive.port import ReadableArchive
from xmirad.errors import InvalidRequestError
from xmirad.types import IntRange, ItemFilter

SHOWN_VALUES = 20
"""How many known values an error lists."""

VALUE_FIELDS = {
    "labels": PayloadField.LABELS,
    "modalities": PayloadField.MODALITY,
    "body_parts": PayloadField.BODY_PART,
    "view_positions": PayloadField.VIEW_POSITION,
    "splits": PayloadField.SPLIT,
    "datasets": PayloadField.DATASET,
    "sources": PayloadField.SOURCE,
    "sexes": PayloadField.SEX,
}
"""The payload field behind every field of a filter that lists values."""

RANGE_FIELDS = {"years": PayloadField.YEAR, "age_bands": PayloadField.AGE_BAND}
"""The payload field behind every field of a filter that is a range."""


def of_site(site: str) -> Condition:
    """Return the condition that every query, count and list of a tenant carries."""
    return AnyOf(PayloadField.SITE, (site,))


def conditions_of(item_filter: ItemFilter, *, site: str) -> Condition:
    """Return what a filter asks for within a site: AND between fields, OR within one, empty fields nothing.

    `excluded_items` are ids of items.

    Raises:
        InvalidRequestError: If a range is reversed or an excluded item's id is no UUID.
    """
    conditions = [of_site(site)]
    for name, field in VALUE_FIELDS.items():
        if values := _values(item_filter, name):
            conditions.append(AnyOf(field, values))
    for name, field in RANGE_FIELDS.items():
        asked: IntRange | None = getattr(item_filter, name)
        if asked is not None:
            conditions.append(_between(field, asked, name))
    if item_filter.excluded_items:
        conditions.append(Not(ItemIs(tuple(_item(item) for item in item_filter.excluded_items))))
    return All(tuple(conditions))


def unknown_values(archive: ReadableArchive, item_filter: ItemFilter, *, site: str) -> None:
    """Refuse values that no item of the site has, so that a misspelling does not look like an empty archive.

    An archive that holds nothing of the site passes: it is empty, and no value could be right. Costs one count for
    every value that is asked for, and a facet where one is unknown.

    Raises:
        InvalidRequestError: If a value is unknown. Names the field, the value and the known ones.
    """
    for name, field in VALUE_FIELDS.items():
        for value in _values(item_filter, name):
            if archive.count(All((of_site(site), AnyOf(field, (value,))))) == 0:
                _refuse(archive, name, value, site=site)


def _refuse(archive: ReadableArchive, name: str, value: str, *, site: str) -> None:
    if archive.count(of_site(site)) == 0:
        return
    counts = archive.facet(VALUE_FIELDS[name], where=of_site(site))
    frequent = sorted(counts, key=lambda known: (-counts[known], known))
    shown = ", ".join(frequent[:SHOWN_VALUES]) or "none"
    more = f" and {len(frequent) - SHOWN_VALUES} more" if len(frequent) > SHOWN_VALUES else ""
    field = f"filter.{name}"
    message = f"{field}: no item has {value!r}; known values are {shown}{more}"
    metadata = {"value": value, "known_values": shown + more}
    raise InvalidRequestError(message, field=field, metadata=metadata)


def _values(item_filter: ItemFilter, name: str) -> tuple[str, ...]:
    values: tuple[str, ...] = getattr(item_filter, name)
    return tuple(str(value) for value in values)


def _between(field: PayloadField, asked: IntRange, name: str) -> Between:
    if asked.first is not None and asked.last is not None and asked.first > asked.last:
        message = f"filter.{name}.first must not be greater than filter.{name}.last"
        raise InvalidRequestError(message, field=f"filter.{name}.first", metadata={"last": str(asked.last)})
    return Between(field, asked.first, asked.last)


def _item(item: str) -> str:
    try:
        return str(UUID(item))
    except ValueError as error:
        raise InvalidRequestError("filter.excluded_items must be items", field="filter.excluded_items") from error
