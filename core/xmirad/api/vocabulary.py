"""Closed sets of words that only the contract has; the others are in `xmirad.types`."""

from enum import StrEnum


class ItemView(StrEnum):
    """How much of an item is returned."""

    BASIC = "basic"
    FULL = "full"
    EMBEDDING = "embedding"


class SearchView(StrEnum):
    """How much of a result is returned."""

    RANKING = "ranking"
    BASIC = "basic"
    FULL = "full"


class QueryItemExclusion(StrEnum):
    """How the query's own item was recognized."""

    NONE = "none"
    NAME = "name"
    CONTENT = "content"


class ExplanationPriority(StrEnum):
    """Who waits for an explanation."""

    INTERACTIVE = "interactive"
    BACKGROUND = "background"


class MapQuality(StrEnum):
    """Whether a map is final."""

    APPROXIMATE = "approximate"
    EXACT = "exact"
