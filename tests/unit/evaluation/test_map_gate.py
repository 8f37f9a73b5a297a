from pathlib import Path

import pytest

from support.sample_report import sample
from xmirad.errors import InvalidRequestError
from xmirad.evaluation.gate import map_shortfall


def test_a_report_passes_at_its_own_value_and_fails_above_it(tmp_path: Path) -> None:
    report, _ = sample(tmp_path)
    value = report.overall.figures["mean_average_precision"].value
    assert map_shortfall(report, min_map=value) is None
    assert map_shortfall(report, min_map=0) is None
    sentence = map_shortfall(report, min_map=value + 0.001)
    assert sentence is not None
    assert sentence.startswith(f"mean_average_precision is {value:.4f}, below the required ")


@pytest.mark.parametrize("minimum", [-0.1, 1.1, float("nan")])
def test_a_minimum_that_no_figure_can_have_is_refused(tmp_path: Path, minimum: float) -> None:
    report, _ = sample(tmp_path)
    with pytest.raises(InvalidRequestError) as caught:
        map_shortfall(report, min_map=minimum)
    assert caught.value.field == "min_map"
