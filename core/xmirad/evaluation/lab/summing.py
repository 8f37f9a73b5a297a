"""Everything that the lab finds in the answers to an evaluation's queries."""

from collections.abc import Sequence

from xmirad.evaluation.answering import Answers
from xmirad.evaluation.collecting import Collector
from xmirad.evaluation.lab.calibrating import calibration
from xmirad.evaluation.lab.curves import confusion, curves
from xmirad.evaluation.lab.detecting import left_out_classes
from xmirad.evaluation.lab.findings import Detection, LabFindings
from xmirad.evaluation.lab.sources import source_study
from xmirad.evaluation.lab.studying import NEIGHBORS
from xmirad.evaluation.options import EvaluationOptions


def lab_findings(
    collector: Collector,
    *,
    validation: Answers | None,
    other_data: Sequence[Detection],
    options: EvaluationOptions,
) -> LabFindings:
    """Sum up.

    Args:
        collector: The evaluated queries.
        validation: Answers to fit the temperature of confidences on; None: folds of the evaluated queries.
        other_data: What came of searching with another data set's images.
        options: Seed and number of draws of the bootstrap.
    """
    return LabFindings(
        confusion=confusion(collector),
        curves=curves(collector),
        sources=source_study(collector, options),
        calibration=calibration(collector, validation, options),
        detections=(*other_data, *left_out_classes(collector, options)),
        neighbors=NEIGHBORS,
    )
