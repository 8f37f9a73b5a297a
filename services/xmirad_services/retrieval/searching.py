"""Answers searches: from a query of any kind to a ranking."""

import asyncio
from dataclasses import dataclass, replace

from xmirad.api.vocabulary import QueryItemExclusion
from xmirad.archive.evidence import EvidenceItems, narrows, search_with_evidence
from xmirad.archive.feedback import Judgments
from xmirad.archive.filters import unknown_values
from xmirad.archive.search import SearchOutcome, SearchQuery, search_archive
from xmirad.catalog.records import ArchiveRecord, IndexProgress
from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.evidence.weighing import Evidence, weigh
from xmirad.indexing.runner import Tools
from xmirad.lanes import Priority
from xmirad.observability.tracing import SpanName, span
from xmirad.types import EncodedImage, ItemFilter, Patient, PatientPolicy
from xmirad_services.retrieval.loaded_models import LoadedModels
from xmirad_services.retrieval.open_archives import OpenArchive, OpenArchives
from xmirad_services.retrieval.queries import (
    Query,
    Source,
    moved_by,
    query_of_embedding,
    query_of_image,
    query_of_item,
)


@dataclass(frozen=True, slots=True)
class SearchTask:
    """A search whose fields are checked.

    Attributes:
        archive: The archive's id.
        source: An image, an item's id, or a vector.
        top_k: How many results.
        filter: Which items take part.
        patient: The query's patient, if the caller says so.
        patient_policy: What to do with items of that patient.
        exclude_query_item: Leave the query's own item out.
        min_score: Leave out results below this score.
        exact: Compare with every item.
        model: The model that the caller expects, or an empty string.
        with_payload: Fetch what is known of the results, not only ids and scores.
        site: The caller's site.
        judged: What the reader thinks of earlier results, or None.
        with_evidence: Also say what the nearest items tell of the query.
        allow_partial: Search what is there while the index is being made again.
    """

    archive: str
    source: Source
    top_k: int
    filter: ItemFilter
    patient: Patient | None
    patient_policy: PatientPolicy
    exclude_query_item: bool
    min_score: float | None
    exact: bool
    model: str
    with_payload: bool
    site: str
    judged: Judgments | None = None
    with_evidence: bool = False
    allow_partial: bool = False


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """A ranking and how it came about.

    `query` is what was searched for in the end, `partial` how far the index is if it does not hold every item.
    """

    archive: ArchiveRecord
    outcome: SearchOutcome
    query: Query
    exclusion: QueryItemExclusion
    evidence: Evidence | None = None
    partial: IndexProgress | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    answer: SearchAnswer
    evidence_items: EvidenceItems | None


class Searcher:
    """Runs searches on the lanes that indexing uses too, before any indexing that waits."""

    def __init__(self, archives: OpenArchives, models: LoadedModels, tools: Tools) -> None:
        """Search archives."""
        self._archives = archives
        self._models = models
        self._tools = tools

    async def search(self, task: SearchTask) -> SearchAnswer:
        """Return the nearest items.

        Raises:
            XmiradError: As named in the error index; the field at fault is named.
        """
        self._tools.lanes.turns.reader_is_here()
        opened = await self._archives.get(task.archive, site=task.site)
        if task.model:
            wanted = await self._tools.lanes.blobs.run(Priority.INTERACTIVE, self._models.find, task.model)
            opened.require_model(wanted.digest)
        partial = opened.place.require_whole(allow_partial=task.allow_partial)
        if task.with_evidence:
            found, calibration = await asyncio.gather(self._find(opened, task), self._calibration(opened, task))
        else:
            found, calibration = await self._find(opened, task), None
        items = found.evidence_items
        answer = replace(found.answer, partial=partial)
        if items is None:
            return answer
        evidence = weigh(
            items.neighbors,
            same_patient_items=items.same_patient_items,
            calibration=calibration,
            features=found.answer.query.untrained_features,
        )
        return replace(answer, evidence=evidence)

    async def _find(self, opened: OpenArchive, task: SearchTask) -> _Found:
        store, site_key = self._tools.lanes.store, self._tools.site_key
        if isinstance(task.source, str):
            with span(SpanName.SEARCH, top_k=task.top_k):
                return await store.run(Priority.INTERACTIVE, self._search_by_item, opened, task, task.source)
        if isinstance(task.source, EncodedImage):
            recipe = opened.require_artifact().preprocessing
            query = await query_of_image(
                task.source, task.patient, recipe=recipe, embed=opened.embed_query, tools=self._tools
            )
        else:
            query = query_of_embedding(task.source, task.patient, site_key=site_key)
        with span(SpanName.SEARCH, top_k=task.top_k):
            return await store.run(Priority.INTERACTIVE, self._search, opened, task, query)

    async def embed(self, image: EncodedImage, *, model: str) -> tuple[Query, str]:
        """Return an image's embedding and the digest of the model, the default one where none is named.

        Raises:
            ModelNotFoundError: If there is no such model.
            XmiradError: If the image cannot be decoded.
        """
        lanes = self._tools.lanes
        lanes.turns.reader_is_here()
        artifact = await lanes.blobs.run(Priority.INTERACTIVE, self._models.find, model)
        embedder = await lanes.model.run(Priority.INTERACTIVE, self._models.embedder, artifact.digest)
        recipe = artifact.preprocessing
        query = await query_of_image(image, None, recipe=recipe, embed=embedder.embed_query, tools=self._tools)
        return query, artifact.digest

    async def _calibration(self, opened: OpenArchive, task: SearchTask) -> EvidenceCalibration | None:
        """Read what was fitted for this kind of search; always anew, because another replica may have set it.

        For a bare vector nothing was: its own image, copies and patient cannot be told and would count as evidence.
        """
        is_vector = not isinstance(task.source, str | EncodedImage)
        if is_vector or task.judged is not None or narrows(task.filter):
            return None
        calibration = self._archives.catalog.calibration
        return await self._tools.lanes.blobs.run(Priority.INTERACTIVE, calibration, opened.record)

    def _search_by_item(self, opened: OpenArchive, task: SearchTask, item: str) -> _Found:
        site_key = self._tools.site_key
        query = query_of_item(opened.archive, item, task.patient, site=task.site, site_key=site_key)
        return self._search(opened, task, query)

    def _search(self, opened: OpenArchive, task: SearchTask, asked: Query) -> _Found:
        exclusion = QueryItemExclusion.NONE
        if task.exclude_query_item:
            exclusion = QueryItemExclusion.NAME if asked.item else QueryItemExclusion.CONTENT
        unknown_values(opened.archive, task.filter, site=task.site)
        query, item_filter = asked, task.filter
        if task.judged is not None:
            query = moved_by(asked, task.judged, opened.archive, site=task.site)
            left_out = (*item_filter.excluded_items, *task.judged.items)
            item_filter = replace(item_filter, excluded_items=left_out)
        search = SearchQuery(
            embedding=query.embedding,
            top_k=task.top_k,
            filter=item_filter,
            site=task.site,
            patient=query.patient,
            patient_known=query.patient_known,
            policy=task.patient_policy,
            excluded_item=query.item if exclusion is QueryItemExclusion.NAME else None,
            excluded_image_digest=asked.digest if exclusion is QueryItemExclusion.CONTENT else None,
            min_score=task.min_score,
            exact=task.exact,
            with_payload=task.with_payload,
        )
        items = None
        if task.with_evidence:
            outcome, items = search_with_evidence(opened.archive, search, own_image=asked.digest)
        else:
            outcome = search_archive(opened.archive, search)
        return _Found(SearchAnswer(opened.record, outcome, query, exclusion), items)
