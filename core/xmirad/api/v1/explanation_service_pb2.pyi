import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from xmirad.api.v1 import resources_pb2 as _resources_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExplanationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPLANATION_STATE_UNSPECIFIED: _ClassVar[ExplanationState]
    EXPLANATION_STATE_QUEUED: _ClassVar[ExplanationState]
    EXPLANATION_STATE_RUNNING: _ClassVar[ExplanationState]
    EXPLANATION_STATE_SUCCEEDED: _ClassVar[ExplanationState]
    EXPLANATION_STATE_FAILED: _ClassVar[ExplanationState]
    EXPLANATION_STATE_CANCELLED: _ClassVar[ExplanationState]

class ExplainedImage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPLAINED_IMAGE_UNSPECIFIED: _ClassVar[ExplainedImage]
    EXPLAINED_IMAGE_QUERY: _ClassVar[ExplainedImage]
    EXPLAINED_IMAGE_RESULT: _ClassVar[ExplainedImage]
    EXPLAINED_IMAGE_BOTH: _ClassVar[ExplainedImage]

class ExplanationPriority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPLANATION_PRIORITY_UNSPECIFIED: _ClassVar[ExplanationPriority]
    EXPLANATION_PRIORITY_INTERACTIVE: _ClassVar[ExplanationPriority]
    EXPLANATION_PRIORITY_BACKGROUND: _ClassVar[ExplanationPriority]

