"""Conditions decided for one item at a time, where no store does it."""

from xmirad.archive.conditions import All, AnyOf, Between, Condition, ItemIs, Not, PayloadField
from xmirad.archive.payload import facet_text, to_flat
from xmirad.archive.port import ItemPayload


def matches(where: Condition, item: str, payload: ItemPayload) -> bool:
    """Return whether an item meets a condition, as it does in a store."""
    match where:
        case AnyOf(field, values):
            return bool(set(values) & set(values_of(payload, field)))
        case Between(field, first, last):
            value = to_flat(payload).get(field.value)
            return value is not None and (first is None or value >= first) and (last is None or value <= last)
        case ItemIs(items):
            return item in items
        case Not(condition):
            return not matches(condition, item, payload)
        case All(conditions):
            return all(matches(condition, item, payload) for condition in conditions)


def values_of(payload: ItemPayload, field: PayloadField) -> list[str]:
    """Return the values of a field as a facet has them; none where it is not set."""
    value = to_flat(payload).get(field.value, [])
    return [facet_text(each) for each in (value if isinstance(value, list) else [value])]
