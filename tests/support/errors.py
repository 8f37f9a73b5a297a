"""Every error class of the library, and an example of each."""

from collections.abc import Iterator

from xmirad.errors import XmiradError


def concrete_errors() -> list[type[XmiradError]]:
    """Return every error class of `xmirad.errors` that has a reason of its own, by name."""
    own = (error for error in _subclasses(XmiradError) if error.__module__ == "xmirad.errors")
    return sorted((error for error in own if hasattr(error, "reason")), key=lambda error: error.__name__)


def example_of(error: type[XmiradError]) -> XmiradError:
    """Return an error that uses everything an error can carry."""
    return error(
        f"{error.__name__} happened to Zoë: 100 % of it",
        field="filter.years.first",
        metadata={"archive": "covidx", "item": "i", "model": "m", "limit": "10"},
        retry_delay_seconds=1.25,
    )


def _subclasses(error: type[XmiradError]) -> Iterator[type[XmiradError]]:
    for subclass in error.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
