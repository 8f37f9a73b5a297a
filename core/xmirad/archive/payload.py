"""An item's payload as the flat dictionary that a store keeps, by the allow-list of `PayloadField`."""

from collections.abc import Mapping
from typing import Any

from xmirad.archive.conditions import PayloadField
from xmirad.archive.port import ItemPayload, StoredItem
from xmirad.errors import EmbeddingCorruptError
from xmirad.types import ItemAttributes, Sex

FlatPayload = dict[str, Any]
REVISION = "rev"
"""Not a field of `PayloadField`: nobody searches by it."""


def to_flat(payload: ItemPayload) -> FlatPayload:
    """Return what a store keeps: unset attributes are left out."""
    attributes = payload.attributes
    always: dict[PayloadField, Any] = {
        PayloadField.SITE: payload.site,
        PayloadField.IMAGE_DIGEST: payload.image_digest,
        PayloadField.PATIENT: payload.patient,
        PayloadField.PATIENT_KNOWN: payload.patient_known,
        PayloadField.SYNTHETIC: attributes.synthetic,
    }
    if_set: dict[PayloadField, Any] = {
        PayloadField.LABELS: list(attributes.labels) or None,
        PayloadField.DATASET: attributes.dataset or None,
        PayloadField.SPLIT: attributes.split or None,
        PayloadField.SOURCE: attributes.source or None,
        PayloadField.MODALITY: attributes.modality or None,
        PayloadField.BODY_PART: attributes.body_part or None,
        PayloadField.VIEW_POSITION: attributes.view_position or None,
        PayloadField.YEAR: attributes.year,
        PayloadField.SEX: attributes.sex and attributes.sex.value,
        PayloadField.AGE_BAND: attributes.age_band,
    }
    flat = {field.value: value for field, value in always.items()}
    flat.update((field.value, value) for field, value in if_set.items() if value is not None)
    return flat


def flat_item(item: StoredItem) -> FlatPayload:
    """Return what a store keeps beside an item's embedding."""
    return to_flat(item.payload) | {REVISION: item.revision}


def revision_of(flat: Mapping[str, Any] | None) -> int:
    """Return the revision of an item from what a store kept; -1, which no item has, if it does not say."""
    revision = (flat or {}).get(REVISION)
    return revision if isinstance(revision, int) else -1


def from_flat(item: str, flat: Mapping[str, Any] | None) -> ItemPayload:
    """Return the payload of an item from what a store kept.

    Raises:
        EmbeddingCorruptError: If a field that every item has is missing, or a value is not allowed.
    """
    try:
        return _payload(flat or {})
    except (KeyError, ValueError) as error:
        raise EmbeddingCorruptError("a stored item is incomplete", metadata={"item": item}) from error


def facet_text(value: str | int | bool) -> str:
    """Return a facet's value as text; booleans are `true` and `false`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _payload(flat: Mapping[str, Any]) -> ItemPayload:
    sex = flat.get(PayloadField.SEX)
    attributes = ItemAttributes(
        labels=tuple(flat.get(PayloadField.LABELS, ())),
        dataset=flat.get(PayloadField.DATASET, ""),
        split=flat.get(PayloadField.SPLIT, ""),
        source=flat.get(PayloadField.SOURCE, ""),
        modality=flat.get(PayloadField.MODALITY, ""),
        body_part=flat.get(PayloadField.BODY_PART, ""),
        view_position=flat.get(PayloadField.VIEW_POSITION, ""),
        year=flat.get(PayloadField.YEAR),
        sex=None if sex is None else Sex(sex),
        age_band=flat.get(PayloadField.AGE_BAND),
        synthetic=flat.get(PayloadField.SYNTHETIC, False),
    )
    return ItemPayload(
        site=flat[PayloadField.SITE],
        image_digest=flat[PayloadField.IMAGE_DIGEST],
        attributes=attributes,
        patient=flat[PayloadField.PATIENT],
        patient_known=flat[PayloadField.PATIENT_KNOWN],
    )
