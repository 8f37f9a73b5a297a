"""How many frames a DICOM file has, by its header alone; the oracle is pydicom."""

import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset as DicomDataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from support.dicom_files import big_endian_file, dicom_dataset, dicom_file, to_bytes
from xmirad.datasets import DatasetItem, read_dataset
from xmirad.datasets.dicom_frames import MAX_FRAMES, HeaderFacts, chosen_frames, read_facts
from xmirad.datasets.duplicates import duplicates
from xmirad.datasets.selection import FrameChoice, Selection

CINE = np.arange(3 * 4 * 4, dtype=np.uint16).reshape(3, 4, 4)


def written(folder: Path, data: bytes, name: str = "a.dcm") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def frames_of(folder: Path, data: bytes) -> int | None:
    facts = read_facts(written(folder, data))
    return None if facts is None else facts.frames


def with_sequences(**attributes: object) -> DicomDataset:
    """Return a cine with sequences before NumberOfFrames: of known and unknown lengths, nested, empty."""
    instance = dicom_dataset(CINE, multi_frame=True, **attributes)
    inner, outer = DicomDataset(), DicomDataset()
    inner.NumberOfFrames = 77  # belongs to the item, not to the instance
    inner.CodeValue = "x"
    outer.ConceptNameCodeSequence = Sequence([inner, inner])
    outer["ConceptNameCodeSequence"].is_undefined_length = True
    instance.ReferencedImageSequence = Sequence([outer, DicomDataset()])
    instance["ReferencedImageSequence"].is_undefined_length = True
    instance.ProcedureCodeSequence = Sequence([inner])
    instance.RequestAttributesSequence = Sequence([])
    return instance


def without_preamble(data: bytes) -> bytes:
    """Return the data set alone, as some modalities export it: without preamble and meta information."""
    (length,) = struct.unpack("<I", data[140:144])
    return data[144 + length :]


def test_frames_are_counted_in_every_encoding(tmp_path: Path) -> None:
    instance = with_sequences()
    assert frames_of(tmp_path, to_bytes(instance)) == 3
    assert frames_of(tmp_path, to_bytes(instance, ImplicitVRLittleEndian)) == 3
    assert frames_of(tmp_path, to_bytes(instance, ExplicitVRBigEndian)) == 3


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, "1.2.840.10008.1.2.1"])
def test_frames_are_counted_without_a_preamble(tmp_path: Path, syntax: str) -> None:
    data = without_preamble(to_bytes(with_sequences(), syntax))
    assert data[128:132] != b"DICM"
    assert frames_of(tmp_path, data) == 3


def test_an_instance_without_the_attribute_has_one_frame(tmp_path: Path) -> None:
    assert frames_of(tmp_path, dicom_file(CINE[0])) == 1
    assert frames_of(tmp_path, big_endian_file(CINE[0])) == 1


def test_a_deflated_file_is_left_to_the_service(tmp_path: Path) -> None:
    assert frames_of(tmp_path, to_bytes(with_sequences(), DeflatedExplicitVRLittleEndian)) is None


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM\x08\0", b"\x08\0", b"\x08\0\x05\0CS"]
)
def test_what_is_no_header_is_left_to_the_service(tmp_path: Path, data: bytes) -> None:
    assert frames_of(tmp_path, data) in (None, 1)


def test_any_file_cut_short_or_damaged_is_read_to_an_end(tmp_path: Path) -> None:
    data = to_bytes(with_sequences())
    header = data[: data.index(struct.pack("<HH", 0x7FE0, 0x0010))]
    random = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(header[: random.integers(len(header))])
        for at in random.integers(len(damaged) or 1, size=3):
            if damaged:
                damaged[at] = random.integers(256)
        frames = frames_of(tmp_path, bytes(damaged))
        assert frames is None or frames >= 1


