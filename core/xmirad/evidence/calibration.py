"""What an archive's evidence is calibrated with, how that is found, and when it is refused."""

from dataclasses import dataclass

import numpy as np

from xmirad.errors import CalibrationRefusedError, InvalidRequestError
from xmirad.evidence.distances import NEIGHBORS, FeatureReference, distance_threshold, distance_to_nearest
from xmirad.evidence.fitting import (
    FOLDS,
    IntArray,
    LabeledNeighbors,
    bound_reached,
    deal_into_folds,
    fit_vote,
    held_out_answers,
)
from xmirad.evidence.voting import UNFITTED, BoolArray, Float64Array, Vote
from xmirad.metrics.calibration import expected_calibration_error

MIN_CALIBRATION_QUERIES = 20
MIN_CALIBRATION_LABELS = 2
FOLD_SEED = 12
REPEATS = 5
LATEST_CREATED = 253_402_300_799.0
"""The last second of the year 9999, beyond which no calendar goes."""


@dataclass(frozen=True, slots=True)
class EvidenceCalibration:
    """What turns the nearest items of an archive into evidence; valid for one model.

    Attributes:
        temperature: Of the vote; above 0, in units of the score.
        pseudo_count: Of the vote; above 0, in units of all neighbors together.
        label_count: How many labels there are: those of the validation images and of the items nearest to them.
        distance_threshold: Mean distance to the nearest beyond which a query is out of distribution, 0 to 2; None where
            nothing is claimed, because the model's trunk was trained for the labels.
        neighbors: How many nearest items vote.
        labels: The labels that the validation queries carry, sorted.
        queries: How many validation queries it was fitted on.
        folds: In how many folds it was tried on queries that it was not fitted to.
        error_before: Expected calibration error over these at temperature 1 without a pseudo-count; 0 to 1.
        error_after: The same of the fitted vote, each fold judged by the others' fit; below `error_before`.
        model_digest: Digest of the model.
        data_digest: SHA-256 over the validation images' digests and labels, hexadecimal.
        created: When it was fitted, in seconds since the epoch; 0 to `LATEST_CREATED`.
        reference: Untrained features of validation images that distances are taken to; None where they are taken to the
            archive's items, in the embedding.
    """

    temperature: float
    pseudo_count: float
    label_count: int
    distance_threshold: float | None
    neighbors: int
    labels: tuple[str, ...]
    queries: int
    folds: int
    error_before: float
    error_after: float
    model_digest: str
    data_digest: str
    created: float
    reference: FeatureReference | None = None

    @property
    def vote(self) -> Vote:
        """How neighbors are weighed."""
        return Vote(self.temperature, self.pseudo_count)


