"""ISIC 2018 to 2020, as small sets with the columns and names of the published ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from xmirad.datasets import Dataset, DatasetItem, Layout, read_dataset
from xmirad.datasets.isic_challenges import CLASSES_2018, CLASSES_2019
from xmirad.datasets.reading import detect_layout
from xmirad.datasets.selection import Selection
from xmirad.errors import InvalidRequestError
from xmirad.types import ItemAttributes, Patient, Sex

COLUMNS_2018 = "MEL,NV,BCC,AKIEC,BKL,DF,VASC"
COLUMNS_2019 = "MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK"
HEADER_2020 = "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target"


def pictures(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(name.encode())


def one_hot(columns: str, extra: str = "") -> str:
    """Return a table with one row a class: ISIC_0 of the first, ISIC_1 of the second, and so on."""
    names = columns.split(",")
    rows = [
        ",".join([f"ISIC_{at}", *("1.0" if at == other else "0.0" for other in range(len(names)))])
        for at in range(len(names))
    ]
    tail = ",1.0,0.0" if extra else ""
    return f"image,{columns}{extra}\n" + "".join(f"{row}{tail}\n" for row in rows)


def isic2018(folder: Path, part: str = "Training", extra: str = "") -> Path:
    (folder / f"ISIC2018_Task3_{part}_GroundTruth.csv").write_text(one_hot(COLUMNS_2018, extra))
    pictures(folder / f"ISIC2018_Task3_{part}_Input", *(f"ISIC_{at}.jpg" for at in range(7)), "LICENSE.txt")
    return folder


def isic2019(folder: Path) -> Path:
    (folder / "ISIC_2019_Training_GroundTruth.csv").write_text(one_hot(COLUMNS_2019))
    pictures(folder / "ISIC_2019_Training_Input", *(f"ISIC_{at}.jpg" for at in range(9)))
    (folder / "ISIC_2019_Training_Metadata.csv").write_text(
        "image,age_approx,anatom_site_general,lesion_id,sex\n"
        "ISIC_0,55.0,anterior torso,MSK4_1,female\nISIC_1,,,MSK4_1,\nISIC_2,30.0,,,male\n"
    )
    return folder


def isic2020(folder: Path, images: str = "train", label_list: str = "train.csv") -> Path:
    rows = (
        "ISIC_7,IP_1,male,45.0,head/neck,unknown,benign,0\n"
        "ISIC_8,IP_1,male,45.0,torso,melanoma,malignant,1\n"
        "ISIC_9,IP_2,,,,nevus,benign,0\n"
    )
    (folder / label_list).write_text(f"{HEADER_2020}\n{rows}")
    pictures(folder / images, "ISIC_7.jpg", "ISIC_8.jpg", "ISIC_9.jpg")
    return folder


def labels(dataset: Dataset) -> list[str]:
    return [item.attributes.labels[0] for item in dataset.items]


def refusal(folder: Path, **options: str) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        read_dataset(folder, split=options.get("split"))
    return caught.value


def test_isic2018_has_seven_classes_by_their_columns(tmp_path: Path) -> None:
    dataset = read_dataset(isic2018(tmp_path))
    assert detect_layout(tmp_path) is Layout.ISIC2018
    assert (dataset.name, dataset.warnings) == ("isic2018-all", ())
    assert labels(dataset) == list(CLASSES_2018.values())
    assert dataset.items[0] == DatasetItem(
        path=tmp_path / "ISIC2018_Task3_Training_Input" / "ISIC_0.jpg",
        external_id="ISIC_0",
        attributes=ItemAttributes(
            labels=("melanoma",), dataset="isic2018", split="train", modality="DMS", body_part="SKIN"
        ),
    )


def test_the_test_split_is_read_where_its_labels_are(tmp_path: Path) -> None:
    isic2018(isic2018(tmp_path), "Test", extra=",score_weight,validation_weight")
    assert read_dataset(tmp_path).name == "isic2018-test"
    assert read_dataset(tmp_path, split="training").name == "isic2018-train"
    assert refusal(tmp_path, split="validation").metadata["allowed"] == "train, test, all"


def test_images_of_one_lesion_are_of_one_patient(tmp_path: Path) -> None:
    isic2018(tmp_path)
    (tmp_path / "ISIC2018_Task3_Training_LesionGroupings.csv").write_text(
        "image,lesion_id,diagnosis_confirm_type\nISIC_0,HAM_1,histopathology\nISIC_3,HAM_1,histopathology\n"
    )
    items = read_dataset(tmp_path).items
    assert items[0].patient == items[3].patient == Patient("HAM_1", "isic2018:lesion")
    assert items[1].patient is None


def test_isic2019_has_nine_classes_with_age_sex_and_lesion(tmp_path: Path) -> None:
    dataset = read_dataset(isic2019(tmp_path))
    assert labels(dataset) == [CLASSES_2019[column] for column in COLUMNS_2019.split(",")]
    found = [(item.attributes.sex, item.attributes.age_band, item.patient) for item in dataset.items[:4]]
    lesion = Patient("MSK4_1", "isic2019:lesion")
    assert found == [(Sex.FEMALE, 50, lesion), (None, None, lesion), (Sex.MALE, 30, None), (None, None, None)]


@pytest.mark.parametrize(
    ("images", "label_list"),
    [
        ("train", "ISIC_2020_Training_GroundTruth.csv"),
        ("ISIC_2020_Training_JPEG/train", "ISIC_2020_Training_GroundTruth_v2.csv"),
        ("jpeg/train", "train.csv"),
    ],
)
def test_isic2020_is_benign_or_malignant_with_its_patients(tmp_path: Path, images: str, label_list: str) -> None:
    dataset = read_dataset(isic2020(tmp_path, images, label_list))
    assert (dataset.name, labels(dataset)) == ("isic2020-all", ["benign", "malignant", "benign"])
    assert [item.patient and item.patient.patient_id for item in dataset.items] == ["IP_1", "IP_1", "IP_2"]
    assert [item.attributes.age_band for item in dataset.items] == [40, 40, None]


def test_images_folders_that_were_unpacked_into_themselves_are_found(tmp_path: Path) -> None:
    isic2018(tmp_path)
    folder = tmp_path / "ISIC2018_Task3_Training_Input"
    folder.rename(tmp_path / "moved")
    folder.mkdir()
    (tmp_path / "moved").rename(folder / folder.name)
    assert len(read_dataset(tmp_path).items) == 7


@pytest.mark.parametrize("make", [isic2018, isic2019, isic2020])
def test_absent_images_are_refused_with_what_was_expected(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    make(tmp_path)
    for folder in [each for each in tmp_path.iterdir() if each.is_dir()]:
        folder.rename(tmp_path.parent / f"away-{tmp_path.name}")
    error = refusal(tmp_path)
    assert "images are not there; expected" in error.message
    assert "--images FOLDER" in error.message
    away = Selection(images=tmp_path.parent / f"away-{tmp_path.name}")
    assert read_dataset(tmp_path, selection=away).items


@pytest.mark.parametrize("layout", [Layout.ISIC2018, Layout.ISIC2019, Layout.ISIC2020])
def test_a_layout_that_is_asked_for_and_not_there_is_refused_with_its_files(tmp_path: Path, layout: Layout) -> None:
    with pytest.raises(InvalidRequestError, match="expected ISIC"):
        read_dataset(tmp_path, layout=layout)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("ISIC_0,0,0,0,0,0,0,0", "class is 'none'; it must be exactly one"),
        ("ISIC_0,1.0,1.0,0,0,0,0,0", "class is 'melanoma, nevus'"),
        ("ISIC_0,0.7,0.3,0,0,0,0,0", "MEL is '0.7'; it must be 0.0 or 1.0"),
        ("../x,1,0,0,0,0,0,0", "leads out"),
        ("ISIC_99,1,0,0,0,0,0,0", "there is no file 'ISIC_99.jpg'"),
    ],
)
def test_a_row_that_is_wrong_is_refused_with_its_line(tmp_path: Path, row: str, why: str) -> None:
    isic2018(tmp_path)
    (tmp_path / "ISIC2018_Task3_Training_GroundTruth.csv").write_text(f"image,{COLUMNS_2018}\n{row}\n")
    error = refusal(tmp_path)
    assert why in error.message
    assert "GroundTruth.csv, line 2" in error.message


def test_a_list_without_a_column_is_refused(tmp_path: Path) -> None:
    isic2018(tmp_path)
    (tmp_path / "ISIC2018_Task3_Training_GroundTruth.csv").write_text("image,MEL\nISIC_0,1.0\n")
    assert "has no column 'NV'" in refusal(tmp_path).message


def test_two_data_sets_in_one_folder_are_told_apart_by_the_layout(tmp_path: Path) -> None:
    isic2019(isic2018(tmp_path))
    error = refusal(tmp_path)
    assert "isic2018, isic2019; choose one with --layout" in error.message
    assert read_dataset(tmp_path, layout=Layout.ISIC2019).name == "isic2019-all"


def test_another_train_csv_does_not_make_a_folder_isic2020(tmp_path: Path) -> None:
    pictures(tmp_path / "a", "1.png")
    (tmp_path / "train.csv").write_text("id,label\n1,a\n")
    assert detect_layout(tmp_path) is Layout.FOLDER


@pytest.mark.parametrize(("make", "is_said"), [(isic2018, False), (isic2019, True), (isic2020, False)])
def test_lesions_that_count_as_patients_are_warned_of(
    tmp_path: Path, make: Callable[[Path], Path], is_said: bool
) -> None:
    warnings = [each for each in read_dataset(make(tmp_path)).warnings if "tells lesions, not patients" in each]
    assert bool(warnings) == is_said
