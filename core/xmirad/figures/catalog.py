"""The figures that there are, by name, and which of them are wanted."""

from collections.abc import Iterable

from xmirad.errors import InvalidRequestError
from xmirad.types import MethodName

TSNE, GRID, CONTROL, SANITY = "tsne", "grid", "control", "sanity"
KINDS = (TSNE, GRID, CONTROL, SANITY)
METHODS = (MethodName.OCCLUSION, MethodName.ATTENTION, MethodName.ACTIVATION)


def grid_name(kind: str, method: MethodName) -> str:
    """Return the name of a grid: `grid-occlusion`, `control-attention`."""
    return f"{kind}-{method}"


NAMES = (TSNE, *(grid_name(kind, method) for kind in (GRID, CONTROL) for method in METHODS), SANITY)
"""Every figure, in the order of the list."""


def kind_of(name: str) -> str:
    """Return the kind of a figure."""
    return name.partition("-")[0]


def wanted(only: Iterable[str], *, has_control: bool) -> tuple[str, ...]:
    """Return the figures to draw, in their order.

    Args:
        only: Names of figures or of kinds of figures; none: all that need no control, or all if there is one.
        has_control: Whether a model of random weights is named.

    Raises:
        InvalidRequestError: If there is no such figure, or one is asked for by name that needs a control.
    """
    asked = {name.strip() for name in only} - {""}
    unknown = sorted(asked - {*NAMES, *KINDS})
    if unknown:
        allowed = ", ".join(dict.fromkeys((*KINDS, *NAMES)))
        message = f"there is no figure {unknown[0]!r}; there are {allowed}"
        raise InvalidRequestError(message, field="only", metadata={"value": unknown[0], "allowed": allowed})
    if not asked:
        return tuple(name for name in NAMES if has_control or not needs_control(name))
    names = tuple(name for name in NAMES if asked & {name, kind_of(name)})
    lacking = [name for name in names if needs_control(name)]
    if lacking and not has_control:
        message = f"{lacking[0]} needs a model of random weights: name one with --control"
        raise InvalidRequestError(message, field="control", metadata={"figure": lacking[0]})
    return names


def needs_control(name: str) -> bool:
    """Return whether a figure shows a model of random weights."""
    return kind_of(name) in (CONTROL, SANITY)


def needs_maps(name: str) -> bool:
    """Return whether a figure shows maps."""
    return kind_of(name) != TSNE
