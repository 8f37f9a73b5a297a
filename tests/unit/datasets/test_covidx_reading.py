from pathlib import Path
from typing import Literal
from unicodedata import normalize

import pytest

from xmirad.datasets import Dataset, DatasetItem, Layout, read_dataset
from xmirad.datasets.selection import Selection
from xmirad.errors import InvalidRequestError
from xmirad.types import ItemAttributes, Patient


def covidx(folder: Path, lines: str, *files: str, split: str = "test", list_name: str = "") -> Path:
    (folder / split).mkdir(exist_ok=True)
    for name in files:
        (folder / split / name).write_bytes(name.encode())
    (folder / (list_name or f"{split}_COVIDx.txt")).write_text(lines)
    return folder


def refusal(path: Path, **options: str) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        read_dataset(path, split=options.get("split"))
    return caught.value


def ids(dataset: Dataset) -> list[str]:
    return [item.external_id for item in dataset.items]


def test_a_line_of_four_fields_is_read_whole(tmp_path: Path) -> None:
    dataset = read_dataset(covidx(tmp_path, "12 lung-1.PNG pneumonia cohen\n", "lung-1.PNG"))
    assert dataset.name == "covidx-test"
    assert dataset.items == (
        DatasetItem(
            path=tmp_path / "test" / "lung-1.PNG",
            external_id="lung-1",
            attributes=ItemAttributes(
                labels=("pneumonia",), dataset="covidx", split="test", source="cohen", body_part="CHEST"
            ),
            patient=Patient(patient_id="12", issuer="covidx:cohen"),
        ),
    )


def test_a_line_of_three_fields_has_no_source(tmp_path: Path) -> None:
    item = read_dataset(covidx(tmp_path, "a a.png normal", "a.png")).items[0]
    assert (item.attributes.source, item.attributes.labels) == ("", ("normal",))


@pytest.mark.parametrize(
    ("line", "files", "patient_id", "name"),
    [
        ("COVID 70 COVID(70).png COVID-19 sirm", ["COVID(70).png"], "COVID 70", "COVID(70).png"),
        ("COVID 70 COVID (70).png COVID-19", ["COVID (70).png"], "COVID 70", "COVID (70).png"),
        ("p  two  gaps.png  COVID-19  sirm", ["two  gaps.png"], "p", "two  gaps.png"),
        ("a b a b.png normal", ["a b.png", "b.png"], "a b", "a b.png"),
        ("x upper.jpg normal", ["upper.JPG"], "x", "upper.JPG"),
    ],
)
def test_ids_and_names_with_spaces_are_told_apart_by_the_files_that_exist(
    tmp_path: Path, line: str, files: list[str], patient_id: str, name: str
) -> None:
    (item,) = read_dataset(covidx(tmp_path, line, *files)).items
    assert item.patient is not None
    assert (item.patient.patient_id, item.path.name) == (patient_id, name)


def test_a_line_that_can_be_divided_in_two_ways_is_refused(tmp_path: Path) -> None:
    error = refusal(covidx(tmp_path, "x y z.png normal", "y z.png", "z.png"))
    assert "y z.png, z.png" in error.message


@pytest.mark.parametrize(
    ("spelling", "label"),
    [
        ("COVID-19", "COVID-19"),
        ("covid", "COVID-19"),
        ("Covid19", "COVID-19"),
        ("positive", "COVID-19"),
        ("NORMAL", "normal"),
        ("Pneumonia", "pneumonia"),
        ("negative", "negative"),
    ],
)
def test_a_class_is_known_in_any_versions_spelling(tmp_path: Path, spelling: str, label: str) -> None:
    item = read_dataset(covidx(tmp_path, f"a a.png {spelling} rsna", "a.png")).items[0]
    assert item.attributes.labels == (label,)


def test_an_unknown_class_is_refused_with_its_line_and_the_known_ones(tmp_path: Path) -> None:
    error = refusal(covidx(tmp_path, "a a.png normal rsna\nb b.png tuberculosis rsna\n", "a.png", "b.png"))
    assert error.message == (
        "test_COVIDx.txt, line 2: class is 'tuberculosis'; it must be normal, pneumonia, COVID-19, positive or negative"
    )
    assert error.field == "class"
    assert error.metadata["line"] == "2"


