"""Nothing that names a person leaves the item records: planted names are looked for wherever the service writes."""

import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from support.dicom_files import dicom_file
from support.live_service import free_port, live_service
from support.models import random_artifact
from support.pictures import png
from xmirad.api.vocabulary import ItemView, SearchView
from xmirad.client.client import Client
from xmirad.client.search_types import StreamedSearch
from xmirad.client.types import Upload
from xmirad.errors import XmiradError
from xmirad.types import EncodedImage, ItemAttributes, ItemFilter, Patient, PatientPolicy

ARCHIVE = "private"
UID = "1.2.826.0.1.3680043.8.498.77777"
PATIENT = Patient("MRN-ZZ-4711", "Zentralklinik")
STATED = Patient("MRN-QQ-0815", "Quellenhof")
PLANTED = (
    "MRN-ZZ-4711", "Zentralklinik", "MRN-QQ-0815", "Quellenhof", "Mustermann", "Erika", "19470131", "ACC-998877",
    "Dr^Frankenstein", "Elm Street", "erika_mustermann_thorax", UID,
)  # fmt: skip


@dataclass(slots=True)
class Run:
    """Everything that a service wrote while it was used."""

    home: Path
    log: str = ""
    metrics: str = ""
    errors: list[XmiradError] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    shown: str = ""
    basic: str = ""


def dicom(frame: int, **attributes: object) -> EncodedImage:
    """Return an instance that names its patient in every way."""
    pixels = np.random.default_rng(frame).integers(0, 4096, (64, 64), dtype=np.uint16)
    named = {
        "PatientName": "Mustermann^Erika",
        "PatientID": PATIENT.patient_id,
        "IssuerOfPatientID": PATIENT.issuer,
        "PatientBirthDate": "19470131",
        "PatientAddress": "Elm Street 13",
        "AccessionNumber": "ACC-998877",
        "ReferringPhysicianName": "Dr^Frankenstein",
        "StudyDescription": "Thorax of Mustermann",
        "StudyInstanceUID": f"{UID}.1",
        "SeriesInstanceUID": f"{UID}.1.1",
        "SOPInstanceUID": f"{UID}.1.1.{frame}",
    }
    return EncodedImage(dicom_file(pixels, multi_frame=False, **(named | attributes)), "application/dicom")


def use(client: Client, run: Run) -> None:
    """Do everything that can be done with an archive, rightly and wrongly."""
    client.create_archive(ARCHIVE)
    attributes = ItemAttributes(labels=("normal",))
    uploads = [
        Upload(dicom(1), correlation_id="1", attributes=attributes),
        Upload(
            dicom(2),
            correlation_id="2",
            external_id="erika_mustermann_thorax.dcm",
            patient=STATED,
            file_name="Mustermann/erika.dcm",
        ),
        Upload(
            png(3),
            correlation_id="3",
            external_id="erika_mustermann_thorax.png",
            patient=PATIENT,
            file_name="Mustermann/erika.png",
        ),
        Upload(dicom(4, NumberOfFrames=-1), correlation_id="erika_mustermann_thorax_4"),
        Upload(dicom(5, BitsAllocated=7, BitsStored=7), correlation_id="erika_mustermann_thorax_5"),
        Upload(EncodedImage(b"Mustermann^Erika" * 20), correlation_id="erika_mustermann_thorax_6"),
    ]
    other_image = Upload(png(7), external_id="erika_mustermann_thorax.png", patient=PATIENT)
    outcomes = sorted(client.upload(ARCHIVE, uploads), key=lambda outcome: outcome.correlation_id)
    run.items = [outcome.receipt.item for outcome in outcomes if outcome.receipt]
    run.errors = [outcome.error for outcome in outcomes if outcome.error]
    client.search(ARCHIVE, dicom(1), patient_policy=PatientPolicy.EXCLUDE, view=SearchView.FULL)
    client.search(ARCHIVE, png(3), patient=STATED, patient_policy=PatientPolicy.FLAG)
    list(client.stream_search(ARCHIVE, [StreamedSearch("erika_mustermann_thorax", dicom(2))]))
    run.basic = repr([client.get_item(item) for item in run.items])
    run.shown = repr([client.get_item(item, view=ItemView.FULL) for item in run.items])
    run.basic += repr(client.search(ARCHIVE, run.items[0])) + repr(client.archive_stats(ARCHIVE))
    wrong = (
        lambda: client.search(ARCHIVE, dicom(5, BitsAllocated=7, BitsStored=7)),
        lambda: client.search(ARCHIVE, dicom(1), model=random_artifact("resnet18").name),
        lambda: client.search(ARCHIVE, png(3), top_k=0, patient=PATIENT),
        lambda: client.create_item(ARCHIVE, other_image),
        lambda: client.purge_items(ARCHIVE, filter=ItemFilter(labels=("none",)), force=True),
    )
    for call in wrong:
        with pytest.raises(XmiradError) as caught:
            call()
        run.errors.append(caught.value)
    assert client.purge_items(ARCHIVE, patient=STATED, force=True).deleted_items == 1
    client.delete_item(run.items[0])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    made = Run(tmp_path_factory.mktemp("privacy") / "home")
    port = free_port()
    with live_service(made.home, XMIRAD_METRICS__PORT=str(port), XMIRAD_LOGGING__LEVEL="debug") as service:
        with service.start() as client:
            use(client, made)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
            made.metrics = page.read().decode()
        assert service.stop() == 0
        made.log = service.log.read_text()
        yield made


