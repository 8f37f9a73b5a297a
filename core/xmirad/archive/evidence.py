"""Finds the items whose labels are evidence for a query, on top of plain queries and the same for every store."""

import time
from dataclasses import dataclass, replace

from xmirad.archive.conditions import All, AnyOf, Not, PayloadField
from xmirad.archive.filters import conditions_of
from xmirad.archive.port import SearchableArchive
from xmirad.archive.search import RankedItem, SearchOutcome, SearchQuery, search_archive
from xmirad.evidence.distances import NEIGHBORS
from xmirad.evidence.weighing import Neighbor
from xmirad.types import ItemFilter, PatientPolicy

AS_ASKED = frozenset({PatientPolicy.INCLUDE, PatientPolicy.FLAG, PatientPolicy.EXCLUDE})
"""The policies whose results are the nearest items in order, or these without the query's patient."""

SPARE_RESULTS = 6
"""How many results beyond those that count may be the query's own image or patient without a second query."""


@dataclass(frozen=True, slots=True)
class EvidenceItems:
    """The items that count.

    Attributes:
        neighbors: The nearest items that take part, at most 10, best first, without the query's image and patient.
        same_patient_items: How many that take part show the query's patient; its own image not counted.
        seconds: Time spent on finding them.
    """

    neighbors: tuple[Neighbor, ...]
    same_patient_items: int
    seconds: float = 0.0


def search_with_evidence(
    archive: SearchableArchive, query: SearchQuery, *, own_image: str
) -> tuple[SearchOutcome, EvidenceItems]:
    """Return what a search finds, and the items that are evidence for its query.

    A few more results than wanted are asked for where that spares a second query of the store, which costs more.

    Args:
        archive: The archive.
        query: The search.
        own_image: Digest of the query's image; items of the same image never count.

    Raises:
        InvalidRequestError: As `search_archive`.
        ArchiveEmptyError: As `search_archive`.
    """
    can_be_used = query.with_payload and query.policy in AS_ASKED
    asked = max(query.top_k, NEIGHBORS + SPARE_RESULTS) if can_be_used else query.top_k
    wide = search_archive(archive, replace(query, top_k=asked))
    items = evidence_items(archive, query, wide, own_image=own_image)
    return replace(wide, results=wide.results[: query.top_k], seconds=wide.seconds + items.seconds), items


def evidence_items(
    archive: SearchableArchive, query: SearchQuery, outcome: SearchOutcome, *, own_image: str
) -> EvidenceItems:
    """Return the items that are evidence for a query.

    They are taken from the search's results where these hold them all, and else from a search of its own.

    Args:
        archive: The archive.
        query: The search.
        outcome: What it found, with at least as many results as it wants.
        own_image: Digest of the query's image; items of the same image never count.

    Raises:
        BackendUnavailableError: If the store does not answer.
    """
    begin = time.perf_counter()
    left_out = _same_patient_items(archive, query, own_image)
    found = _from_results(query, outcome, own_image)
    if found is None:
        found = _searched(archive, query, own_image)
    neighbors = tuple(
        Neighbor(each.score, each.payload.attributes.labels) for each in found if each.payload is not None
    )
    return EvidenceItems(neighbors, left_out, time.perf_counter() - begin)


def narrows(item_filter: ItemFilter) -> bool:
    """Return whether a filter asks for anything but items to leave out: confidences were not fitted for that."""
    return replace(item_filter, excluded_items=()) != ItemFilter()


def _searched(archive: SearchableArchive, query: SearchQuery, own_image: str) -> tuple[RankedItem, ...]:
    own = search_archive(
        archive,
        replace(
            query,
            top_k=NEIGHBORS,
            policy=PatientPolicy.INCLUDE if query.patient is None else PatientPolicy.EXCLUDE,
            excluded_image_digest=own_image,
            min_score=None,
            with_payload=True,
        ),
    )
    return own.results


def _from_results(query: SearchQuery, outcome: SearchOutcome, own_image: str) -> tuple[RankedItem, ...] | None:
    """Return the items among the results, or None where nearer ones may be missing there."""
    if not query.with_payload or query.policy not in AS_ASKED:
        return None
    counting = [
        found
        for found in outcome.results
        if found.payload is not None
        and found.payload.image_digest != own_image
        and (query.patient is None or found.payload.patient != query.patient)
    ]
    everything = query.min_score is None and len(outcome.results) == outcome.searched_items
    return tuple(counting[:NEIGHBORS]) if len(counting) >= NEIGHBORS or everything else None


def _same_patient_items(archive: SearchableArchive, query: SearchQuery, own_image: str) -> int:
    if query.patient is None:
        return 0
    taking_part = conditions_of(query.filter, site=query.site)
    same_patient = AnyOf(PayloadField.PATIENT, (query.patient,))
    return archive.count(All((taking_part, same_patient, Not(AnyOf(PayloadField.IMAGE_DIGEST, (own_image,))))))
