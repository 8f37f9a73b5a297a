import unicodedata
from pathlib import Path

import pytest

from xmirad.datasets import DatasetItem, read_dataset
from xmirad.datasets.selection import Selection
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
    (warning,) = dataset.warnings
    assert warning.startswith(
        "manifest.csv: ignored the unknown column 'lables' (did you mean labels?); known are: path,"
    )


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
    assert error.message.startswith("manifest.csv, line 3: there is no file 'b.png'; --skip-missing")


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


@pytest.mark.parametrize("header", ["Path,Labels,Patient ID", "PATH, LABELS ,patient-id", "path,labels,patient_id"])
def test_columns_are_known_in_any_spelling(tmp_path: Path, header: str) -> None:
    (item,) = read_dataset(manifest(tmp_path, f"{header}\na.png,x,p1\n", "a.png")).items
    assert (item.attributes.labels, item.patient) == (("x",), Patient("p1"))


def test_a_column_named_twice_in_other_spellings_is_refused(tmp_path: Path) -> None:
    error = refusal(manifest(tmp_path, "path,Labels,labels\na.png,x,y\n", "a.png"))
    assert "names the column 'labels' more than once" in error.message


@pytest.mark.parametrize(
    ("column", "meant"),
    [
        ("label", "labels"),
        ("class", "labels"),
        ("Finding Labels", "labels"),
        ("PatientID", "patient_id"),
        ("gender", "sex"),
    ],
)
def test_an_unknown_column_is_ignored_with_the_one_that_was_meant(tmp_path: Path, column: str, meant: str) -> None:
    (warning,) = read_dataset(manifest(tmp_path, f"path,{column}\na.png,x\n", "a.png")).warnings
    assert f"ignored the unknown column {column!r} (did you mean {meant}?); known are: path, external_id" in warning


def test_a_table_without_the_path_says_which_column_may_be_it(tmp_path: Path) -> None:
    error = refusal(manifest(tmp_path, "Image Path,labels\na.png,x\n", "a.png"))
    assert (
        "has no column 'path'; is it 'Image Path'? Rename that to 'path'; known are: path, external_id" in error.message
    )


@pytest.mark.parametrize(("separator", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_table_separated_by_something_else_says_so(tmp_path: Path, separator: str, word: str) -> None:
    error = refusal(manifest(tmp_path, f"path{separator}labels\na.png{separator}x\n", "a.png"))
    assert f"its cells seem to be separated by {word}; they must be separated by commas" in error.message


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    path = manifest(tmp_path, "", "a.png")
    path.write_bytes(b"\xef\xbb\xbfpath,labels\r\na.png,x\r\n")
    assert read_dataset(path).items[0].attributes.labels == ("x",)


def test_backslashes_and_other_unicode_forms_find_the_file(tmp_path: Path) -> None:
    stored = unicodedata.normalize("NFD", "\u00fc/\u00e4.PNG")
    listed = unicodedata.normalize("NFC", "\u00fc\\\u00e4.png")
    (item,) = read_dataset(manifest(tmp_path, f"path\n{listed}\n", stored)).items
    assert item.path == tmp_path / stored


def test_a_file_with_a_backslash_in_its_name_is_found_first(tmp_path: Path) -> None:
    (item,) = read_dataset(manifest(tmp_path, "path\na\\b.png\n", "a\\b.png", "a/b.png")).items
    assert item.path.name == "a\\b.png"


def test_absolute_paths_need_a_root_that_they_lie_in(tmp_path: Path) -> None:
    images = tmp_path / "images"
    (images / "a").mkdir(parents=True)
    (images / "a" / "1.png").write_bytes(b"1")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = manifest(tmp_path, f"path,labels\n{images}/a/1.png,x\na/1.png,x\n")
    error = refusal(path)
    assert "--root FOLDER allows absolute names in that folder" in error.message
    dataset = read_dataset(path, selection=Selection(images=images))
    assert [item.path for item in dataset.items] == [images / "a" / "1.png"] * 2
    assert len(read_dataset(path, selection=Selection(images=images, include=("a",))).items) == 2
    with pytest.raises(InvalidRequestError, match="absolute names must lie in"):
        read_dataset(path, selection=Selection(images=elsewhere))


@pytest.mark.parametrize("name", ["{root}/../secret.png", "C:\\x.png", "../secret.png"])
def test_a_root_lets_nothing_lead_out_of_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "images").mkdir()
    path = manifest(tmp_path, f"path\n{name.format(root=tmp_path / 'images')}\n")
    with pytest.raises(InvalidRequestError, match="leads out"):
        read_dataset(path, selection=Selection(images=tmp_path / "images"))


@pytest.mark.parametrize("separator", ["|", ","])
def test_labels_that_look_like_several_are_warned_of_with_the_remedy(tmp_path: Path, separator: str) -> None:
    text = f'path,labels\na.png,"Atelectasis{separator}Effusion"\nb.png,Effusion;Edema\n'
    dataset = read_dataset(manifest(tmp_path, text, "a.png", "b.png"))
    assert dataset.items[1].attributes.labels == ("Effusion", "Edema")
    (warning,) = dataset.warnings
    assert warning.startswith(f"labels with a {separator!r} in them: 1, such as 'Atelectasis{separator}Effusion'")
    assert "separate them by ';'" in warning


def test_missing_files_of_another_split_are_not_missed(tmp_path: Path) -> None:
    path = manifest(tmp_path, "path,split\na.png,train\ngone.png,test\n", "a.png")
    assert len(read_dataset(path, split="training").items) == 1
    assert "'gone.png'" in refusal(path, split="test").message