def names_in(text: str) -> list[str]:
    lower = text.lower()
    return [name for name in PLANTED if name.lower() in lower]


def test_the_run_did_what_it_should(run: Run) -> None:
    assert len(run.items) == 3
    assert len(run.errors) == 8
    assert "service.stopped" in run.log
    assert re.search(r'xmirad_requests_total\{code="OK",method="xmirad.v1.RetrievalService/Search"\} \d', run.metrics)
    assert "erika_mustermann_thorax" in run.shown, "the FULL view shows what leads back to the source"


def test_no_name_is_in_the_log(run: Run) -> None:
    assert names_in(run.log) == []


def test_no_name_is_on_the_metrics_page(run: Run) -> None:
    assert names_in(run.metrics) == []


def test_no_name_is_in_an_error(run: Run) -> None:
    for error in run.errors:
        assert names_in(" ".join((error.message, error.field, *error.metadata.values()))) == []


def test_no_name_is_in_the_basic_view_or_the_counts(run: Run) -> None:
    assert names_in(run.basic) == []


def test_no_name_is_in_the_vector_store(run: Run) -> None:
    files = [path for path in (run.home / "store").rglob("*") if path.is_file() and path.stat().st_blocks]
    stored = b"".join(path.read_bytes().replace(b"\0", b"") for path in files).decode("latin-1")
    assert "view_position" in stored, "payloads are stored as they are"
    assert names_in(stored) == []
    assert names_in(" ".join(path.as_posix() for path in files)) == []


def test_no_name_is_in_a_key_of_the_blob_store_and_records_hold_no_patient(run: Run) -> None:
    blobs = run.home / "blobs"
    assert names_in(" ".join(path.relative_to(blobs).as_posix() for path in blobs.rglob("*"))) == []
    catalog = (run.home / "catalog.db").read_bytes().decode("latin-1")
    given = ("erika_mustermann_thorax.png", "Mustermann/erika.png")
    for name in given:
        assert name in catalog, "external ids and file names are stored as they were given"
        catalog = catalog.replace(name, "")
    assert set(names_in(catalog)) <= {UID}


def test_nothing_of_a_deleted_patient_is_left_in_blob_store_and_catalog(run: Run) -> None:
    files = [*(run.home / "blobs").rglob("*"), *run.home.glob("catalog.db*")]
    left = b"".join(path.read_bytes() for path in files if path.is_file())
    assert STATED.patient_id.encode() not in left
    assert f"{UID}.1.1.2".encode() not in left
