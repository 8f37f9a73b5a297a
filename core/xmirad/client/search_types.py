"""The values that searching takes and returns."""

from dataclasses import dataclass, field

from xmirad.api.vocabulary import QueryItemExclusion, SearchView
from xmirad.client.types import ItemIdentity, PartialIndex
from xmirad.errors import XmiradError
from xmirad.evidence.weighing import Evidence
from xmirad.types import EncodedImage, Float32Array, ItemFilter, Patient, PatientPolicy, SamePatient

ItemName = str
PlainSource = EncodedImage | ItemName | Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Feedback:
    """A query, and what a reader thinks of items that were found for it.

    Attributes:
        source: What was asked with at first: an image, the name of an item of the archive, or a vector.
        positive_items: Names of items that are what the reader looks for.
        negative_items: Names of items that are not. One item at least is named, at most 100 of each kind, and none as
            both. They are not among the results.
    """

    source: PlainSource
    positive_items: tuple[ItemName, ...] = ()
    negative_items: tuple[ItemName, ...] = ()


SearchSource = PlainSource | Feedback


@dataclass(frozen=True, slots=True, eq=False)
class StreamedSearch:
    """A search, within a stream or by itself.

    Attributes:
        correlation_id: Leads from an outcome to its search; unique among the searches of a stream that are under way,
            at most 128 characters.
        source: An image, the name of an item of the archive, a vector, float32 `[embedding_size]`, or one of these with
            feedback.
        top_k: How many results to return.
        filter: Which items take part; excluded items by name or id.
        patient: The query's patient, where neither an item nor a DICOM header tells.
        patient_policy: What to do with items of the query's own patient.
        exclude_query_item: Leave the query's own item out.
        min_score: Leave out results that score below this value, -1 to 1.
        exact: Compare with every item instead of walking an approximate index.
        model: If set, must be the archive's model, by short name, digest or resource name.
        view: How much of every result to return.
        explain_top: Explain so many of the first results; the query is stored for it.
        evidence: Also say what the nearest items tell of the query.
        allow_partial: Search what is there while the archive's index is being made again, instead of failing.
    """

    correlation_id: str
    source: SearchSource
    top_k: int = 10
    filter: ItemFilter = field(default_factory=ItemFilter)
    patient: Patient | None = None
    patient_policy: PatientPolicy = PatientPolicy.INCLUDE
    exclude_query_item: bool = False
    min_score: float | None = None
    exact: bool = False
    model: str = ""
    view: SearchView = SearchView.BASIC
    explain_top: int = 0
    evidence: bool = False
    allow_partial: bool = False


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One answer row.

    Attributes:
        item: `archives/{archive}/items/{item}`.
        rank: Position, counted from 1. Equal scores are ordered by item name.
        score: Cosine similarity of the embeddings, -1 to 1.
        labels: The item's labels; not in the view RANKING.
        same_patient: Whether the result shows the query's patient, or None where that was not compared.
        identity: Identifiers in the source system; in the view FULL.
        thumbnail: JPEG of what the model saw, 112 x 112 pixels; in the view FULL, else empty.
        explanation: `explanations/{explanation}` where it was asked for, else an empty string.
    """

    item: str
    rank: int
    score: float
    labels: tuple[str, ...] = ()
    same_patient: SamePatient | None = None
    identity: ItemIdentity | None = None
    thumbnail: bytes = b""
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class SearchTimings:
    """Where the service's time went, in milliseconds.

    Attributes:
        decode_ms: Decoding and preprocessing; 0 where nothing was decoded.
        embed_ms: Computing the embedding; 0 where it was given or stored.
        search_ms: The vector store's own queries.
    """

    decode_ms: float
    embed_ms: float
    search_ms: float


@dataclass(frozen=True, slots=True)
class SearchResponse:
    """The answer to a search.

    Attributes:
        results: Results, best first.
        model: The model that computed every embedding involved: `models/{digest}`.
        query_digest: SHA-256 of the query, hexadecimal.
        searched_items: How many items took part.
        exact: True if the query was compared with every item that took part.
        query_item_exclusion: How the query's own item was recognized.
        timings: Where the service's time went.
        request_id: Identifies the call in the service's logs.
        explanation_error: Why explanations that were asked for are not created, or None.
        evidence: What the nearest items say of the query, or None where it was not asked for.
        decoding_notes: Choices made while the query's image was decoded, such as `no usable window: percentiles`.
        partial: How far the archive's index is, if only a part of it was searched; else None.
    """

    results: tuple[SearchResult, ...]
    model: str
    query_digest: str
    searched_items: int
    exact: bool
    query_item_exclusion: QueryItemExclusion
    timings: SearchTimings
    request_id: str
    explanation_error: XmiradError | None = None
    evidence: Evidence | None = None
    decoding_notes: tuple[str, ...] = ()
    partial: PartialIndex | None = None


@dataclass(frozen=True, slots=True)
class StreamedOutcome:
    """What became of one search of a stream: a response or an error.

    Attributes:
        correlation_id: As given with the search.
        response: The answer, or None.
        error: Why there is none, or None.
    """

    correlation_id: str
    response: SearchResponse | None
    error: XmiradError | None