@dataclass(frozen=True, slots=True, eq=False)
class Neighborhoods:
    """Validation queries and their nearest items.

    Attributes:
        labels: Names of the L labels, sorted.
        scores: `[Q, K]`, cosine similarities, best first; -inf for an item that is not there.
        has_label: `[Q, K, L]`, which labels each item carries.
        truth: `[Q, L]`, which labels each query carries.
        groups: `[Q]`, a number for each patient; queries of unknown patients have one of their own.
    """

    labels: tuple[str, ...]
    scores: Float64Array
    has_label: BoolArray
    truth: BoolArray
    groups: IntArray


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a calibration comes from; see `EvidenceCalibration`."""

    model_digest: str
    data_digest: str
    created: float


def calibrate(
    found: Neighborhoods,
    provenance: Provenance,
    *,
    reference: FeatureReference | None = None,
    claims_distance: bool = True,
) -> EvidenceCalibration:
    """Fit the vote and the threshold, and try the vote on queries that it was not fitted to.

    Queries without a label, or without a labeled item among their nearest, tell nothing and are passed over; so are
    those with fewer than 10 nearest items, of which the threshold and the vote of 10 would be another.

    Args:
        found: The queries.
        provenance: Where they come from.
        reference: Untrained features to take distances to, or None: the scores are distances enough.
        claims_distance: Whether a threshold is wanted.

    Raises:
        InvalidRequestError: If fewer than 20 queries are left, or they carry fewer than two labels.
        CalibrationRefusedError: If the fit ends at a bound of its search, or does not lower the expected calibration
            error on held-out folds.
    """
    present = np.isfinite(found.scores)
    told = found.truth.any(axis=1) & (present & found.has_label.any(axis=2)).any(axis=1)
    told &= present.sum(axis=1) >= NEIGHBORS
    usable = LabeledNeighbors(found.scores[told], found.has_label[told], found.truth[told])
    carried = tuple(found.labels[at] for at in np.flatnonzero(usable.truth.any(axis=0)))
    _require(len(usable), MIN_CALIBRATION_QUERIES, f"labeled validation images with {NEIGHBORS} items nearest to them")
    _require(len(carried), MIN_CALIBRATION_LABELS, "labels among the validation images")
    groups = found.groups[told]
    _require(len(np.unique(groups)), 2, "patients among the validation images")
    vote = fit_vote(usable)
    before = expected_calibration_error(*usable.answers(UNFITTED))
    after = held_out_error(usable, groups)
    _accept(vote, before=before, after=after, queries=len(usable))
    return EvidenceCalibration(
        temperature=vote.temperature,
        pseudo_count=vote.pseudo_count,
        label_count=len(found.labels),
        distance_threshold=_threshold(usable.scores, reference) if claims_distance else None,
        neighbors=NEIGHBORS,
        labels=carried,
        queries=len(usable),
        folds=min(FOLDS, len(np.unique(groups))),
        error_before=before,
        error_after=after,
        model_digest=provenance.model_digest,
        data_digest=provenance.data_digest,
        created=provenance.created,
        reference=reference if claims_distance else None,
    )


def held_out_error(found: LabeledNeighbors, groups: IntArray) -> float:
    """Return the expected calibration error, over 15 equal-mass bins, of votes that were fitted to other queries.

    Five held-out folds, dealt out anew five times, and the mean over these: with some hundred queries a bin holds ten
    of them, and the error of a single deal depends on the deal by a fifth of itself.

    Args:
        found: The queries; all carry a label.
        groups: `[Q]`, what must not be divided, such as a number for each patient; at least two different ones.
    """
    deals = [deal_into_folds(groups, seed=FOLD_SEED + repeat) for repeat in range(REPEATS)]
    return float(np.mean([expected_calibration_error(*held_out_answers(found, folds)[1:]) for folds in deals]))


def _threshold(scores: Float64Array, reference: FeatureReference | None) -> float:
    return distance_threshold(distance_to_nearest(scores) if reference is None else reference.own_distances())


def _accept(vote: Vote, *, before: float, after: float, queries: int) -> None:
    """Refuse a fit that has gone wrong, and say what can be done."""
    bound = bound_reached(vote)
    if not bound and after < before:
        return
    why = bound or "it does not lower the error of the vote as it is"
    message = (
        f"the calibration is refused: {why}. Expected calibration error on {FOLDS} held-out folds: {before:.4f} "
        f"before, {after:.4f} after (n = {queries}; temperature {vote.temperature:.4g}, pseudo-count "
        f"{vote.pseudo_count:.4g}). Calibrate with more labeled images, of the hospitals, devices and mix of classes "
        "that the archive is searched for; without a calibration answers have counts and no confidence"
    )
    figures = {"error_before": f"{before:.6f}", "error_after": f"{after:.6f}", "queries": str(queries)}
    fitted = {"temperature": f"{vote.temperature:.6g}", "pseudo_count": f"{vote.pseudo_count:.6g}"}
    raise CalibrationRefusedError(message, field="data", metadata={**figures, **fitted, "bound": bound})


def _require(count: int, minimum: int, what: str) -> None:
    if count < minimum:
        message = f"calibration needs at least {minimum} {what}; there are {count}"
        raise InvalidRequestError(message, field="data", metadata={"minimum": str(minimum), "count": str(count)})
