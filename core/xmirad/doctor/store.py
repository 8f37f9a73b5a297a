"""The vector store: that it answers, and that its archives are those of the catalog."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.metadata import version as package_version

from xmirad.addresses import is_loopback
from xmirad.archive.edge_inspection import inspect_folder
from xmirad.archive.inspection import DISTANCE, InspectedArchive
from xmirad.archive.qdrant_probe import server_version
from xmirad.catalog.records import ArchiveRecord
from xmirad.composition import qdrant_store, store_api_key, store_tls
from xmirad.doctor.archives import archive_records
from xmirad.doctor.findings import Finding, failed, ok, skipped, warning
from xmirad.doctor.parts import IMPORTING
from xmirad.errors import BackendUnavailableError, InternalError, InvalidRequestError, XmiradError
from xmirad.home import Home
from xmirad.settings import Settings, StoreKind, StoreSettings

PROBE_SECONDS = 1.5
ANSWER_SECONDS = 2.0
"""Whole seconds: the client knows no others."""
REMEDIES = {
    "CREDENTIALS_REFUSED": "write the server's API key into the file of store.api_key_file",
    "CERTIFICATE_REFUSED": "set store.ca_file to the certificates that sign the server's",
}
START = "start the Qdrant server, or correct store.url, which is its gRPC address"
NEAR_MINORS = 1


def check_store(settings: Settings) -> Iterator[Finding]:
    """Yield how the store is, and each archive in it."""
    if settings.store.kind is StoreKind.EDGE:
        folder = Home(settings.home).store
        found: Sequence[InspectedArchive] = inspect_folder(folder)
        yield ok("store", f"embedded in the service; {len(found)} archives in {folder}")
        yield from _compared(settings, found)
    else:
        yield from _server(settings)


def _server(settings: Settings) -> Iterator[Finding]:
    store = settings.store
    try:
        key, tls = store_api_key(store), store_tls(store)
        version = server_version(store.url, api_key=key, grpc_options=tls, timeout_seconds=PROBE_SECONDS)
        yield _version(store, version)
        yield from _encryption(store)
        yield from _compared(settings, _inspected(store))
    except InvalidRequestError as error:
        yield failed("store", error.message, f"correct {error.field}")
    except (BackendUnavailableError, InternalError) as error:
        yield failed("store", f"{error.message} ({store.url})", REMEDIES.get(error.metadata.get("cause", ""), START))


def _inspected(settings: StoreSettings) -> Sequence[InspectedArchive]:
    """Import Qdrant's client only now that there is a server to talk to."""
    with IMPORTING:
        import xmirad.archive.qdrant  # noqa: F401 - imported for `qdrant_store`, one import at a time
    with closing(qdrant_store(settings.model_copy(update={"timeout_seconds": ANSWER_SECONDS}))) as store:
        return store.inspect()


def _version(settings: StoreSettings, version: str) -> Finding:
    found = f"Qdrant {version} answers at {settings.url}"
    client = package_version("qdrant-client")
    (major, minor), (our_major, our_minor) = _numbers(version), _numbers(client)
    if major == our_major and abs(minor - our_minor) <= NEAR_MINORS:
        return ok("store", found)
    return warning("store", f"{found}; the client is made for {client}", "run a server of that minor version")


def _numbers(version: str) -> tuple[int, int]:
    major, minor, *_ = [*(int(part) if part.isdigit() else 0 for part in version.split(".")), 0, 0]
    return major, minor


def _encryption(settings: StoreSettings) -> Iterator[Finding]:
    has_key = settings.api_key is not None or settings.api_key_file is not None
    address = settings.url.partition("://")[2]
    if has_key and not settings.url.startswith("https://") and not is_loopback(address):
        yield warning("store", "the API key is sent without TLS", "give the server a certificate and use https://")


def _compared(settings: Settings, stored: Sequence[InspectedArchive]) -> Iterator[Finding]:
    try:
        found, errors = archive_records(settings)
    except XmiradError:
        yield skipped("store", "its archives are not compared with their records: see `catalog`")
        return
    records = {record.creation: record for record in found}
    corrupt = {error.metadata["archive"] for error in errors}  # `archives` tells of them
    present = {each.creation: each for each in stored if each.binding is None or each.binding.archive not in corrupt}
    for record in records.values():
        yield _archive(record, present.get(record.creation))
    for creation in sorted(present.keys() - records.keys()):
        binding = present[creation].binding
        name = f"archive {binding.archive if binding else creation}"
        found_it = "the vector store holds it, but the catalog has no record of it"
        remedy = "check catalog.url and the store's settings: they may belong to different systems"
        yield warning(name, found_it, remedy)


def _archive(record: ArchiveRecord, stored: InspectedArchive | None) -> Finding:
    name, rebuild = (
        f"archive {record.archive}",
        f"start the service, which makes it again, or run `xmirad archive rebuild {record.archive}`",
    )
    if stored is None:
        return failed(name, "the vector store does not hold it", rebuild)
    problem = _problem(record, stored)
    if problem:
        return failed(name, problem, rebuild)
    if stored.unindexed:
        return warning(name, f"these fields have no index: {', '.join(stored.unindexed)}", rebuild)
    return ok(name, f"{stored.embedding_size} values an embedding, by {stored.distance}, of its record's model")


def _problem(record: ArchiveRecord, stored: InspectedArchive) -> str:
    """Return what makes an archive unusable, or an empty string."""
    if stored.problem or stored.binding is None:
        return stored.problem or "it does not say what it is bound to"
    if stored.binding.model_digest != record.model:
        models = f"{stored.binding.model_digest[:12]}, its record names {record.model[:12]}"
        return f"its embeddings in the vector store are of model {models}"
    if stored.binding.site_key_fingerprint != record.site_key_fingerprint:
        return "in the vector store it was made with another site key than its record"
    sizes = {stored.embedding_size, stored.binding.embedding_size, record.embedding_size}
    if len(sizes) > 1:
        shown = ", ".join(sorted(map(str, sizes)))
        return f"embedding sizes of store, binding and record differ: {shown}"
    return f"it compares by {stored.distance}, not by {DISTANCE}" if stored.distance != DISTANCE else ""
