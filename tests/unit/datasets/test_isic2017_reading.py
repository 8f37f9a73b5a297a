from pathlib import Path

import pytest

from xmirad.datasets import DatasetItem, read_dataset
from xmirad.errors import InvalidRequestError
from xmirad.types import ItemAttributes, Sex

HEADER = "image_id,melanoma,seborrheic_keratosis\n"


def isic(folder: Path, rows: str, *, header: str = HEADER, stem: str = "ISIC-2017_Test_v2", kind: str = "") -> Path:
    data = folder / f"{stem}_Data"
    data.mkdir(exist_ok=True)
    for row in rows.splitlines():
        (data / f"{row.split(',')[0]}.jpg").write_bytes(row.encode())
    (folder / f"{stem}_Part3_GroundTruth{kind}.csv").write_text(header + rows)
    return folder


def refusal(path: Path, split: str | None = None) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        read_dataset(path, split=split)
    return caught.value


def test_the_three_classes_follow_from_two_columns(tmp_path: Path) -> None:
    dataset = read_dataset(isic(tmp_path, "ISIC_1,0.0,0.0\nISIC_2,1.0,0.0\nISIC_3,0,1\n"))
    assert [item.attributes.labels for item in dataset.items] == [("nevus",), ("melanoma",), ("seborrheic keratosis",)]
    assert dataset.items[0] == DatasetItem(
        path=tmp_path / "ISIC-2017_Test_v2_Data" / "ISIC_1.jpg",
        external_id="ISIC_1",
        attributes=ItemAttributes(
            labels=("nevus",), dataset="isic2017", split="test", modality="DMS", body_part="SKIN"
        ),
    )


def test_the_balanced_list_is_read_unless_the_full_one_is_asked_for(tmp_path: Path) -> None:
    isic(tmp_path, "ISIC_1,0.0,0.0\nISIC_2,1.0,0.0\n")
    isic(tmp_path, "ISIC_2,1.0,0.0\n", kind="_balanced")
    balanced, full = read_dataset(tmp_path), read_dataset(tmp_path, full=True)
    assert (balanced.name, len(balanced.items)) == ("isic2017-test-balanced", 1)
    assert (full.name, len(full.items)) == ("isic2017-test-full", 2)


def test_age_and_sex_come_from_the_metadata_where_they_are_known(tmp_path: Path) -> None:
    isic(tmp_path, "ISIC_1,0.0,0.0\nISIC_2,0.0,0.0\nISIC_3,0.0,0.0\n", stem="ISIC-2017_Training")
    people = "image_id,age_approximate,sex\nISIC_1,55,female\nISIC_2,unknown,male\n"
    (tmp_path / "ISIC-2017_Training_Data" / "ISIC-2017_Training_Data_metadata.csv").write_text(people)
    items = read_dataset(tmp_path, split="train").items
    found = [(item.attributes.sex, item.attributes.age_band) for item in items]
    assert found == [(Sex.FEMALE, 50), (Sex.MALE, None), (None, None)]


def test_all_splits_are_read_in_full(tmp_path: Path) -> None:
    isic(tmp_path, "ISIC_1,0.0,0.0\nISIC_2,1.0,0.0\n")
    isic(tmp_path, "ISIC_2,1.0,0.0\n", kind="_balanced")
    isic(tmp_path, "ISIC_3,0.0,0.0\n", stem="ISIC-2017_Validation")
    dataset = read_dataset(tmp_path, split="all")
    assert dataset.name == "isic2017-all"
    assert [item.attributes.split for item in dataset.items] == ["validation", "test", "test"]


def test_superpixel_files_are_no_items(tmp_path: Path) -> None:
    isic(tmp_path, "ISIC_1,0.0,0.0\n")
    (tmp_path / "ISIC-2017_Test_v2_Data" / "ISIC_1_superpixels.png").write_bytes(b"x")
    assert len(read_dataset(tmp_path).items) == 1


def test_a_csv_without_a_column_is_refused_with_the_columns_it_has(tmp_path: Path) -> None:
    error = refusal(isic(tmp_path, "ISIC_1,0.0\n", header="image_id,melanoma\n"))
    assert error.message == (
        "ISIC-2017_Test_v2_Part3_GroundTruth.csv has no column 'seborrheic_keratosis'; "
        "its columns are: image_id, melanoma"
    )
    assert error.field == "seborrheic_keratosis"


@pytest.mark.parametrize("row", ["ISIC_1,0.5,0.0", "ISIC_1,,0.0", "ISIC_1,1.0,1.0", "ISIC_1,yes,0.0"])
def test_a_value_that_is_no_class_is_refused_with_its_line(tmp_path: Path, row: str) -> None:
    error = refusal(isic(tmp_path, f"ISIC_0,0.0,0.0\n{row}\n"))
    assert error.metadata["line"] == "3"
    assert "GroundTruth.csv, line 3" in error.message


def test_an_image_that_is_not_there_is_refused(tmp_path: Path) -> None:
    isic(tmp_path, "ISIC_1,0.0,0.0\n")
    (tmp_path / "ISIC-2017_Test_v2_Data" / "ISIC_1.jpg").unlink()
    error = refusal(tmp_path)
    assert "line 2: there is no file 'ISIC_1.jpg'" in error.message


def test_an_id_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    isic(tmp_path, "ISIC_1,0.0,0.0\n")
    (tmp_path / "ISIC-2017_Test_v2_Part3_GroundTruth.csv").write_text(HEADER + "../x,0.0,0.0\n")
    assert "leads out" in refusal(tmp_path).message


def test_a_split_without_a_list_is_refused(tmp_path: Path) -> None:
    error = refusal(isic(tmp_path, "ISIC_1,0.0,0.0\n"), split="train")
    assert error.metadata["allowed"] == "test, all"
