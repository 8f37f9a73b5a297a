"""The catalog, and what it says of archives: their site key and their models."""

from collections.abc import Iterator, Sequence

from xmirad.catalog.records import ArchiveRecord
from xmirad.composition import catalog, model_registry
from xmirad.doctor.findings import Finding, failed, ok, skipped
from xmirad.errors import BackendUnavailableError, InvalidRequestError, RecordCorruptError, SiteKeyMismatchError
from xmirad.evaluation.uploading import is_evaluation_archive
from xmirad.ids import SiteKey
from xmirad.settings import Settings
from xmirad.site_key import present_site_key

PUT_BACK = "put the key back from your copy, or set site_key_file to it: patients are matched by that key alone"
MAKE = "for a new site make a key: `head -c 32 /dev/urandom > FILE`, keep a copy, and set site_key_file to it"


REMEDIES = {
    "DAMAGED": "put the catalog back from your backup",
    "NOT_A_CATALOG": "correct catalog.url, or put the catalog back from your backup",
    "OTHER_REVISION": "install the version of X-MIRAD that the catalog is of",
    "READ_ONLY": "let the user of the service write the catalog's file and its folder",
    "NOT_READABLE": "let the user of the service read and write the catalog's file and its folder",
    "DISK_FULL": "make room on the catalog's disk",
    "CREDENTIALS_REFUSED": "correct user and password: catalog.url and catalog.password_file",
    "UNREACHABLE": "start the PostgreSQL server, or correct catalog.url",
    "LOCKED": "find what keeps it locked: another process of this home, or a tool that has the file open",
}
CORRECT = "correct catalog.url; `xmirad config show` lists the settings"


def archive_records(settings: Settings) -> tuple[Sequence[ArchiveRecord], Sequence[RecordCorruptError]]:
    """Return the records of all archives and what is wrong with others; a missing catalog holds none, and is not made.

    Raises:
        BackendUnavailableError: If the catalog cannot be read.
        InvalidRequestError: If its settings cannot be used.
    """
    present, errors = catalog(settings), list[RecordCorruptError]()
    try:
        if present.database.is_missing():
            return [], []
        return present.archives(on_corrupt=errors.append), errors
    finally:
        present.database.close()


def check_catalog(settings: Settings) -> Iterator[Finding]:
    """Yield whether the catalog can be read and is of this version."""
    try:
        database = catalog(settings).database
        if database.is_missing():
            yield ok("catalog", f"{database.description}: there is none yet; the first start makes it")
            return
        records, _ = archive_records(settings)
    except BackendUnavailableError as error:
        yield failed("catalog", error.message, REMEDIES.get(error.metadata.get("cause", ""), CORRECT))
    except InvalidRequestError as error:
        yield failed("catalog", error.message, f"correct {error.field}")
    else:
        yield ok("catalog", f"{database.description}, of this version's revision; {len(records)} archives")


def check_archives(settings: Settings) -> Iterator[Finding]:
    """Yield whether site key and models are those that the archives were made with."""
    try:
        records, errors = archive_records(settings)
    except (BackendUnavailableError, InvalidRequestError):
        yield skipped("archives", "the catalog cannot be read: see `catalog`")
        return
    for error in errors:
        yield failed(f"archive {error.metadata['archive']}", error.message, REMEDIES["DAMAGED"])
    yield _site_key(settings, records)
    # Archives that evaluations have filled for themselves are made again when they are needed.
    yield from _models(settings, [record for record in records if not is_evaluation_archive(record.archive)])


def _site_key(settings: Settings, records: Sequence[ArchiveRecord]) -> Finding:
    try:
        key = present_site_key(settings)
    except SiteKeyMismatchError as error:
        return failed("site key", error.message, PUT_BACK if records else MAKE)
    if key is None:
        return ok("site key", "there is none yet; the first start makes it")
    return _compared(key, records)


def _compared(key: SiteKey, records: Sequence[ArchiveRecord]) -> Finding:
    others = [record.archive for record in records if record.site_key_fingerprint != key.fingerprint]
    if others:
        found = f"these archives were made with another key than {key.fingerprint}: {', '.join(others)}"
        return failed("site key", found, PUT_BACK)
    those = f"that of all {len(records)} archives" if records else "and there are no archives yet"
    return ok("site key", f"{key.fingerprint}, {those}")


def _models(settings: Settings, records: Sequence[ArchiveRecord]) -> Iterator[Finding]:
    present = {artifact.digest for artifact in model_registry(settings).list()}
    missing = [record for record in records if record.model not in present]
    for record in missing:
        found = f"its model {record.model[:12]} is not in {settings.models_dir}"
        remedy = "put that model's folder back, or build the same one again: `xmirad models build`"
        yield failed(f"archive {record.archive}", found, remedy)
    if records and not missing:
        yield ok("archives", f"{len(records)}, with their models in {settings.models_dir}")
