"""What is trained on, what validates, and what is refused."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from support.labeled_images import dataset_of, write_classes
from xmirad.datasets.selection import Selection
from xmirad.errors import InvalidRequestError
from xmirad.ids import image_digest
from xmirad.training.data import hold_out, patients_of, read_training_data
from xmirad.training.recipe import TrainingRecipe, read_recipe

RECIPE = TrainingRecipe.model_validate(
    {"name": "a", "training_split": "all", "validation": {"share": 0.25}, "batch": {"images_per_class": 4}}
)


def test_a_held_out_part_has_its_share_of_every_class_and_parts_no_patient() -> None:
    entries = [(f"{label}-{n}.png", label, f"{label}{n // 2}") for label in ("a", "b") for n in range(40)]
    training, validation = hold_out(dataset_of(entries), share=0.25, seed=3)
    assert len(training) + len(validation) == 80
    assert Counter(item.attributes.labels[0] for item in validation) == {"a": 10, "b": 10}
    assert not {item.patient for item in training} & {item.patient for item in validation}


def test_a_patient_with_more_images_than_the_share_stays_in_training() -> None:
    entries = [(f"a-{n}.png", "a", "big") for n in range(9)] + [(f"b-{n}.png", "b", f"p{n}") for n in range(8)]
    _, validation = hold_out(dataset_of(entries), share=0.25, seed=0)
    assert Counter(item.attributes.labels[0] for item in validation) == {"b": 2}


def test_the_same_seed_holds_out_the_same_images_and_another_one_others() -> None:
    entries = [(f"{label}-{n}.png", label, "") for label in ("a", "b") for n in range(30)]
    parts = [{item.path for item in hold_out(dataset_of(entries), share=0.2, seed=seed)[1]} for seed in (0, 0, 1)]
    assert parts[0] == parts[1] != parts[2]


def test_the_digest_names_content_and_labels_but_not_where_they_lie(tmp_path: Path) -> None:
    here = write_classes(tmp_path / "here", {"a": 12, "b": 12})
    there = shutil.copytree(here, tmp_path / "there")
    digests = [read_training_data(folder, RECIPE).digest for folder in (here, there)]
    (there / "a" / "a-0.png").rename(there / "b" / "a-00.png")
    assert digests[0] == digests[1] != read_training_data(there, RECIPE).digest


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"only": 12}, "only one class"),
        ({"a": 12, "b": 4}, r"class b has \d images to train on"),
        ({"a": 12, "b": 5}, r"class b has 1 images of 1 patients to validate with"),
    ],
)
def test_too_few_classes_or_images_are_refused(tmp_path: Path, counts: dict[str, int], told: str) -> None:
    with pytest.raises(InvalidRequestError, match=told):
        read_training_data(write_classes(tmp_path, counts), RECIPE)


def manifest(folder: Path, rows: list[str]) -> Path:
    (folder / "manifest.csv").write_text("\n".join(["path,labels,split,patient_id", *rows]) + "\n")
    return folder


def split_rows(*, shared_patient: bool) -> list[str]:
    rows = [f"{label}/{label}-{n}.png,{label},train,{label}{n}" for label in ("a", "b") for n in range(8)]
    patients = {"a": ("a0" if shared_patient else "a8", "a9"), "b": ("b8", "b9")}
    for label, both in patients.items():
        rows += [
            f"{label}/{label}-{n}.png,{label},validation,{patient}" for n, patient in zip((8, 9), both, strict=True)
        ]
    return rows


BY_SPLIT = RECIPE.changed({"training_split": "train", "validation": {"split": "validation"}})


def test_a_patient_to_train_on_and_to_validate_with_is_refused_and_named(tmp_path: Path) -> None:
    folder = manifest(write_classes(tmp_path, {"a": 10, "b": 10}), split_rows(shared_patient=True))
    with pytest.raises(InvalidRequestError, match=r"1 patients .*: a0"):
        read_training_data(folder, BY_SPLIT)


def test_a_copy_of_an_image_to_validate_with_is_left_out_of_training_with_a_warning(tmp_path: Path) -> None:
    folder = manifest(write_classes(tmp_path, {"a": 10, "b": 10}), split_rows(shared_patient=False))
    shutil.copy(folder / "a" / "a-8.png", folder / "a" / "a-0.png")
    data = read_training_data(folder, BY_SPLIT)
    assert len(data.training) == 15
    assert "a-0.png" in data.warnings[0]


def test_a_copy_of_a_test_image_is_left_out_of_training_and_validation_and_both_files_are_named(tmp_path: Path) -> None:
    rows = [*split_rows(shared_patient=False), "a/a-10.png,a,test,a10", "b/b-10.png,b,test,b10"]
    rows += ["b/b-11.png,b,validation,b11"]
    folder = manifest(write_classes(tmp_path, {"a": 11, "b": 12}), rows)
    shutil.copy(folder / "a" / "a-10.png", folder / "a" / "a-3.png")
    shutil.copy(folder / "b" / "b-10.png", folder / "b" / "b-11.png")
    data = read_training_data(folder, BY_SPLIT)
    assert "a-3.png" not in {item.path.name for item in data.training}
    assert (len(data.training), len(data.validation)) == (15, 4)
    told = "\n".join(data.warnings)
    assert all(name in told for name in ("a-3.png", "a-10.png", "b-11.png", "b-10.png"))
    tested = image_digest((folder / "a" / "a-10.png").read_bytes())
    assert tested not in (*data.images.training, *data.images.validation)


def test_the_digests_of_all_images_are_kept_sorted(tmp_path: Path) -> None:
    folder = manifest(write_classes(tmp_path, {"a": 10, "b": 10}), split_rows(shared_patient=False))
    data = read_training_data(folder, BY_SPLIT)
    for items, digests in ((data.training, data.images.training), (data.validation, data.images.validation)):
        assert list(digests) == sorted({image_digest(item.path.read_bytes()) for item in items})


@pytest.mark.parametrize("patients", [("a8", "a8"), ("a8", "")])
def test_one_validation_patient_a_class_is_refused_with_the_limit(tmp_path: Path, patients: tuple[str, str]) -> None:
    rows = split_rows(shared_patient=False)
    rows = [
        row.replace(",a8", f",{patients[0]}").replace(",a9", f",{patients[1]}") if ",validation," in row else row
        for row in rows
    ]
    folder = manifest(write_classes(tmp_path, {"a": 10, "b": 10}), rows)
    if patients[1]:
        with pytest.raises(InvalidRequestError, match=r"class a has 2 images of 1 patients .* at least 2 patients"):
            read_training_data(folder, BY_SPLIT)
    else:  # an image of an unknown patient is one of its own
        assert len(read_training_data(folder, BY_SPLIT).validation) == 4


def test_a_class_to_validate_with_that_is_not_trained_on_is_refused(tmp_path: Path) -> None:
    rows = [*split_rows(shared_patient=False), "c/c-0.png,c,validation,c0", "c/c-1.png,c,validation,c1"]
    folder = manifest(write_classes(tmp_path, {"a": 10, "b": 10, "c": 2}), rows)
    with pytest.raises(InvalidRequestError, match="class c"):
        read_training_data(folder, BY_SPLIT)


def test_training_reads_no_test_image(real_data: Path) -> None:
    data = read_training_data(real_data / "isic2017", read_recipe("isic2017"))
    assert {item.attributes.split for item in data.training} == {"train"}
    assert {item.attributes.split for item in data.validation} == {"validation"}


def test_a_patient_to_train_on_and_to_test_with_is_refused_and_named(tmp_path: Path) -> None:
    rows = [*split_rows(shared_patient=False), "a/a-10.png,a,test,a3"]
    folder = manifest(write_classes(tmp_path, {"a": 11, "b": 10}), rows)
    with pytest.raises(InvalidRequestError, match=r"1 patients have images to train on and to test with: a3"):
        read_training_data(folder, BY_SPLIT)


def test_test_images_are_never_trained_on(tmp_path: Path) -> None:
    rows = [row.replace(",train,", ",test,") for row in split_rows(shared_patient=False)]
    folder = manifest(write_classes(tmp_path, {"a": 10, "b": 10}), rows)
    with pytest.raises(InvalidRequestError, match="of the split test"):
        read_training_data(folder, BY_SPLIT.changed({"training_split": "test"}))


def test_a_folder_per_class_has_a_part_held_out_whatever_the_recipe_says(tmp_path: Path) -> None:
    data = read_training_data(write_classes(tmp_path, {"a": 16, "b": 16}), BY_SPLIT)
    assert (len(data.training), len(data.validation)) == (28, 4)


def test_known_patients_share_a_number_and_unknown_ones_have_their_own() -> None:
    items = dataset_of([("1", "a", "p"), ("2", "a", ""), ("3", "a", "p"), ("4", "a", "")]).items
    assert patients_of(items).tolist() == [0, 1, 0, 2]


def test_what_cannot_be_read_is_named_and_patterns_choose_what_is_trained_on(tmp_path: Path) -> None:
    folder = write_classes(tmp_path, {"a": 12, "b": 12, "masks": 12})
    (folder / "a" / "gone.png").symlink_to("/nonexistent/gone.png")
    data = read_training_data(folder, RECIPE, selection=Selection(exclude=("masks",)))
    assert data.classes == ("a", "b")
    assert data.warnings == (f"left out of training: {folder / 'a' / 'gone.png'} is a link to nothing",)


def test_splits_of_folders_are_those_of_the_recipe(tmp_path: Path) -> None:
    for split, count in (("train", 8), ("val", 3), ("test", 2)):
        write_classes(tmp_path / split, {label: count for label in ("a", "b")}, seed=count)
    recipe = RECIPE.changed({"training_split": "train", "validation": {"split": "validation"}})
    data = read_training_data(tmp_path, recipe)
    assert (len(data.training), len(data.validation)) == (16, 6)
    assert {item.attributes.split for item in data.training} == {"train"}
