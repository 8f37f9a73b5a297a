"""Search as a reader means it, on top of plain queries and the same for every store.

Equal scores are ordered by item id: a query is repeated with more results until the score changes behind the last one
wanted. Grouping by patient asks for a few times `top_k`, keeps the best item of every patient, and asks again without
the patients already seen; every round adds a patient or ends the search, so it always ends.
"""

import time
from dataclasses import dataclass, field

from xmirad.archive.conditions import All, AnyOf, Condition, ItemIs, Not, PayloadField
from xmirad.archive.embeddings import query_embedding
from xmirad.archive.filters import conditions_of, of_site
from xmirad.archive.port import ItemPayload, ScoredItem, SearchableArchive
from xmirad.errors import ArchiveEmptyError, InvalidRequestError
from xmirad.types import Float32Array, ItemFilter, PatientPolicy, SamePatient

GROUP_FACTOR = 4
"""How many items are asked for per patient wanted; measured to need 1.3 to 1.6 rounds."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to search an archive for.

    Attributes:
        embedding: The query's embedding, float32 `[embedding_size]`, any length but zero.
        top_k: How many results to return, from 1.
        filter: Which items take part.
        site: The site whose items take part.
        patient: Key of the query's patient, study or item, or None where nothing is known.
        patient_known: True if `patient` is the key of a patient.
        policy: What to do with items of that patient.
        excluded_item: Id of the one item to leave out, or None.
        excluded_image_digest: Digest of the image whose items to leave out, or None.
        min_score: Lowest score to return, or None.
        exact: Compare with every item.
        with_payload: Return payloads. Without them `same_patient` is not told either.
    """

    embedding: Float32Array
    top_k: int
    filter: ItemFilter = field(default_factory=ItemFilter)
    site: str = "local"
    patient: str | None = None
    patient_known: bool = False
    policy: PatientPolicy = PatientPolicy.INCLUDE
    excluded_item: str | None = None
    excluded_image_digest: str | None = None
    min_score: float | None = None
    exact: bool = False
    with_payload: bool = True


