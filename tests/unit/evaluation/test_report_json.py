import json
from pathlib import Path

import pytest

from support.sample_report import SALIENCY, sample
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.options import SaliencyOptions
from xmirad.evaluation.report_json import SCHEMA, from_json, to_json


@pytest.mark.parametrize("saliency", [None, SALIENCY])
def test_a_report_survives_the_way_to_json_and_back(tmp_path: Path, saliency: SaliencyOptions | None) -> None:
    report, _ = sample(tmp_path, saliency=saliency)
    assert from_json(to_json(report)) == report


def test_the_document_says_which_schema_it_follows(tmp_path: Path) -> None:
    report, _ = sample(tmp_path)
    document = json.loads(to_json(report))
    assert document["schema"] == SCHEMA == "xmirad.evaluation/1"
    assert set(document["overall"]["figures"]["mean_average_precision"]) == {"value", "low", "high"}
    assert document["failures"][0]["stage"] == "upload"
    assert document["cutoff"] is None


def test_fields_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    report, _ = sample(tmp_path)
    document = json.loads(to_json(report)) | {"later": 1}
    assert from_json(json.dumps(document)) == report


def test_a_report_of_an_earlier_version_has_no_saliency(tmp_path: Path) -> None:
    report, _ = sample(tmp_path)
    document = json.loads(to_json(report))
    del document["saliency"]
    assert from_json(json.dumps(document)) == report


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "other/1"}', '{"schema": "xmirad.evaluation/1"}', '{"schema": 1}']
)
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        from_json(text)


def test_a_field_of_another_type_is_refused(tmp_path: Path) -> None:
    report, _ = sample(tmp_path)
    document = json.loads(to_json(report)) | {"seed": "three"}
    with pytest.raises(InvalidRequestError, match="three"):
        from_json(json.dumps(document))