@pytest.mark.parametrize(
    ("value", "frames"), [(" 3 ", 3), ("+3", 1), ("0", 1), ("-2", 1), ("", 1), ("x", 1), ("3.0", 1)]
)
def test_a_number_that_is_none_counts_as_one_frame(tmp_path: Path, value: str, frames: int) -> None:
    data = dicom_file(CINE, multi_frame=True)
    at = data.index(struct.pack("<HH", 0x0028, 0x0008))
    length = struct.unpack("<H", data[at + 6 : at + 8])[0]
    text = value.encode()
    changed = data[: at + 6] + struct.pack("<H", len(text)) + text + data[at + 8 + length :]
    assert frames_of(tmp_path, changed) == frames


def test_a_placeholder_for_the_patient_id_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path, dicom_file(CINE[0], PatientID="ANONYMOUS"))
    assert read_facts(path) == HeaderFacts(1, has_placeholder=True)
    path = written(tmp_path, dicom_file(CINE[0], PatientID=""))
    assert read_facts(path) == HeaderFacts(1, has_placeholder=False)


def test_choices_of_frames() -> None:
    assert chosen_frames(4, FrameChoice.ALL) == [1, 2, 3, 4]
    assert chosen_frames(4, FrameChoice.FIRST) == [1]
    assert [chosen_frames(count, FrameChoice.MIDDLE) for count in (2, 3, 4, 5)] == [[1], [2], [2], [3]]


def frames_read(items: tuple[DatasetItem, ...]) -> list[tuple[str, int | None]]:
    return [(item.path.name, item.frame) for item in items]


def test_every_frame_of_a_file_in_a_folder_is_an_item(tmp_path: Path) -> None:
    written(tmp_path / "us", dicom_file(CINE, multi_frame=True), "cine")
    written(tmp_path / "us", dicom_file(CINE[0]), "still.dcm")
    dataset = read_dataset(tmp_path)
    assert frames_read(dataset.items) == [("cine", 1), ("cine", 2), ("cine", 3), ("still.dcm", None)]
    assert {item.attributes.labels for item in dataset.items} == {("us",)}
    assert dataset.warnings == ("DICOM files with several frames: 1; 3 of 3 frames are read, each as an image",)
    assert duplicates(dataset.items).groups == ()


def test_one_frame_of_a_file_can_be_chosen(tmp_path: Path) -> None:
    written(tmp_path / "us", dicom_file(CINE, multi_frame=True), "cine.dcm")
    dataset = read_dataset(tmp_path, selection=Selection(frames=FrameChoice.MIDDLE))
    assert frames_read(dataset.items) == [("cine.dcm", 2)]
    assert dataset.warnings == ("DICOM files with several frames: 1; 1 of 3 frames are read (--frames middle)",)


def test_a_manifest_may_name_frames_or_take_all(tmp_path: Path) -> None:
    written(tmp_path, dicom_file(CINE, multi_frame=True), "a.dcm")
    written(tmp_path, dicom_file(CINE + 1, multi_frame=True), "b.dcm")
    (tmp_path / "manifest.csv").write_text("path,frame,external_id\na.dcm,2,one\nb.dcm,,two\n")
    items = read_dataset(tmp_path).items
    assert frames_read(items) == [("a.dcm", 2), ("b.dcm", 1), ("b.dcm", 2), ("b.dcm", 3)]
    assert [item.external_id for item in items] == ["one", "two#1", "two#2", "two#3"]


def test_a_file_that_says_it_has_too_many_frames_is_unreadable(tmp_path: Path) -> None:
    written(tmp_path, dicom_file(CINE, multi_frame=True, NumberOfFrames=MAX_FRAMES + 1))
    dataset = read_dataset(tmp_path)
    assert dataset.items == ()
    assert f"has {MAX_FRAMES + 1} frames; at most {MAX_FRAMES}" in dataset.unreadable[0].why


def test_placeholders_in_headers_are_warned_of_once_with_their_number(tmp_path: Path) -> None:
    for number, patient in enumerate(["ANON", "anon", "MRN-1", "0"]):
        written(tmp_path, dicom_file(CINE[0] + number, PatientID=patient), f"{number}.dcm")
    (warning,) = read_dataset(tmp_path).warnings
    assert warning.startswith("DICOM files with a placeholder for a Patient ID, such as ANONYMOUS: 3")