@dataclass(frozen=True, slots=True)
class RankedItem:
    """One result.

    Attributes:
        item: The item's id.
        rank: Its position, counted from 1.
        score: Cosine similarity, -1 to 1.
        payload: What is known of it; None where it was not asked for.
        same_patient: Whether it shows the query's patient; None where the policy does not compare.
    """

    item: str
    rank: int
    score: float
    payload: ItemPayload | None = None
    same_patient: SamePatient | None = None


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What a search found.

    Attributes:
        results: The results, best first; equal scores by item id.
        searched_items: How many items took part.
        exact: True if the query was compared with every one of them.
        seconds: Time spent in the store.
    """

    results: tuple[RankedItem, ...]
    searched_items: int
    exact: bool
    seconds: float


def search_archive(archive: SearchableArchive, query: SearchQuery) -> SearchOutcome:
    """Return the nearest items of a query.

    Raises:
        InvalidRequestError: If the embedding or a filter is not allowed, or a policy needs a patient that is not given.
        ArchiveEmptyError: If the archive holds no item of the site at all.
    """
    if query.top_k < 1:
        raise InvalidRequestError("top_k must be at least 1", field="top_k", metadata={"minimum": "1"})
    if query.policy in {PatientPolicy.EXCLUDE, PatientPolicy.FLAG} and query.patient is None:
        message = (
            f"patient is needed to {query.policy.value} items of the query's own patient; a placeholder such as "
            "ANONYMOUS names none"
        )
        raise InvalidRequestError(message, field="patient")
    return _Search(archive, query).run()


class _Search:
    """One search under way."""

    def __init__(self, archive: SearchableArchive, query: SearchQuery) -> None:
        size = archive.binding.embedding_size
        self._archive = archive
        self._query = query
        self._embedding = query_embedding(query.embedding, size, field="embedding.values")
        self._where = _conditions(query)
        self._seconds = 0.0

    def run(self) -> SearchOutcome:
        searched_items = self._count(self._where)
        if searched_items == 0 and self._count(of_site(self._query.site)) == 0:
            raise ArchiveEmptyError("the archive holds no items", metadata={"archive": self._archive.binding.archive})
        if self._query.policy is PatientPolicy.GROUP:
            found = self._best_of_patients(searched_items)
        else:
            found = self._ranked(self._query.top_k, self._where, searched_items, self._query.with_payload)
        results = tuple(
            self._result(item, rank)
            for rank, item in enumerate(found[: self._query.top_k], start=1)
            if self._query.min_score is None or item.score >= self._query.min_score
        )
        exact = self._query.exact or self._archive.always_exact
        return SearchOutcome(results, searched_items, exact, self._seconds)

    def _best_of_patients(self, available: int) -> list[ScoredItem]:
        best: dict[str, ScoredItem] = {}
        where = self._where
        while len(best) < self._query.top_k:
            known, wanted = len(best), self._query.top_k * GROUP_FACTOR
            items = self._ranked(wanted, where, available, with_payload=True)
            for item in items:
                if item.payload is not None:
                    best.setdefault(item.payload.patient, item)
            if len(best) == known or len(items) < wanted:
                break
            where = All((self._where, Not(AnyOf(PayloadField.PATIENT, tuple(best)))))
        return list(best.values())

    def _ranked(self, wanted: int, where: Condition, available: int, with_payload: bool) -> list[ScoredItem]:
        """Return the best items in order: `wanted` of them, and all that score like the last of these."""
        asked = min(wanted + 1, available)
        while True:
            found = self._ask(asked, where, with_payload) if asked else []
            tied = len(found) > wanted and found[-1].score == found[wanted - 1].score
            if not tied or len(found) < asked or asked >= available:
                break
            asked = min(asked * 2, available)
        lowest = found[min(wanted, len(found)) - 1].score if found else 0.0
        kept = [item for item in found if item.score >= lowest]
        return sorted(kept, key=lambda item: (-item.score, item.item))

    def _ask(self, top_k: int, where: Condition, with_payload: bool) -> list[ScoredItem]:
        begin = time.perf_counter()
        found = self._archive.query(
            self._embedding, top_k=top_k, where=where, exact=self._query.exact, with_payload=with_payload
        )
        self._seconds += time.perf_counter() - begin
        return found

    def _count(self, where: Condition) -> int:
        begin = time.perf_counter()
        count = self._archive.count(where)
        self._seconds += time.perf_counter() - begin
        return count

    def _result(self, item: ScoredItem, rank: int) -> RankedItem:
        payload = item.payload if self._query.with_payload else None
        return RankedItem(item.item, rank, item.score, payload, _same_patient(self._query, payload))


def _conditions(query: SearchQuery) -> Condition:
    conditions = [conditions_of(query.filter, site=query.site)]
    if query.excluded_item is not None:
        conditions.append(Not(ItemIs((query.excluded_item,))))
    if query.excluded_image_digest is not None:
        conditions.append(Not(AnyOf(PayloadField.IMAGE_DIGEST, (query.excluded_image_digest,))))
    if query.policy is PatientPolicy.EXCLUDE and query.patient is not None:
        conditions.append(Not(AnyOf(PayloadField.PATIENT, (query.patient,))))
    return All(tuple(conditions))


def _same_patient(query: SearchQuery, payload: ItemPayload | None) -> SamePatient | None:
    """Compare patients: equal keys are one patient, even derived ones; unequal keys tell only of two known patients."""
    if payload is None or query.policy not in {PatientPolicy.EXCLUDE, PatientPolicy.FLAG}:
        return None
    if payload.patient == query.patient:
        return SamePatient.YES
    known = payload.patient_known and query.patient_known
    return SamePatient.NO if known else SamePatient.UNKNOWN
