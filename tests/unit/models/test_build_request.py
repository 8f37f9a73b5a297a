import re
import subprocess
import sys
from pathlib import Path

import pytest

from xmirad.errors import InvalidRequestError
from xmirad.models.building import build_model
from xmirad.models.building.request import BuildRequest

FILE = Path("weights.pth")


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (BuildRequest("efficientnet-lite0-imagenet"), "efficientnet-lite0-imagenet"),
        (BuildRequest("efficientnet-lite0", random_weights=True), "efficientnet-lite0-random-seed0"),
        (BuildRequest("densenet121", random_weights=True, seed=7), "densenet121-random-seed7"),
        (BuildRequest("densenet121", random_weights=True, head_size=256), "densenet121-random-seed0-head256"),
        (BuildRequest("efficientnet-lite0-imagenet", head_size=8), "efficientnet-lite0-imagenet-head8-seed0"),
        (BuildRequest("resnet50", state_dict=FILE), "resnet50-custom"),
        (BuildRequest("resnet50", state_dict=FILE, head=FILE), "resnet50-custom-head"),
        (BuildRequest("resnet50", state_dict=FILE, save_as="skin-2"), "skin-2"),
    ],
)
def test_models_have_telling_names(request_: BuildRequest, name: str) -> None:
    assert request_.name == name


def refused(field: str, model: str, **options: object) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        BuildRequest(model, **options)  # type: ignore[arg-type]
    assert caught.value.field == field
    return caught.value.message


def test_an_unknown_model_is_refused_and_the_known_ones_named() -> None:
    message = refused("model", "densenet121-imagenet")

    for known in ("efficientnet-lite0-imagenet", "densenet121", "resnet50", "resnet18"):
        assert re.search(rf"\b{known}\b", message)


def test_weights_come_from_exactly_one_place() -> None:
    refused("state_dict", "densenet121")
    refused("random_weights", "densenet121", state_dict=FILE, random_weights=True)
    refused("state_dict", "efficientnet-lite0-imagenet", state_dict=FILE)
    refused("random_weights", "efficientnet-lite0-imagenet", random_weights=True)


def test_a_head_comes_from_one_place_and_has_a_sensible_size() -> None:
    refused("head_size", "resnet18", random_weights=True, head=FILE, head_size=4)
    refused("head_size", "resnet18", random_weights=True, head_size=0)
    refused("head_size", "resnet18", random_weights=True, head_size=10**9)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    refused("seed", "resnet18", random_weights=True, seed=seed)


@pytest.mark.parametrize("name", ["Über", "a/b", "-a", "a" * 64, "A"])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    refused("save_as", "resnet18", random_weights=True, save_as=name)


def test_bad_combinations_are_refused_without_importing_torch(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from xmirad.errors import InvalidRequestError\n"
        "from xmirad.models.building import build_model\n"
        "try:\n    build_model('densenet121', pathlib.Path('unused'))\n"
        "except InvalidRequestError:\n    print('torch' in sys.modules, 'openvino' in sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)

    assert result.stdout == "False False\n"
    assert list(tmp_path.iterdir()) == []


def test_building_without_torch_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmirad.models.building.find_spec", lambda _: None)

    with pytest.raises(InvalidRequestError, match=r"xmirad\[train\]"):
        build_model("resnet18", tmp_path, random_weights=True)
