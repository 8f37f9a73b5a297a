"""The libraries that drawing needs; they are no part of the base install."""

from importlib.util import find_spec

from xmirad.errors import InvalidRequestError
from xmirad.figures.catalog import TSNE

PLOTTING, LEARNING = "matplotlib", "sklearn"


def require_libraries(names: tuple[str, ...]) -> None:
    """Check that figures of these names can be drawn.

    Raises:
        InvalidRequestError: If a library is not installed.
    """
    needed = (PLOTTING, LEARNING) if TSNE in names else (PLOTTING,)
    for library in needed:
        if find_spec(library) is None:
            message = f"drawing figures needs {library}: install xmirad[lab]"
            raise InvalidRequestError(message, metadata={"package": library, "extra": "lab"})
