"""Filters over the samples, each with the same question in Python."""

from collections.abc import Callable

from support.sample_items import Sample
from xmirad.types import IntRange, ItemFilter, Sex

FILTERS: dict[str, tuple[ItemFilter, Callable[[Sample], bool]]] = {
    "labels": (ItemFilter(labels=("covid",)), lambda s: "covid" in s.attributes.labels),
    "two labels": (
        ItemFilter(labels=("covid", "checked")),
        lambda s: bool({"covid", "checked"} & set(s.attributes.labels)),
    ),
    "modalities": (ItemFilter(modalities=("CR",)), lambda s: s.attributes.modality == "CR"),
    "body parts": (ItemFilter(body_parts=("HAND",)), lambda s: s.attributes.body_part == "HAND"),
    "view positions": (ItemFilter(view_positions=("AP",)), lambda s: s.attributes.view_position == "AP"),
    "splits": (ItemFilter(splits=("test",)), lambda s: s.attributes.split == "test"),
    "data sets": (ItemFilter(datasets=("set-1",)), lambda s: s.attributes.dataset == "set-1"),
    "sources": (
        ItemFilter(sources=("source-1", "source-4")),
        lambda s: s.attributes.source in {"source-1", "source-4"},
    ),
    "sexes": (ItemFilter(sexes=(Sex.FEMALE, Sex.OTHER)), lambda s: s.attributes.sex in {Sex.FEMALE, Sex.OTHER}),
    "years": (ItemFilter(years=IntRange(2003, 2010)), lambda s: 2003 <= (s.attributes.year or 0) <= 2010),
    "years from": (ItemFilter(years=IntRange(first=2015)), lambda s: (s.attributes.year or 0) >= 2015),
    "years until": (ItemFilter(years=IntRange(last=2005)), lambda s: (s.attributes.year or 9999) <= 2005),
    "age bands": (ItemFilter(age_bands=IntRange(20, 40)), lambda s: s.attributes.age_band in {20, 30, 40}),
    "several": (
        ItemFilter(labels=("normal", "covid"), splits=("train",), modalities=("DX",)),
        lambda s: (
            bool({"normal", "covid"} & set(s.attributes.labels))
            and s.attributes.split == "train"
            and s.attributes.modality == "DX"
        ),
    ),
}