def test_a_line_of_two_fields_is_refused(tmp_path: Path) -> None:
    assert "patientid filename class [source]" in refusal(covidx(tmp_path, "a.png normal")).message


def test_a_missing_file_is_refused_with_list_line_and_name(tmp_path: Path) -> None:
    error = refusal(covidx(tmp_path, "a a.png normal rsna\n\nb gone.png normal rsna\nc lost.png normal\n", "a.png"))
    assert error.message == (
        "test_COVIDx.txt, line 3: there is no file 'gone.png'; 2 files are missing: gone.png (line 3), "
        "lost.png (line 4); --skip-missing goes on without what is missing"
    )
    assert error.metadata == {
        "list": str(tmp_path / "test_COVIDx.txt"),
        "line": "3",
        "file": "gone.png",
        "missing_files": "2",
    }


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hosts", "sub/../../x.png", "C:\\x.png", "..\\x.png"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    assert "leads out" in refusal(covidx(tmp_path, f"a {name} normal")).message


def test_the_order_is_that_of_the_list_and_all_splits_come_training_first(tmp_path: Path) -> None:
    covidx(tmp_path, "b b.png normal\na a.png normal\n", "a.png", "b.png")
    covidx(tmp_path, "z z.png normal\n", "z.png", split="train", list_name="train_split_v3.txt")
    assert ids(read_dataset(tmp_path)) == ["b", "a"]
    everything = read_dataset(tmp_path, split="all")
    assert (everything.name, ids(everything)) == ("covidx-all", ["z", "b", "a"])


def test_a_split_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    error = refusal(covidx(tmp_path, "a a.png normal", "a.png"), split="train")
    assert error.field == "split"
    assert error.metadata == {"value": "train", "allowed": "test, all"}


def test_a_list_without_its_folder_of_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_COVIDx.txt").write_text("a a.png normal")
    error = refusal(tmp_path)
    assert f"expected {tmp_path / 'test'} or" in error.message
    assert "--images FOLDER" in error.message


def test_several_lists_of_one_split_are_chosen_by_path(tmp_path: Path) -> None:
    covidx(tmp_path, "a a.png normal", "a.png", list_name="test_COVIDx3.txt")
    covidx(tmp_path, "b b.png normal", "b.png", list_name="test_COVIDx5.txt")
    assert "test_COVIDx3.txt, test_COVIDx5.txt" in refusal(tmp_path).message
    assert ids(read_dataset(tmp_path / "test_COVIDx5.txt")) == ["b"]


def test_a_repeated_line_is_left_out_with_a_warning(tmp_path: Path) -> None:
    dataset = read_dataset(covidx(tmp_path, "a a.png normal\na a.png normal\n", "a.png"))
    assert ids(dataset) == ["a"]
    assert dataset.warnings == ("test_COVIDx.txt, line 2: repeats test_COVIDx.txt, line 1 and was left out",)


def test_a_file_with_two_classes_is_refused(tmp_path: Path) -> None:
    error = refusal(covidx(tmp_path, "a a.png normal\na a.png pneumonia\n", "a.png"))
    assert "with other attributes" in error.message


def test_files_that_share_a_stem_keep_their_suffix_in_the_id(tmp_path: Path) -> None:
    dataset = read_dataset(
        covidx(tmp_path, "a s.png normal\nb s.jpg normal\nc t.png normal", "s.png", "s.jpg", "t.png")
    )
    assert ids(dataset) == ["s.png", "s.jpg", "t"]


def test_a_list_that_is_not_text_is_refused(tmp_path: Path) -> None:
    covidx(tmp_path, "")
    (tmp_path / "test_COVIDx.txt").write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8 text" in refusal(tmp_path).message


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    assert "holds no images" in refusal(covidx(tmp_path, "\n")).message


def test_windows_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    covidx(tmp_path, "", "a.png")
    (tmp_path / "test_COVIDx.txt").write_bytes(b"\xef\xbb\xbfa a.png normal rsna\r\n")
    item = read_dataset(tmp_path, layout=Layout.COVIDX).items[0]
    assert item.patient == Patient("a", "covidx:rsna")


