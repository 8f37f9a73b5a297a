import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from support.calibrations import calibration
from support.fake_evaluation import write_pixels
from xmirad.cli.commands.archive_calibrate import default_split
from xmirad.cli.exit_codes import ExitCode
from xmirad.cli.main import app
from xmirad.client.types import ArchiveInfo
from xmirad.datasets import Dataset
from xmirad.datasets.dataset import Layout
from xmirad.errors import CalibrationRefusedError, InvalidRequestError
from xmirad.evaluation.calibrating import Calibrated
from xmirad.evaluation.options import Stage
from xmirad.evaluation.report_parts import Failure


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Answer as a service would, and remember what was asked."""
    asked: dict[str, Any] = {"failures": (), "fitted": calibration(), "refusal": None}

    @contextmanager
    def connected(*_: object, **__: object) -> Iterator[None]:
        yield None

    def calibrate(client: object, archive: str, dataset: Dataset, *, progress: Any) -> Calibrated:  # noqa: ANN401
        asked.update(archive=archive, dataset=dataset)
        progress(Stage.SEARCH, 2, 2)
        if asked["refusal"]:
            raise asked["refusal"]
        info = ArchiveInfo(f"archives/{archive}", "models/m", None, 2, None)  # type: ignore[arg-type]
        return Calibrated(info, asked["fitted"], 0, asked["failures"])

    monkeypatch.setattr("xmirad.cli.commands.archive_calibrate.connected", connected)
    monkeypatch.setattr("xmirad.evaluation.calibrating.calibrate_archive", calibrate)
    return asked


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for kind in ("melanoma", "nevus"):
        write_pixels(tmp_path / "data" / kind / f"{kind}.png", [1, 2, 3])
    return tmp_path / "data"


def _run(*words: str) -> Result:
    return CliRunner().invoke(app, ["archive", "calibrate", *words])


def test_calibrate_prints_what_was_fitted_and_on_how_many_images(asked: dict[str, Any], data: Path) -> None:
    result = _run("skin", "--data", str(data))
    assert result.exit_code == 0, result.output
    assert (asked["archive"], len(asked["dataset"].items)) == ("skin", 2)
    assert "archives/skin: calibrated on 147 images of 2 labels" in result.stdout
    rows = [line.rsplit(maxsplit=1) for line in result.stdout.splitlines()]
    for row in (
        ["temperature", "0.0500"],
        ["expected calibration error before", "0.2000"],
        ["expected calibration error after, on 5 held-out folds", "0.0500"],
        ["pseudo-count", "0.3000"],
        ["labels that there are", "3"],
        ["images (n)", "147"],
    ):
        assert row in rows
    assert "Searching data: 2/2" in result.stderr


def test_calibrate_prints_json_and_exits_with_the_code_of_partial_failure(asked: dict[str, Any], data: Path) -> None:
    asked["failures"] = (Failure("odd.png", Stage.SEARCH, "IMAGE_UNDECODABLE", "no image"),)
    result = _run("skin", "--data", str(data), "--json")
    assert json.loads(result.stdout)["calibration"]["queries"] == 147
    assert "failed: odd.png: no image [IMAGE_UNDECODABLE]" in result.stderr
    assert result.exit_code == ExitCode.PARTLY_FAILED


def test_a_refused_calibration_ends_with_a_code_of_its_own_and_never_says_calibrated(
    asked: dict[str, Any], data: Path
) -> None:
    asked["refusal"] = CalibrationRefusedError("the calibration is refused: the temperature is at its highest")
    result = _run("skin", "--data", str(data))
    assert result.exit_code == ExitCode.CALIBRATION_REFUSED
    assert "the temperature is at its highest" in result.stderr
    assert "calibrated on" not in result.output


def test_a_fine_tuned_trunk_is_said_to_claim_nothing(asked: dict[str, Any], data: Path) -> None:
    asked["fitted"] = calibration(distance_threshold=None)
    result = _run("skin", "--data", str(data))
    assert "no out-of-distribution claim: the model's trunk was fine-tuned" in result.stdout


def test_a_layout_with_splits_is_never_calibrated_with_the_test_split_unasked() -> None:
    assert default_split(Layout.ISIC2017) == "validation"
    assert default_split(Layout.FOLDER) is None
    assert default_split(Layout.MANIFEST) is None
    with pytest.raises(InvalidRequestError, match="no validation split"):
        default_split(Layout.COVIDX)


def test_data_that_is_not_there_is_named(asked: dict[str, Any], tmp_path: Path) -> None:
    result = _run("skin", "--data", str(tmp_path / "nowhere"))
    assert result.exit_code == ExitCode.USAGE
    assert "there is nothing at" in result.stderr
