"""When the certificates expire that the settings name."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path

from cryptography import x509

from xmirad.doctor.findings import Finding, failed, ok, warning
from xmirad.regular_files import read_text_file
from xmirad.settings import Settings
from xmirad.settings_sources import effective

ENDINGS = ("ca_file", "certificate_file")
"""How the settings end whose files hold certificates."""
NOTICE = timedelta(days=30)


def check_certificates(settings: Settings, *, now: datetime | None = None) -> Iterator[Finding]:
    """Yield what expires within 30 days or has expired; files that cannot be read are told with the settings.

    Args:
        settings: Settings.
        now: The time to compare with, in UTC; None: the present.
    """
    names = [entry.name for entry in effective(settings) if entry.name.endswith(ENDINGS) and entry.value]
    ends = {name: end for name in names if (end := _first_end(_path(settings, name))) is not None}
    at = now or datetime.now(UTC)
    late = {name: end for name, end in ends.items() if end <= at + NOTICE}
    for name, end in late.items():
        remedy = f"have it renewed, put it at {_path(settings, name)}, and start the processes that read it again"
        if end <= at:
            yield failed("certificates", f"{name} expired at {end:%Y-%m-%d %H:%M UTC}", remedy)
        else:
            found = f"{name} expires at {end:%Y-%m-%d %H:%M UTC}, in {(end - at).days} days"
            yield warning("certificates", found, remedy)
    if ends and not late:
        first = min(ends, key=lambda name: ends[name])
        yield ok("certificates", f"the first to expire is {first}, at {ends[first]:%Y-%m-%d}")


def _path(settings: Settings, name: str) -> Path:
    return Path(str(reduce(getattr, name.split("."), settings)))


def _first_end(path: Path) -> datetime | None:
    """Return when the first certificate of a PEM file expires, in UTC; None if the file holds none."""
    try:
        text = read_text_file(path, field="path", encoding="ascii")
        found = x509.load_pem_x509_certificates(text.encode())
    except (OSError, ValueError):
        return None
    return min(certificate.not_valid_after_utc for certificate in found)
