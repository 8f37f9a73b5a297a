"""Training recipes as data."""

from pathlib import Path

import pytest

from xmirad.errors import InvalidRequestError
from xmirad.training.losses import make_loss
from xmirad.training.recipe import TrainingRecipe, read_recipe, recipe_names


def test_the_recipes_that_come_with_the_software_are_valid() -> None:
    assert recipe_names() == ["covidx", "isic2017", "xmir"]
    assert [read_recipe(name).name for name in recipe_names()] == ["covidx-lite0", "isic2017-lite0", "xmir-densenet121"]


def test_the_paper_s_recipe_is_triplet_batch_all_with_its_published_values() -> None:
    recipe = read_recipe("xmir")
    assert (recipe.loss.kind, recipe.loss.triplets, recipe.loss.margin) == ("triplet", "all", None)
    assert make_loss(recipe.loss, classes=3, embedding_size=8).loss.margin == 0.2
    assert recipe.batch.classes == 3
    assert (recipe.batch.images_per_class, recipe.optimizer.learning_rate, recipe.epochs) == (16, 1e-4, 20)
    assert (recipe.optimizer.schedule, recipe.optimizer.weight_decay, recipe.head_size) == ("constant", 0.0, None)


def test_chest_radiographs_are_never_mirrored_by_the_recipe_for_them() -> None:
    augmentation = read_recipe("covidx").augmentation
    assert not augmentation.horizontal_flip
    assert not augmentation.vertical_flip


def test_any_change_of_a_recipe_changes_its_digest() -> None:
    recipe = read_recipe("covidx")
    assert recipe.changed({"seed": 1}).digest != recipe.digest
    assert recipe.changed({}).digest == recipe.digest == recipe.changed({"name": "another"}).digest


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = 'a'\nepochs = 0", "epochs"),
        ("name = 'a'\nlearning_rate = 1.0", "learning_rate"),
        ("name = 'a'\n[loss]\nkind = 'softmax'", "loss.kind"),
        ("name = 'A B'", "name"),
        ("name = 'a'\nfrozen_epochs = 1", "head_size"),
        ("name = 'a'\n[validation]\nshare = 1.0", "validation.share"),
        ("name =", "no TOML"),
        ("name = 'a'\n[loss]\nkind = 'triplet'\ntemperature = 0.1", "temperature is no field of the loss triplet"),
        ("name = 'a'\n[validation]\nsplit = 'train'", "validation.split"),
        ("name = 'a'\ntraining_split = 'all'\n[validation]\nsplit = 'validation'", "validation.split"),
    ],
)
def test_a_recipe_that_is_not_valid_is_refused_with_its_field(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(text)
    with pytest.raises(InvalidRequestError, match=told):
        read_recipe(str(file))


def test_an_unknown_recipe_is_refused_naming_the_known_ones() -> None:
    with pytest.raises(InvalidRequestError, match="covidx, isic2017, xmir"):
        read_recipe("covidy")


def test_a_change_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="seed"):
        TrainingRecipe(name="a").changed({"seed": -1})


def test_small_crops_come_first_and_full_ones_last_in_equal_parts() -> None:
    recipe = TrainingRecipe.model_validate(
        {"name": "a", "epochs": 8, "augmentation": {"crop": "random", "sizes": [128, 160, 224]}}
    )
    assert [recipe.crop_size(epoch, full=224) for epoch in range(8)] == [128, 128, 128, 160, 160, 160, 224, 224]
    assert TrainingRecipe(name="a").crop_size(5, full=224) == 224


def test_sizes_without_random_crops_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="need random crops"):
        TrainingRecipe(name="a").changed({"augmentation": {"sizes": [128]}})
