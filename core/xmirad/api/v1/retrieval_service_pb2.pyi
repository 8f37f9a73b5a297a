from xmirad.api.v1 import resources_pb2 as _resources_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PatientPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PATIENT_POLICY_UNSPECIFIED: _ClassVar[PatientPolicy]
    PATIENT_POLICY_INCLUDE: _ClassVar[PatientPolicy]
    PATIENT_POLICY_FLAG: _ClassVar[PatientPolicy]
    PATIENT_POLICY_GROUP: _ClassVar[PatientPolicy]
    PATIENT_POLICY_EXCLUDE: _ClassVar[PatientPolicy]

class SearchView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEARCH_VIEW_UNSPECIFIED: _ClassVar[SearchView]
    SEARCH_VIEW_RANKING: _ClassVar[SearchView]
    SEARCH_VIEW_BASIC: _ClassVar[SearchView]
    SEARCH_VIEW_FULL: _ClassVar[SearchView]

class SamePatient(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SAME_PATIENT_UNSPECIFIED: _ClassVar[SamePatient]
    SAME_PATIENT_YES: _ClassVar[SamePatient]
    SAME_PATIENT_NO: _ClassVar[SamePatient]
    SAME_PATIENT_UNKNOWN: _ClassVar[SamePatient]

class QueryItemExclusion(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUERY_ITEM_EXCLUSION_UNSPECIFIED: _ClassVar[QueryItemExclusion]
    QUERY_ITEM_EXCLUSION_NAME: _ClassVar[QueryItemExclusion]
    QUERY_ITEM_EXCLUSION_CONTENT: _ClassVar[QueryItemExclusion]
PATIENT_POLICY_UNSPECIFIED: PatientPolicy
PATIENT_POLICY_INCLUDE: PatientPolicy
PATIENT_POLICY_FLAG: PatientPolicy
PATIENT_POLICY_GROUP: PatientPolicy
PATIENT_POLICY_EXCLUDE: PatientPolicy
SEARCH_VIEW_UNSPECIFIED: SearchView
SEARCH_VIEW_RANKING: SearchView
SEARCH_VIEW_BASIC: SearchView
SEARCH_VIEW_FULL: SearchView
SAME_PATIENT_UNSPECIFIED: SamePatient
SAME_PATIENT_YES: SamePatient
SAME_PATIENT_NO: SamePatient
SAME_PATIENT_UNKNOWN: SamePatient
QUERY_ITEM_EXCLUSION_UNSPECIFIED: QueryItemExclusion
QUERY_ITEM_EXCLUSION_NAME: QueryItemExclusion
QUERY_ITEM_EXCLUSION_CONTENT: QueryItemExclusion

class SearchRequest(_message.Message):
    __slots__ = ("archive", "image", "dicom_file", "item", "embedding", "feedback", "top_k", "filter", "patient", "patient_policy", "exclude_query_item", "min_score", "exact", "model", "view", "explain_top", "evidence", "allow_partial")
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DICOM_FILE_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PATIENT_FIELD_NUMBER: _ClassVar[int]
    PATIENT_POLICY_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_QUERY_ITEM_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_TOP_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    ALLOW_PARTIAL_FIELD_NUMBER: _ClassVar[int]
    archive: str
    image: _resources_pb2.Image
    dicom_file: _resources_pb2.DicomFile
    item: str
    embedding: _resources_pb2.Embedding
    feedback: _resources_pb2.Feedback
    top_k: int
    filter: _resources_pb2.ItemFilter
    patient: _resources_pb2.Patient
    patient_policy: PatientPolicy
    exclude_query_item: bool
    min_score: float
    exact: bool
    model: str
    view: SearchView
    explain_top: int
    evidence: bool
    allow_partial: bool
    def __init__(self, archive: _Optional[str] = ..., image: _Optional[_Union[_resources_pb2.Image, _Mapping]] = ..., dicom_file: _Optional[_Union[_resources_pb2.DicomFile, _Mapping]] = ..., item: _Optional[str] = ..., embedding: _Optional[_Union[_resources_pb2.Embedding, _Mapping]] = ..., feedback: _Optional[_Union[_resources_pb2.Feedback, _Mapping]] = ..., top_k: _Optional[int] = ..., filter: _Optional[_Union[_resources_pb2.ItemFilter, _Mapping]] = ..., patient: _Optional[_Union[_resources_pb2.Patient, _Mapping]] = ..., patient_policy: _Optional[_Union[PatientPolicy, str]] = ..., exclude_query_item: _Optional[bool] = ..., min_score: _Optional[float] = ..., exact: _Optional[bool] = ..., model: _Optional[str] = ..., view: _Optional[_Union[SearchView, str]] = ..., explain_top: _Optional[int] = ..., evidence: _Optional[bool] = ..., allow_partial: _Optional[bool] = ...) -> None: ...

class SearchResult(_message.Message):
    __slots__ = ("item", "rank", "score", "labels", "same_patient", "identity", "thumbnail", "explanation")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    SAME_PATIENT_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    THUMBNAIL_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    item: str
    rank: int
    score: float
    labels: _containers.RepeatedScalarFieldContainer[str]
    same_patient: SamePatient
    identity: _resources_pb2.ItemIdentity
    thumbnail: bytes
    explanation: str
    def __init__(self, item: _Optional[str] = ..., rank: _Optional[int] = ..., score: _Optional[float] = ..., labels: _Optional[_Iterable[str]] = ..., same_patient: _Optional[_Union[SamePatient, str]] = ..., identity: _Optional[_Union[_resources_pb2.ItemIdentity, _Mapping]] = ..., thumbnail: _Optional[bytes] = ..., explanation: _Optional[str] = ...) -> None: ...

class Ranking(_message.Message):
    __slots__ = ("item_ids", "scores")
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    item_ids: bytes
    scores: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, item_ids: _Optional[bytes] = ..., scores: _Optional[_Iterable[float]] = ...) -> None: ...

class LabelEvidence(_message.Message):
    __slots__ = ("label", "confidence", "item_count")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    label: str
    confidence: float
    item_count: int
    def __init__(self, label: _Optional[str] = ..., confidence: _Optional[float] = ..., item_count: _Optional[int] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ("labels", "calibrated", "calibration_query_count", "counted_items", "same_patient_items", "mean_distance", "distance_threshold", "out_of_distribution")
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CALIBRATED_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_QUERY_COUNT_FIELD_NUMBER: _ClassVar[int]
    COUNTED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    SAME_PATIENT_ITEMS_FIELD_NUMBER: _ClassVar[int]
    MEAN_DISTANCE_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    OUT_OF_DISTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedCompositeFieldContainer[LabelEvidence]
    calibrated: bool
    calibration_query_count: int
    counted_items: int
    same_patient_items: int
    mean_distance: float
    distance_threshold: float
    out_of_distribution: bool
    def __init__(self, labels: _Optional[_Iterable[_Union[LabelEvidence, _Mapping]]] = ..., calibrated: _Optional[bool] = ..., calibration_query_count: _Optional[int] = ..., counted_items: _Optional[int] = ..., same_patient_items: _Optional[int] = ..., mean_distance: _Optional[float] = ..., distance_threshold: _Optional[float] = ..., out_of_distribution: _Optional[bool] = ...) -> None: ...

class SearchTimings(_message.Message):
    __slots__ = ("decode_ms", "embed_ms", "search_ms")
    DECODE_MS_FIELD_NUMBER: _ClassVar[int]
    EMBED_MS_FIELD_NUMBER: _ClassVar[int]
    SEARCH_MS_FIELD_NUMBER: _ClassVar[int]
    decode_ms: float
    embed_ms: float
    search_ms: float
    def __init__(self, decode_ms: _Optional[float] = ..., embed_ms: _Optional[float] = ..., search_ms: _Optional[float] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("results", "ranking", "model", "query_digest", "searched_items", "exact", "query_item_exclusion", "timings", "request_id", "explanation_error", "evidence", "decoding_notes", "partial")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    RANKING_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    QUERY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SEARCHED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    QUERY_ITEM_EXCLUSION_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_ERROR_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    DECODING_NOTES_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[SearchResult]
    ranking: Ranking
    model: str
    query_digest: str
    searched_items: int
    exact: bool
    query_item_exclusion: QueryItemExclusion
    timings: SearchTimings
    request_id: str
    explanation_error: _resources_pb2.Error
    evidence: Evidence
    decoding_notes: _containers.RepeatedScalarFieldContainer[str]
    partial: _resources_pb2.PartialIndex
    def __init__(self, results: _Optional[_Iterable[_Union[SearchResult, _Mapping]]] = ..., ranking: _Optional[_Union[Ranking, _Mapping]] = ..., model: _Optional[str] = ..., query_digest: _Optional[str] = ..., searched_items: _Optional[int] = ..., exact: _Optional[bool] = ..., query_item_exclusion: _Optional[_Union[QueryItemExclusion, str]] = ..., timings: _Optional[_Union[SearchTimings, _Mapping]] = ..., request_id: _Optional[str] = ..., explanation_error: _Optional[_Union[_resources_pb2.Error, _Mapping]] = ..., evidence: _Optional[_Union[Evidence, _Mapping]] = ..., decoding_notes: _Optional[_Iterable[str]] = ..., partial: _Optional[_Union[_resources_pb2.PartialIndex, _Mapping]] = ...) -> None: ...

class StreamSearchRequest(_message.Message):
    __slots__ = ("correlation_id", "search")
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    correlation_id: str
    search: SearchRequest
    def __init__(self, correlation_id: _Optional[str] = ..., search: _Optional[_Union[SearchRequest, _Mapping]] = ...) -> None: ...

class StreamSearchResponse(_message.Message):
    __slots__ = ("correlation_id", "response", "error")
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    correlation_id: str
    response: SearchResponse
    error: _resources_pb2.Error
    def __init__(self, correlation_id: _Optional[str] = ..., response: _Optional[_Union[SearchResponse, _Mapping]] = ..., error: _Optional[_Union[_resources_pb2.Error, _Mapping]] = ...) -> None: ...

class EmbedImageRequest(_message.Message):
    __slots__ = ("model", "image", "dicom_file")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DICOM_FILE_FIELD_NUMBER: _ClassVar[int]
    model: str
    image: _resources_pb2.Image
    dicom_file: _resources_pb2.DicomFile
    def __init__(self, model: _Optional[str] = ..., image: _Optional[_Union[_resources_pb2.Image, _Mapping]] = ..., dicom_file: _Optional[_Union[_resources_pb2.DicomFile, _Mapping]] = ...) -> None: ...

class EmbedImageResponse(_message.Message):
    __slots__ = ("model", "image_digest", "embedding", "request_id", "untrained_features")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UNTRAINED_FEATURES_FIELD_NUMBER: _ClassVar[int]
    model: str
    image_digest: str
    embedding: _resources_pb2.Embedding
    request_id: str
    untrained_features: _resources_pb2.Embedding
    def __init__(self, model: _Optional[str] = ..., image_digest: _Optional[str] = ..., embedding: _Optional[_Union[_resources_pb2.Embedding, _Mapping]] = ..., request_id: _Optional[str] = ..., untrained_features: _Optional[_Union[_resources_pb2.Embedding, _Mapping]] = ...) -> None: ...
