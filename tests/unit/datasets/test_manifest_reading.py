from pathlib import Path

import pytest

from xmirad.datasets import DatasetItem, read_dataset
from xmirad.errors import InvalidRequestError
from xmirad.types import ItemAttributes, Patient, Sex


def manifest(folder: Path, text: str, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    path = folder / "manifest.csv"
    path.write_text(text)
    return path


def refusal(path: Path, split: str | None = None) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        read_dataset(path, split=split)
    return caught.value


def test_every_column_is_read(tmp_path: Path) -> None:
    text = (
        "path,external_id,labels,patient_id,patient_issuer,dataset,split,source,modality,body_part,view_position,"
        "year,sex,age,synthetic,frame\n"
        'a/1.png,e1,"edema; effusion",p1,hospital,set,train,ward,DX,CHEST,PA,2019,female,47,yes,3\n'
    )
    dataset = read_dataset(manifest(tmp_path, text, "a/1.png"))
    assert dataset.items == (
        DatasetItem(
            path=tmp_path / "a" / "1.png",
            external_id="e1",
            attributes=ItemAttributes(
                labels=("edema", "effusion"),
                dataset="set",
                split="train",
                source="ward",
                modality="DX",
                body_part="CHEST",
                view_position="PA",
                year=2019,
                sex=Sex.FEMALE,
                age_band=40,
                synthetic=True,
            ),
            patient=Patient("p1", "hospital"),
            frame=3,
        ),
    )
    assert dataset.warnings == ()


def test_only_the_path_is_required_and_the_folder_names_the_data_set(tmp_path: Path) -> None:
    dataset = read_dataset(manifest(tmp_path, "path\na.png\n", "a.png").parent)
    assert dataset.name == tmp_path.name
    assert dataset.items[0] == DatasetItem(tmp_path / "a.png", "", ItemAttributes(dataset=tmp_path.name))


def test_one_split_or_all_of_them_can_be_read(tmp_path: Path) -> None:
    path = manifest(tmp_path, "path,split\na.png,train\nb.png,test\n", "a.png", "b.png")
    assert [item.path.name for item in read_dataset(path, split="test").items] == ["b.png"]
    assert [item.path.name for item in read_dataset(path, split="all").items] == ["a.png", "b.png"]
    assert refusal(path, split="val").metadata["allowed"] == "test, train, all"


def test_an_unknown_column_is_named_in_a_warning(tmp_path: Path) -> None:
    dataset = read_dataset(manifest(tmp_path, "path,lables\na.png,x\n", "a.png"))
    assert dataset.warnings == ("manifest.csv: the column 'lables' is not known and was ignored",)


def test_a_manifest_without_the_path_column_is_refused(tmp_path: Path) -> None:
    error = refusal(manifest(tmp_path, "file,labels\na.png,x\n"))
    assert error.field == "path"
    assert "its columns are: file, labels" in error.message


@pytest.mark.parametrize(
    ("column", "value", "allowed"),
    [
        ("year", "19", "1895 to 2100"),
        ("year", "two", "1895 to 2100"),
        ("frame", "0", "a whole number from 1"),
        ("frame", "-1", "a whole number from 1"),
        ("sex", "x", "F, M, O"),
        ("age", "-1", "0 to 150"),
        ("age", "old", "0 to 150"),
        ("age", "nan", "0 to 150"),
        ("synthetic", "maybe", "true, false"),
        ("labels", ";".join(str(number) for number in range(33)), "at most 32"),
        ("labels", "x" * 65, "1 to 64 printable"),
        ("external_id", "x" * 257, "at most 256"),
        ("patient_id", "x" * 257, "at most 256"),
        ("source", "x" * 129, "at most 128"),
        ("patient_issuer", "hospital", "set where patient_issuer is"),
    ],
)
def test_a_bad_value_is_refused_with_row_column_and_limit(
    tmp_path: Path, column: str, value: str, allowed: str
) -> None:
    error = refusal(manifest(tmp_path, f"path,{column}\na.png,\nb.png,{value}\n", "a.png", "b.png"))
    assert error.message.startswith("manifest.csv, line 3: ")
    assert allowed in error.message
    assert error.field == ("patient_id" if column == "patient_issuer" else column)


def test_an_external_id_used_twice_is_refused_with_both_rows(tmp_path: Path) -> None:
    error = refusal(manifest(tmp_path, "path,external_id\na.png,one\nb.png,one\n", "a.png", "b.png"))
    assert error.message == (
        "manifest.csv, line 3: the id 'one' is used already in manifest.csv, line 2, for a.png; it must be unique"
    )
    assert (error.metadata["line"], error.metadata["first_line"]) == ("3", "2")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    error = refusal(manifest(tmp_path, "path\na.png\nb.png\n", "a.png"))
    assert error.message == "manifest.csv, line 3: there is no file 'b.png'"


@pytest.mark.parametrize("name", ["../x.png", "/etc/hosts", "a/../../x.png"])
def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    assert "leads out" in refusal(manifest(tmp_path, f"path\n{name}\n")).message


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("path,labels\na.png\n", "line 2: the row has 1 cells; the header has 2"),
        ('path,labels\na.png,"open\n', "line"),
        ("", "has no column 'path'"),
        ("path,path\na.png,b.png\n", "more than once"),
        ("path\n", "holds no images"),
        ("path,labels\n,x\n", "line 2: path is ''"),
    ],
)
def test_a_broken_table_is_refused(tmp_path: Path, text: str, why: str) -> None:
    assert why in refusal(manifest(tmp_path, text, "a.png")).message