def test_tabs_and_any_other_white_space_separate_the_fields(tmp_path: Path) -> None:
    lines = "1\tn0.jpg\tnegative\trsna\nCOVID 70\tCOVID (70).png\tCOVID-19\n3  n 3.jpg \t normal\n"
    items = read_dataset(covidx(tmp_path, lines, "n0.jpg", "COVID (70).png", "n 3.jpg")).items
    found = [(item.patient and item.patient.patient_id, item.path.name, item.attributes.labels[0]) for item in items]
    assert found == [
        ("1", "n0.jpg", "negative"),
        ("COVID 70", "COVID (70).png", "COVID-19"),
        ("3", "n 3.jpg", "normal"),
    ]
    assert items[0].attributes.source == "rsna"


@pytest.mark.parametrize(("listed", "stored"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_in_another_unicode_form_are_found(
    tmp_path: Path, listed: Literal["NFC", "NFD"], stored: Literal["NFC", "NFD"]
) -> None:
    name = "\u00fcber.png"
    covidx(tmp_path, f"1 {normalize(listed, name)} normal", normalize(stored, name))
    assert read_dataset(tmp_path).items[0].path.name == normalize(stored, name)


def repository(folder: Path) -> Path:
    """Write what COVID-Net's repository has after its scripts made the images."""
    for split in ("train", "test"):
        (folder / "data" / split).mkdir(parents=True)
        (folder / "data" / split / f"{split}.png").write_bytes(split.encode())
    (folder / "labels").mkdir()
    (folder / "labels" / "train_COVIDx9A.txt").write_text("1 train.png positive sirm\n")
    (folder / "labels" / "test_COVIDx9A.txt").write_text("2 test.png negative rsna\n")
    (folder / "README.md").write_text("COVID-Net")
    return folder


def test_the_repository_of_covid_net_has_its_lists_in_another_folder(tmp_path: Path) -> None:
    everything = read_dataset(repository(tmp_path), split="all")
    found = [(item.path.relative_to(tmp_path).as_posix(), item.attributes.labels) for item in everything.items]
    assert found == [("data/train/train.png", ("COVID-19",)), ("data/test/test.png", ("negative",))]
    assert ids(read_dataset(tmp_path / "labels" / "train_COVIDx9A.txt")) == ["train"]


def test_the_folder_of_the_images_can_be_named(tmp_path: Path) -> None:
    repository(tmp_path)
    (tmp_path / "data").rename(tmp_path.parent / f"{tmp_path.name}-images")
    error = refusal(tmp_path)
    assert "the images of test_COVIDx9A.txt are not there; expected" in error.message
    images = tmp_path.parent / f"{tmp_path.name}-images"
    for folder in (images, images / "test"):
        assert ids(read_dataset(tmp_path, selection=Selection(images=folder))) == ["test"]
    with pytest.raises(InvalidRequestError, match="is not a folder") as caught:
        read_dataset(tmp_path, selection=Selection(images=tmp_path / "gone"))
    assert caught.value.field == "images"


def test_several_lists_of_the_repository_are_chosen_by_path(tmp_path: Path) -> None:
    (repository(tmp_path) / "labels" / "test_COVIDx8B.txt").write_text("2 test.png negative rsna\n")
    assert "test_COVIDx8B.txt, test_COVIDx9A.txt" in refusal(tmp_path).message


@pytest.mark.parametrize("placeholder", ["0", "ANONYMOUS", "n/a"])
def test_images_with_a_placeholder_for_a_patient_are_of_no_patient(tmp_path: Path, placeholder: str) -> None:
    lines = f"{placeholder} a.png normal\n{placeholder} b.png normal\n7 c.png normal\n"
    dataset = read_dataset(covidx(tmp_path, lines, "a.png", "b.png", "c.png"))
    assert [item.patient for item in dataset.items] == [None, None, Patient("7", "covidx:")]
    (warning,) = dataset.warnings
    assert warning.startswith("images with a placeholder for a patient id, such as ANONYMOUS or 0: 2")
