from pathlib import Path

import pytest

from xmirad.datasets import Dataset, DatasetItem, Layout, read_dataset
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
    assert error.message == "test_COVIDx.txt, line 3: there is no file 'gone.png' (2 missing files in all)"
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
    assert "cannot be read: No such file" in refusal(tmp_path).message


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
