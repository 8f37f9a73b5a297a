import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Sex(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEX_UNSPECIFIED: _ClassVar[Sex]
    SEX_FEMALE: _ClassVar[Sex]
    SEX_MALE: _ClassVar[Sex]
    SEX_OTHER: _ClassVar[Sex]

class ItemView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ITEM_VIEW_UNSPECIFIED: _ClassVar[ItemView]
    ITEM_VIEW_BASIC: _ClassVar[ItemView]
    ITEM_VIEW_FULL: _ClassVar[ItemView]
    ITEM_VIEW_EMBEDDING: _ClassVar[ItemView]
SEX_UNSPECIFIED: Sex
SEX_FEMALE: Sex
SEX_MALE: Sex
SEX_OTHER: Sex
ITEM_VIEW_UNSPECIFIED: ItemView
ITEM_VIEW_BASIC: ItemView
ITEM_VIEW_FULL: ItemView
ITEM_VIEW_EMBEDDING: ItemView

class Image(_message.Message):
    __slots__ = ("data", "media_type")
    DATA_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    media_type: str
    def __init__(self, data: _Optional[bytes] = ..., media_type: _Optional[str] = ...) -> None: ...

class DicomFile(_message.Message):
    __slots__ = ("data", "frame")
    DATA_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    frame: int
    def __init__(self, data: _Optional[bytes] = ..., frame: _Optional[int] = ...) -> None: ...

class Patient(_message.Message):
    __slots__ = ("issuer", "patient_id")
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    PATIENT_ID_FIELD_NUMBER: _ClassVar[int]
    issuer: str
    patient_id: str
    def __init__(self, issuer: _Optional[str] = ..., patient_id: _Optional[str] = ...) -> None: ...

class Embedding(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class Feedback(_message.Message):
    __slots__ = ("image", "dicom_file", "item", "embedding", "positive_items", "negative_items")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DICOM_FILE_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_ITEMS_FIELD_NUMBER: _ClassVar[int]
    image: Image
    dicom_file: DicomFile
    item: str
    embedding: Embedding
    positive_items: _containers.RepeatedScalarFieldContainer[str]
    negative_items: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, image: _Optional[_Union[Image, _Mapping]] = ..., dicom_file: _Optional[_Union[DicomFile, _Mapping]] = ..., item: _Optional[str] = ..., embedding: _Optional[_Union[Embedding, _Mapping]] = ..., positive_items: _Optional[_Iterable[str]] = ..., negative_items: _Optional[_Iterable[str]] = ...) -> None: ...

class ItemAttributes(_message.Message):
    __slots__ = ("labels", "dataset", "split", "source", "modality", "body_part", "view_position", "year", "sex", "age_band", "synthetic")
    LABELS_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    BODY_PART_FIELD_NUMBER: _ClassVar[int]
    VIEW_POSITION_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    SEX_FIELD_NUMBER: _ClassVar[int]
    AGE_BAND_FIELD_NUMBER: _ClassVar[int]
    SYNTHETIC_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedScalarFieldContainer[str]
    dataset: str
    split: str
    source: str
    modality: str
    body_part: str
    view_position: str
    year: int
    sex: Sex
    age_band: int
    synthetic: bool
    def __init__(self, labels: _Optional[_Iterable[str]] = ..., dataset: _Optional[str] = ..., split: _Optional[str] = ..., source: _Optional[str] = ..., modality: _Optional[str] = ..., body_part: _Optional[str] = ..., view_position: _Optional[str] = ..., year: _Optional[int] = ..., sex: _Optional[_Union[Sex, str]] = ..., age_band: _Optional[int] = ..., synthetic: _Optional[bool] = ...) -> None: ...

class ImageGeometry(_message.Message):
    __slots__ = ("original_width", "original_height", "resized_width", "resized_height", "crop_left", "crop_top", "crop_size")
    ORIGINAL_WIDTH_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    RESIZED_WIDTH_FIELD_NUMBER: _ClassVar[int]
    RESIZED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    CROP_LEFT_FIELD_NUMBER: _ClassVar[int]
    CROP_TOP_FIELD_NUMBER: _ClassVar[int]
    CROP_SIZE_FIELD_NUMBER: _ClassVar[int]
    original_width: int
    original_height: int
    resized_width: int
    resized_height: int
    crop_left: int
    crop_top: int
    crop_size: int
    def __init__(self, original_width: _Optional[int] = ..., original_height: _Optional[int] = ..., resized_width: _Optional[int] = ..., resized_height: _Optional[int] = ..., crop_left: _Optional[int] = ..., crop_top: _Optional[int] = ..., crop_size: _Optional[int] = ...) -> None: ...

class ItemIdentity(_message.Message):
    __slots__ = ("external_id", "study_instance_uid", "series_instance_uid", "sop_instance_uid", "frame", "file_name")
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    STUDY_INSTANCE_UID_FIELD_NUMBER: _ClassVar[int]
    SERIES_INSTANCE_UID_FIELD_NUMBER: _ClassVar[int]
    SOP_INSTANCE_UID_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    external_id: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    frame: int
    file_name: str
    def __init__(self, external_id: _Optional[str] = ..., study_instance_uid: _Optional[str] = ..., series_instance_uid: _Optional[str] = ..., sop_instance_uid: _Optional[str] = ..., frame: _Optional[int] = ..., file_name: _Optional[str] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("name", "attributes", "image_digest", "geometry", "identity", "create_time", "embedding")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    GEOMETRY_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    name: str
    attributes: ItemAttributes
    image_digest: str
    geometry: ImageGeometry
    identity: ItemIdentity
    create_time: _timestamp_pb2.Timestamp
    embedding: Embedding
    def __init__(self, name: _Optional[str] = ..., attributes: _Optional[_Union[ItemAttributes, _Mapping]] = ..., image_digest: _Optional[str] = ..., geometry: _Optional[_Union[ImageGeometry, _Mapping]] = ..., identity: _Optional[_Union[ItemIdentity, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., embedding: _Optional[_Union[Embedding, _Mapping]] = ...) -> None: ...

class IntRange(_message.Message):
    __slots__ = ("first", "last")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    first: int
    last: int
    def __init__(self, first: _Optional[int] = ..., last: _Optional[int] = ...) -> None: ...

class ItemFilter(_message.Message):
    __slots__ = ("labels", "modalities", "body_parts", "view_positions", "splits", "datasets", "sources", "years", "sexes", "age_bands", "excluded_items")
    LABELS_FIELD_NUMBER: _ClassVar[int]
    MODALITIES_FIELD_NUMBER: _ClassVar[int]
    BODY_PARTS_FIELD_NUMBER: _ClassVar[int]
    VIEW_POSITIONS_FIELD_NUMBER: _ClassVar[int]
    SPLITS_FIELD_NUMBER: _ClassVar[int]
    DATASETS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    YEARS_FIELD_NUMBER: _ClassVar[int]
    SEXES_FIELD_NUMBER: _ClassVar[int]
    AGE_BANDS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedScalarFieldContainer[str]
    modalities: _containers.RepeatedScalarFieldContainer[str]
    body_parts: _containers.RepeatedScalarFieldContainer[str]
    view_positions: _containers.RepeatedScalarFieldContainer[str]
    splits: _containers.RepeatedScalarFieldContainer[str]
    datasets: _containers.RepeatedScalarFieldContainer[str]
    sources: _containers.RepeatedScalarFieldContainer[str]
    years: IntRange
    sexes: _containers.RepeatedScalarFieldContainer[Sex]
    age_bands: IntRange
    excluded_items: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, labels: _Optional[_Iterable[str]] = ..., modalities: _Optional[_Iterable[str]] = ..., body_parts: _Optional[_Iterable[str]] = ..., view_positions: _Optional[_Iterable[str]] = ..., splits: _Optional[_Iterable[str]] = ..., datasets: _Optional[_Iterable[str]] = ..., sources: _Optional[_Iterable[str]] = ..., years: _Optional[_Union[IntRange, _Mapping]] = ..., sexes: _Optional[_Iterable[_Union[Sex, str]]] = ..., age_bands: _Optional[_Union[IntRange, _Mapping]] = ..., excluded_items: _Optional[_Iterable[str]] = ...) -> None: ...

class FieldViolation(_message.Message):
    __slots__ = ("field", "description")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    field: str
    description: str
    def __init__(self, field: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "reason", "message", "field_violations", "metadata", "retry_delay_seconds")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIELD_VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: str
    message: str
    field_violations: _containers.RepeatedCompositeFieldContainer[FieldViolation]
    metadata: _containers.ScalarMap[str, str]
    retry_delay_seconds: float
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., field_violations: _Optional[_Iterable[_Union[FieldViolation, _Mapping]]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., retry_delay_seconds: _Optional[float] = ...) -> None: ...

class PartialIndex(_message.Message):
    __slots__ = ("indexed_items", "total_items")
    INDEXED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_ITEMS_FIELD_NUMBER: _ClassVar[int]
    indexed_items: int
    total_items: int
    def __init__(self, indexed_items: _Optional[int] = ..., total_items: _Optional[int] = ...) -> None: ...
