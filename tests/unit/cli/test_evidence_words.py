import pytest

from xmirad.cli.evidence_words import evidence_lines
from xmirad.evidence.weighing import Evidence, LabelEvidence

MELANOMA, NEVUS = LabelEvidence("melanoma", 0.714, 9), LabelEvidence("nevus", 0.286, 1)


@pytest.mark.parametrize(
    ("evidence", "lines"),
    [
        (
            Evidence((MELANOMA, NEVUS), 10, 0, 0.2, True, 147, 0.3, False),
            ["9 of 10 nearest: melanoma, confidence 0.71 (calibrated on 147 images)", "other labels: nevus 0.29 (1)"],
        ),
        (Evidence((MELANOMA,), 10, 0, 0.2), ["9 of 10 nearest: melanoma, confidence 0.71 (not calibrated)"]),
        (
            Evidence((MELANOMA,), 10, 4, 0.41, True, 147, 0.3, True),
            [
                "nothing in the archive looks like this: mean distance 0.410, while 95 % of the "
                "calibration images stay within 0.300; do not rely on what follows",
                "9 of 10 nearest: melanoma, confidence 0.71 (calibrated on 147 images)",
                "not counted, because they show the same patient: 4 items",
            ],
        ),
        (Evidence((), 10, 0, 0.2), ["the 10 nearest carry no label"]),
        (Evidence((), 0, 0, None), ["nothing to count"]),
    ],
)
def test_evidence_is_said_in_plain_words(evidence: Evidence, lines: list[str]) -> None:
    assert evidence_lines(evidence) == lines
