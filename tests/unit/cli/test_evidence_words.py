import pytest

from xmirad.cli.evidence_words import evidence_lines
from xmirad.evidence.weighing import Evidence, LabelEvidence

MELANOMA, NEVUS = LabelEvidence("melanoma", 0.714, 9), LabelEvidence("nevus", 0.286, 1)
COUNTED = (LabelEvidence("melanoma", None, 9), LabelEvidence("nevus", None, 1))
NO_CLAIM = "no out-of-distribution claim: nothing untrained is known of this query to take a distance in"

OUTSIDE = (
    "nothing in the archive looks like this: mean distance 0.410, while 95 % of the calibration images stay within "
    "0.300; no label is named, and the items are only the least unlike"
)


@pytest.mark.parametrize(
    ("evidence", "lines"),
    [
        (
            Evidence((MELANOMA, NEVUS), 10, 0, 0.2, True, 147, 0.3, False),
            ["9 of 10 nearest: melanoma, confidence 0.71 (calibrated on 147 images)", "other labels: nevus 0.29 (1)"],
        ),
        (
            Evidence((MELANOMA,), 10, 0, 0.2, True, 147),
            ["9 of 10 nearest: melanoma, confidence 0.71 (calibrated on 147 images)", NO_CLAIM],
        ),
        (
            Evidence(COUNTED, 10, 0, 0.2),
            [
                "9 of 10 nearest: melanoma (not calibrated for this search: no confidence; see "
                "`xmirad archive calibrate`)",
                "other labels: nevus (1)",
            ],
        ),
        (
            Evidence((), 10, 4, 0.41, True, 147, 0.3, True),
            [OUTSIDE, "items not counted, because they show the same patient: 4"],
        ),
        (Evidence((), 10, 0, 0.2), ["the 10 nearest carry no label"]),
        (Evidence((), 0, 0, None), ["nothing to count"]),
    ],
)
def test_evidence_is_said_in_plain_words(evidence: Evidence, lines: list[str]) -> None:
    assert evidence_lines(evidence) == lines


def test_nothing_is_named_out_of_distribution_even_if_an_older_service_does() -> None:
    assert evidence_lines(Evidence((MELANOMA,), 10, 0, 0.41, True, 147, 0.3, True)) == [OUTSIDE]
