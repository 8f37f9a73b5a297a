"""The report of a fixed evaluation, as it was when somebody last looked at it.

After a wanted change: `XMIRAD_WRITE_GOLDEN=1 pytest tests/golden/test_golden_report.py`, then read the difference.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from support.sample_report import SALIENCY, sample
from xmirad.evaluation.report_json import to_json

GOLDEN = Path(__file__).with_name("evaluation_report.json")
TOLERANCE = 1e-6
"""A golden-section search knows the place of a minimum to the square root of the float precision, about 1.5e-8."""


def same(found: Any, expected: Any, where: str = "report") -> None:  # noqa: ANN401 - any JSON value
    """Fail where two documents differ by more than rounding, and say where."""
    if isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key in expected:
            same(found[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for index, each in enumerate(expected):
            same(found[index], each, f"{where}[{index}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=TOLERANCE), where
    else:
        assert found == expected, where


def test_the_report_is_what_it_was(tmp_path: Path) -> None:
    text = to_json(sample(tmp_path, saliency=SALIENCY, feedback_rounds=2)[0])
    if os.environ.get("XMIRAD_WRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    same(json.loads(text), json.loads(GOLDEN.read_text(encoding="utf-8")))
