"""Conditions on items, as one small tree that every store translates."""

from dataclasses import dataclass
from enum import StrEnum


class PayloadField(StrEnum):
    """The fields kept beside an embedding, by the names they are stored under: an allow-list, nothing else is kept."""

    SITE = "site"
    PATIENT = "patient"
    PATIENT_KNOWN = "patient_known"
    IMAGE_DIGEST = "image_digest"
    LABELS = "labels"
    DATASET = "dataset"
    SPLIT = "split"
    SOURCE = "source"
    MODALITY = "modality"
    BODY_PART = "body_part"
    VIEW_POSITION = "view_position"
    YEAR = "year"
    SEX = "sex"
    AGE_BAND = "age_band"
    SYNTHETIC = "synthetic"


INTEGER_FIELDS = frozenset({PayloadField.YEAR, PayloadField.AGE_BAND})
BOOLEAN_FIELDS = frozenset({PayloadField.PATIENT_KNOWN, PayloadField.SYNTHETIC})
KEYWORD_FIELDS = frozenset(PayloadField) - INTEGER_FIELDS - BOOLEAN_FIELDS


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True for items that have any of the values in a keyword field; no values, no items."""

    field: PayloadField
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse fields that are not compared by value."""
        if self.field not in KEYWORD_FIELDS:
            raise ValueError(f"{self.field} is no keyword field")


@dataclass(frozen=True, slots=True)
class Between:
    """True for items whose integer field lies between `first` and `last`, both included; None is an open end."""

    field: PayloadField
    first: int | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        """Refuse fields that have no order."""
        if self.field not in INTEGER_FIELDS:
            raise ValueError(f"{self.field} is no integer field")


@dataclass(frozen=True, slots=True)
class ItemIs:
    """True for the items of these ids (UUIDs in canonical text)."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True where the condition is not."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class All:
    """True where every condition is; no conditions, every item."""

    conditions: tuple["Condition", ...]


Condition = AnyOf | Between | ItemIs | Not | All