class OcclusionFill(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OCCLUSION_FILL_UNSPECIFIED: _ClassVar[OcclusionFill]
    OCCLUSION_FILL_ZERO: _ClassVar[OcclusionFill]
    OCCLUSION_FILL_BLACK: _ClassVar[OcclusionFill]
    OCCLUSION_FILL_MEAN: _ClassVar[OcclusionFill]
    OCCLUSION_FILL_BLUR: _ClassVar[OcclusionFill]

class OcclusionCodec(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OCCLUSION_CODEC_UNSPECIFIED: _ClassVar[OcclusionCodec]
    OCCLUSION_CODEC_INT8: _ClassVar[OcclusionCodec]
    OCCLUSION_CODEC_INT16: _ClassVar[OcclusionCodec]

class AttentionForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTENTION_FORM_UNSPECIFIED: _ClassVar[AttentionForm]
    ATTENTION_FORM_SIAMESE_POSITIVE: _ClassVar[AttentionForm]
    ATTENTION_FORM_SIAMESE_NEGATIVE: _ClassVar[AttentionForm]
    ATTENTION_FORM_TRIPLET: _ClassVar[AttentionForm]
    ATTENTION_FORM_QUADRUPLET: _ClassVar[AttentionForm]

class MapQuality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MAP_QUALITY_UNSPECIFIED: _ClassVar[MapQuality]
    MAP_QUALITY_APPROXIMATE: _ClassVar[MapQuality]
    MAP_QUALITY_EXACT: _ClassVar[MapQuality]

class FidelityVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FIDELITY_VERDICT_UNSPECIFIED: _ClassVar[FidelityVerdict]
    FIDELITY_VERDICT_BETTER_THAN_CHANCE: _ClassVar[FidelityVerdict]
    FIDELITY_VERDICT_NOT_BETTER_THAN_CHANCE: _ClassVar[FidelityVerdict]
EXPLANATION_STATE_UNSPECIFIED: ExplanationState
EXPLANATION_STATE_QUEUED: ExplanationState
EXPLANATION_STATE_RUNNING: ExplanationState
EXPLANATION_STATE_SUCCEEDED: ExplanationState
EXPLANATION_STATE_FAILED: ExplanationState
EXPLANATION_STATE_CANCELLED: ExplanationState
EXPLAINED_IMAGE_UNSPECIFIED: ExplainedImage
EXPLAINED_IMAGE_QUERY: ExplainedImage
EXPLAINED_IMAGE_RESULT: ExplainedImage
EXPLAINED_IMAGE_BOTH: ExplainedImage
EXPLANATION_PRIORITY_UNSPECIFIED: ExplanationPriority
EXPLANATION_PRIORITY_INTERACTIVE: ExplanationPriority
EXPLANATION_PRIORITY_BACKGROUND: ExplanationPriority
OCCLUSION_FILL_UNSPECIFIED: OcclusionFill
OCCLUSION_FILL_ZERO: OcclusionFill
OCCLUSION_FILL_BLACK: OcclusionFill
OCCLUSION_FILL_MEAN: OcclusionFill
OCCLUSION_FILL_BLUR: OcclusionFill
OCCLUSION_CODEC_UNSPECIFIED: OcclusionCodec
OCCLUSION_CODEC_INT8: OcclusionCodec
OCCLUSION_CODEC_INT16: OcclusionCodec
ATTENTION_FORM_UNSPECIFIED: AttentionForm
ATTENTION_FORM_SIAMESE_POSITIVE: AttentionForm
ATTENTION_FORM_SIAMESE_NEGATIVE: AttentionForm
ATTENTION_FORM_TRIPLET: AttentionForm
ATTENTION_FORM_QUADRUPLET: AttentionForm
MAP_QUALITY_UNSPECIFIED: MapQuality
MAP_QUALITY_APPROXIMATE: MapQuality
MAP_QUALITY_EXACT: MapQuality
FIDELITY_VERDICT_UNSPECIFIED: FidelityVerdict
FIDELITY_VERDICT_BETTER_THAN_CHANCE: FidelityVerdict
FIDELITY_VERDICT_NOT_BETTER_THAN_CHANCE: FidelityVerdict

class ExplanationQuery(_message.Message):
    __slots__ = ("image", "dicom_file", "item", "embedding", "feedback")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DICOM_FILE_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    image: _resources_pb2.Image
    dicom_file: _resources_pb2.DicomFile
    item: str
    embedding: _resources_pb2.Embedding
    feedback: _resources_pb2.Feedback
    def __init__(self, image: _Optional[_Union[_resources_pb2.Image, _Mapping]] = ..., dicom_file: _Optional[_Union[_resources_pb2.DicomFile, _Mapping]] = ..., item: _Optional[str] = ..., embedding: _Optional[_Union[_resources_pb2.Embedding, _Mapping]] = ..., feedback: _Optional[_Union[_resources_pb2.Feedback, _Mapping]] = ...) -> None: ...

class OcclusionMethod(_message.Message):
    __slots__ = ("window", "stride", "fill", "codec", "signed")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    STRIDE_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    window: int
    stride: int
    fill: OcclusionFill
    codec: OcclusionCodec
    signed: bool
    def __init__(self, window: _Optional[int] = ..., stride: _Optional[int] = ..., fill: _Optional[_Union[OcclusionFill, str]] = ..., codec: _Optional[_Union[OcclusionCodec, str]] = ..., signed: _Optional[bool] = ...) -> None: ...

class AttentionMethod(_message.Message):
    __slots__ = ("form", "positive_items", "negative_items")
    FORM_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_ITEMS_FIELD_NUMBER: _ClassVar[int]
    form: AttentionForm
    positive_items: _containers.RepeatedScalarFieldContainer[str]
    negative_items: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, form: _Optional[_Union[AttentionForm, str]] = ..., positive_items: _Optional[_Iterable[str]] = ..., negative_items: _Optional[_Iterable[str]] = ...) -> None: ...

class ImagePoint(_message.Message):
    __slots__ = ("row", "column")
    ROW_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    row: float
    column: float
    def __init__(self, row: _Optional[float] = ..., column: _Optional[float] = ...) -> None: ...

class ActivationMethod(_message.Message):
    __slots__ = ("point", "signed")
    POINT_FIELD_NUMBER: _ClassVar[int]
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    point: ImagePoint
    signed: bool
    def __init__(self, point: _Optional[_Union[ImagePoint, _Mapping]] = ..., signed: _Optional[bool] = ...) -> None: ...

class ExplanationOptions(_message.Message):
    __slots__ = ("occlusion", "attention", "activation", "explained_image", "contrast_item", "published_fidelity")
    OCCLUSION_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    EXPLAINED_IMAGE_FIELD_NUMBER: _ClassVar[int]
    CONTRAST_ITEM_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIDELITY_FIELD_NUMBER: _ClassVar[int]
    occlusion: OcclusionMethod
    attention: AttentionMethod
    activation: ActivationMethod
    explained_image: ExplainedImage
    contrast_item: str
    published_fidelity: bool
    def __init__(self, occlusion: _Optional[_Union[OcclusionMethod, _Mapping]] = ..., attention: _Optional[_Union[AttentionMethod, _Mapping]] = ..., activation: _Optional[_Union[ActivationMethod, _Mapping]] = ..., explained_image: _Optional[_Union[ExplainedImage, str]] = ..., contrast_item: _Optional[str] = ..., published_fidelity: _Optional[bool] = ...) -> None: ...

class ExplanationProgress(_message.Message):
    __slots__ = ("windows_done", "windows_total")
    WINDOWS_DONE_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    windows_done: int
    windows_total: int
    def __init__(self, windows_done: _Optional[int] = ..., windows_total: _Optional[int] = ...) -> None: ...

class MapAreas(_message.Message):
    __slots__ = ("insertion", "deletion")
    INSERTION_FIELD_NUMBER: _ClassVar[int]
    DELETION_FIELD_NUMBER: _ClassVar[int]
    insertion: float
    deletion: float
    def __init__(self, insertion: _Optional[float] = ..., deletion: _Optional[float] = ...) -> None: ...

class MapFidelity(_message.Message):
    __slots__ = ("fidelity", "controls", "verdict", "areas", "published", "p_value")
    FIDELITY_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    AREAS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    fidelity: float
    controls: _containers.RepeatedScalarFieldContainer[float]
    verdict: FidelityVerdict
    areas: MapAreas
    published: MapAreas
    p_value: float
    def __init__(self, fidelity: _Optional[float] = ..., controls: _Optional[_Iterable[float]] = ..., verdict: _Optional[_Union[FidelityVerdict, str]] = ..., areas: _Optional[_Union[MapAreas, _Mapping]] = ..., published: _Optional[_Union[MapAreas, _Mapping]] = ..., p_value: _Optional[float] = ...) -> None: ...

class SaliencyMap(_message.Message):
    __slots__ = ("explained_image", "height", "width", "values", "minimum", "maximum", "signed", "meaning", "geometry", "quality", "estimated_error", "codec", "error_five_sigma", "preview_errors", "fidelity", "overlay_png")
    EXPLAINED_IMAGE_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    MEANING_FIELD_NUMBER: _ClassVar[int]
    GEOMETRY_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_ERROR_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIVE_SIGMA_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_ERRORS_FIELD_NUMBER: _ClassVar[int]
    FIDELITY_FIELD_NUMBER: _ClassVar[int]
    OVERLAY_PNG_FIELD_NUMBER: _ClassVar[int]
    explained_image: ExplainedImage
    height: int
    width: int
    values: bytes
    minimum: float
    maximum: float
    signed: bool
    meaning: str
    geometry: _resources_pb2.ImageGeometry
    quality: MapQuality
    estimated_error: float
    codec: OcclusionCodec
    error_five_sigma: float
    preview_errors: _containers.RepeatedScalarFieldContainer[float]
    fidelity: MapFidelity
    overlay_png: bytes
    def __init__(self, explained_image: _Optional[_Union[ExplainedImage, str]] = ..., height: _Optional[int] = ..., width: _Optional[int] = ..., values: _Optional[bytes] = ..., minimum: _Optional[float] = ..., maximum: _Optional[float] = ..., signed: _Optional[bool] = ..., meaning: _Optional[str] = ..., geometry: _Optional[_Union[_resources_pb2.ImageGeometry, _Mapping]] = ..., quality: _Optional[_Union[MapQuality, str]] = ..., estimated_error: _Optional[float] = ..., codec: _Optional[_Union[OcclusionCodec, str]] = ..., error_five_sigma: _Optional[float] = ..., preview_errors: _Optional[_Iterable[float]] = ..., fidelity: _Optional[_Union[MapFidelity, _Mapping]] = ..., overlay_png: _Optional[bytes] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("name", "state", "create_time", "finish_time", "progress", "item", "query_item", "query_digest", "options", "model", "maps", "error", "attempt")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISH_TIME_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    QUERY_ITEM_FIELD_NUMBER: _ClassVar[int]
    QUERY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MAPS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: ExplanationState
    create_time: _timestamp_pb2.Timestamp
    finish_time: _timestamp_pb2.Timestamp
    progress: ExplanationProgress
    item: str
    query_item: str
    query_digest: str
    options: ExplanationOptions
    model: str
    maps: _containers.RepeatedCompositeFieldContainer[SaliencyMap]
    error: _resources_pb2.Error
    attempt: int
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[ExplanationState, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., progress: _Optional[_Union[ExplanationProgress, _Mapping]] = ..., item: _Optional[str] = ..., query_item: _Optional[str] = ..., query_digest: _Optional[str] = ..., options: _Optional[_Union[ExplanationOptions, _Mapping]] = ..., model: _Optional[str] = ..., maps: _Optional[_Iterable[_Union[SaliencyMap, _Mapping]]] = ..., error: _Optional[_Union[_resources_pb2.Error, _Mapping]] = ..., attempt: _Optional[int] = ...) -> None: ...

class CreateExplanationRequest(_message.Message):
    __slots__ = ("query", "item", "options", "priority", "include_overlay", "request_id")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_OVERLAY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    query: ExplanationQuery
    item: str
    options: ExplanationOptions
    priority: ExplanationPriority
    include_overlay: bool
    request_id: str
    def __init__(self, query: _Optional[_Union[ExplanationQuery, _Mapping]] = ..., item: _Optional[str] = ..., options: _Optional[_Union[ExplanationOptions, _Mapping]] = ..., priority: _Optional[_Union[ExplanationPriority, str]] = ..., include_overlay: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateExplanationResponse(_message.Message):
    __slots__ = ("explanation", "request_id")
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    explanation: Explanation
    request_id: str
    def __init__(self, explanation: _Optional[_Union[Explanation, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class BatchCreateExplanationsRequest(_message.Message):
    __slots__ = ("query", "items", "options", "priority", "request_id")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    query: ExplanationQuery
    items: _containers.RepeatedScalarFieldContainer[str]
    options: ExplanationOptions
    priority: ExplanationPriority
    request_id: str
    def __init__(self, query: _Optional[_Union[ExplanationQuery, _Mapping]] = ..., items: _Optional[_Iterable[str]] = ..., options: _Optional[_Union[ExplanationOptions, _Mapping]] = ..., priority: _Optional[_Union[ExplanationPriority, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class BatchCreateExplanationsResponse(_message.Message):
    __slots__ = ("explanations", "request_id")
    EXPLANATIONS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    explanations: _containers.RepeatedCompositeFieldContainer[Explanation]
    request_id: str
    def __init__(self, explanations: _Optional[_Iterable[_Union[Explanation, _Mapping]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetExplanationRequest(_message.Message):
    __slots__ = ("name", "include_overlay")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_OVERLAY_FIELD_NUMBER: _ClassVar[int]
    name: str
    include_overlay: bool
    def __init__(self, name: _Optional[str] = ..., include_overlay: _Optional[bool] = ...) -> None: ...

class GetExplanationResponse(_message.Message):
    __slots__ = ("explanation",)
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    explanation: Explanation
    def __init__(self, explanation: _Optional[_Union[Explanation, _Mapping]] = ...) -> None: ...

class ListExplanationsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "archive")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    archive: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., archive: _Optional[str] = ...) -> None: ...

class ListExplanationsResponse(_message.Message):
    __slots__ = ("explanations", "next_page_token")
    EXPLANATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    explanations: _containers.RepeatedCompositeFieldContainer[Explanation]
    next_page_token: str
    def __init__(self, explanations: _Optional[_Iterable[_Union[Explanation, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchExplanationRequest(_message.Message):
    __slots__ = ("name", "resume_token", "include_overlay")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_OVERLAY_FIELD_NUMBER: _ClassVar[int]
    name: str
    resume_token: str
    include_overlay: bool
    def __init__(self, name: _Optional[str] = ..., resume_token: _Optional[str] = ..., include_overlay: _Optional[bool] = ...) -> None: ...

class WatchExplanationResponse(_message.Message):
    __slots__ = ("explanation", "resume_token")
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    explanation: Explanation
    resume_token: str
    def __init__(self, explanation: _Optional[_Union[Explanation, _Mapping]] = ..., resume_token: _Optional[str] = ...) -> None: ...

class CancelExplanationRequest(_message.Message):
    __slots__ = ("name", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CancelExplanationResponse(_message.Message):
    __slots__ = ("explanation",)
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    explanation: Explanation
    def __init__(self, explanation: _Optional[_Union[Explanation, _Mapping]] = ...) -> None: ...

class DeleteExplanationRequest(_message.Message):
    __slots__ = ("name", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteExplanationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
