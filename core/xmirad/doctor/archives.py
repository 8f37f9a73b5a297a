"""The records of archives in the blob store, which is the truth: their site key and their models."""

from collections.abc import Iterator, Sequence

from xmirad.catalog.catalog import Catalog
from xmirad.catalog.records import ArchiveRecord, RecordCorruptError
from xmirad.composition import blob_store, model_registry
from xmirad.doctor.findings import Finding, failed, ok
from xmirad.errors import SiteKeyMismatchError
from xmirad.evaluation.uploading import is_evaluation_archive
from xmirad.ids import SiteKey
from xmirad.settings import Settings
from xmirad.site_key import present_site_key

PUT_BACK = "put the key back from your copy, or set site_key_file to it: patients are matched by that key alone"
MAKE = "for a new site make a key: `head -c 32 /dev/urandom > FILE`, keep a copy, and set site_key_file to it"


def archive_records(settings: Settings) -> Sequence[ArchiveRecord]:
    """Return the records of all archives; a folder that is not there yet holds none, and is not made.

    Raises:
        BackendUnavailableError: If the blob store cannot be read.
        RecordCorruptError: If a record is none.
    """
    folder = settings.blobs_folder
    if folder is not None and not folder.is_dir():
        return []
    return Catalog(blob_store(settings)).archives()


def check_archives(settings: Settings) -> Iterator[Finding]:
    """Yield whether site key and models are those that the archives were made with."""
    try:
        records = archive_records(settings)
    except RecordCorruptError:
        remedy = "put the blobs below `archives/` back from your backup"
        yield failed("archives", "the record of an archive in the blob store cannot be read", remedy)
        return
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
