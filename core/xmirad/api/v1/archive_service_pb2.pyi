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

class OriginalsPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORIGINALS_POLICY_UNSPECIFIED: _ClassVar[OriginalsPolicy]
    ORIGINALS_POLICY_COPY: _ClassVar[OriginalsPolicy]
    ORIGINALS_POLICY_REFERENCE: _ClassVar[OriginalsPolicy]

class UploadState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UPLOAD_STATE_UNSPECIFIED: _ClassVar[UploadState]
    UPLOAD_STATE_CREATED: _ClassVar[UploadState]
    UPLOAD_STATE_UPDATED: _ClassVar[UploadState]
    UPLOAD_STATE_UNCHANGED: _ClassVar[UploadState]

class ImportState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IMPORT_STATE_UNSPECIFIED: _ClassVar[ImportState]
    IMPORT_STATE_QUEUED: _ClassVar[ImportState]
    IMPORT_STATE_RUNNING: _ClassVar[ImportState]
    IMPORT_STATE_SUCCEEDED: _ClassVar[ImportState]
    IMPORT_STATE_FAILED: _ClassVar[ImportState]
    IMPORT_STATE_CANCELLED: _ClassVar[ImportState]
ORIGINALS_POLICY_UNSPECIFIED: OriginalsPolicy
ORIGINALS_POLICY_COPY: OriginalsPolicy
ORIGINALS_POLICY_REFERENCE: OriginalsPolicy
UPLOAD_STATE_UNSPECIFIED: UploadState
UPLOAD_STATE_CREATED: UploadState
UPLOAD_STATE_UPDATED: UploadState
UPLOAD_STATE_UNCHANGED: UploadState
IMPORT_STATE_UNSPECIFIED: ImportState
IMPORT_STATE_QUEUED: ImportState
IMPORT_STATE_RUNNING: ImportState
IMPORT_STATE_SUCCEEDED: ImportState
IMPORT_STATE_FAILED: ImportState
IMPORT_STATE_CANCELLED: ImportState

class EvidenceCalibration(_message.Message):
    __slots__ = ("temperature", "distance_threshold", "nearest_items", "labels", "query_count", "error_before", "error_after", "model", "data_digest", "create_time", "pseudo_count", "label_count", "fold_count", "reference")
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    NEAREST_ITEMS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    QUERY_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERROR_BEFORE_FIELD_NUMBER: _ClassVar[int]
    ERROR_AFTER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DATA_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    PSEUDO_COUNT_FIELD_NUMBER: _ClassVar[int]
    LABEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    FOLD_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    temperature: float
    distance_threshold: float
    nearest_items: int
    labels: _containers.RepeatedScalarFieldContainer[str]
    query_count: int
    error_before: float
    error_after: float
    model: str
    data_digest: str
    create_time: _timestamp_pb2.Timestamp
    pseudo_count: float
    label_count: int
    fold_count: int
    reference: FeatureReference
    def __init__(self, temperature: _Optional[float] = ..., distance_threshold: _Optional[float] = ..., nearest_items: _Optional[int] = ..., labels: _Optional[_Iterable[str]] = ..., query_count: _Optional[int] = ..., error_before: _Optional[float] = ..., error_after: _Optional[float] = ..., model: _Optional[str] = ..., data_digest: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pseudo_count: _Optional[float] = ..., label_count: _Optional[int] = ..., fold_count: _Optional[int] = ..., reference: _Optional[_Union[FeatureReference, _Mapping]] = ...) -> None: ...

class FeatureReference(_message.Message):
    __slots__ = ("feature_size", "features")
    FEATURE_SIZE_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    feature_size: int
    features: bytes
    def __init__(self, feature_size: _Optional[int] = ..., features: _Optional[bytes] = ...) -> None: ...

class Archive(_message.Message):
    __slots__ = ("name", "model", "originals", "item_count", "create_time", "evidence_calibration", "rebuilding", "optimizing")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ORIGINALS_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    REBUILDING_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZING_FIELD_NUMBER: _ClassVar[int]
    name: str
    model: str
    originals: OriginalsPolicy
    item_count: int
    create_time: _timestamp_pb2.Timestamp
    evidence_calibration: EvidenceCalibration
    rebuilding: _resources_pb2.PartialIndex
    optimizing: bool
    def __init__(self, name: _Optional[str] = ..., model: _Optional[str] = ..., originals: _Optional[_Union[OriginalsPolicy, str]] = ..., item_count: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., evidence_calibration: _Optional[_Union[EvidenceCalibration, _Mapping]] = ..., rebuilding: _Optional[_Union[_resources_pb2.PartialIndex, _Mapping]] = ..., optimizing: _Optional[bool] = ...) -> None: ...

class CreateArchiveRequest(_message.Message):
    __slots__ = ("archive_id", "model", "originals", "request_id")
    ARCHIVE_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ORIGINALS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    archive_id: str
    model: str
    originals: OriginalsPolicy
    request_id: str
    def __init__(self, archive_id: _Optional[str] = ..., model: _Optional[str] = ..., originals: _Optional[_Union[OriginalsPolicy, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateArchiveResponse(_message.Message):
    __slots__ = ("archive",)
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    archive: Archive
    def __init__(self, archive: _Optional[_Union[Archive, _Mapping]] = ...) -> None: ...

class GetArchiveRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetArchiveResponse(_message.Message):
    __slots__ = ("archive",)
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    archive: Archive
    def __init__(self, archive: _Optional[_Union[Archive, _Mapping]] = ...) -> None: ...

class ListArchivesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListArchivesResponse(_message.Message):
    __slots__ = ("archives", "next_page_token")
    ARCHIVES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    archives: _containers.RepeatedCompositeFieldContainer[Archive]
    next_page_token: str
    def __init__(self, archives: _Optional[_Iterable[_Union[Archive, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RebuildArchiveRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class RebuildArchiveResponse(_message.Message):
    __slots__ = ("archive",)
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    archive: Archive
    def __init__(self, archive: _Optional[_Union[Archive, _Mapping]] = ...) -> None: ...

class DeleteArchiveRequest(_message.Message):
    __slots__ = ("name", "force", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    force: bool
    request_id: str
    def __init__(self, name: _Optional[str] = ..., force: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteArchiveResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SetEvidenceCalibrationRequest(_message.Message):
    __slots__ = ("archive", "calibration")
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    archive: str
    calibration: EvidenceCalibration
    def __init__(self, archive: _Optional[str] = ..., calibration: _Optional[_Union[EvidenceCalibration, _Mapping]] = ...) -> None: ...

class SetEvidenceCalibrationResponse(_message.Message):
    __slots__ = ("archive",)
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    archive: Archive
    def __init__(self, archive: _Optional[_Union[Archive, _Mapping]] = ...) -> None: ...

class GetArchiveStatsRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ValueCount(_message.Message):
    __slots__ = ("value", "count")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    value: str
    count: int
    def __init__(self, value: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class FieldCounts(_message.Message):
    __slots__ = ("field", "values")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    field: str
    values: _containers.RepeatedCompositeFieldContainer[ValueCount]
    def __init__(self, field: _Optional[str] = ..., values: _Optional[_Iterable[_Union[ValueCount, _Mapping]]] = ...) -> None: ...

class GetArchiveStatsResponse(_message.Message):
    __slots__ = ("archive", "patient_count", "fields")
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    PATIENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    archive: Archive
    patient_count: int
    fields: _containers.RepeatedCompositeFieldContainer[FieldCounts]
    def __init__(self, archive: _Optional[_Union[Archive, _Mapping]] = ..., patient_count: _Optional[int] = ..., fields: _Optional[_Iterable[_Union[FieldCounts, _Mapping]]] = ...) -> None: ...

class ItemUpload(_message.Message):
    __slots__ = ("image", "dicom_file", "external_id", "attributes", "patient", "restore_deleted", "file_name")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DICOM_FILE_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    PATIENT_FIELD_NUMBER: _ClassVar[int]
    RESTORE_DELETED_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    image: _resources_pb2.Image
    dicom_file: _resources_pb2.DicomFile
    external_id: str
    attributes: _resources_pb2.ItemAttributes
    patient: _resources_pb2.Patient
    restore_deleted: bool
    file_name: str
    def __init__(self, image: _Optional[_Union[_resources_pb2.Image, _Mapping]] = ..., dicom_file: _Optional[_Union[_resources_pb2.DicomFile, _Mapping]] = ..., external_id: _Optional[str] = ..., attributes: _Optional[_Union[_resources_pb2.ItemAttributes, _Mapping]] = ..., patient: _Optional[_Union[_resources_pb2.Patient, _Mapping]] = ..., restore_deleted: _Optional[bool] = ..., file_name: _Optional[str] = ...) -> None: ...

class UploadItemsRequest(_message.Message):
    __slots__ = ("correlation_id", "archive", "item")
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    correlation_id: str
    archive: str
    item: ItemUpload
    def __init__(self, correlation_id: _Optional[str] = ..., archive: _Optional[str] = ..., item: _Optional[_Union[ItemUpload, _Mapping]] = ...) -> None: ...

class UploadReceipt(_message.Message):
    __slots__ = ("item", "state", "image_digest", "indexed")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    INDEXED_FIELD_NUMBER: _ClassVar[int]
    item: str
    state: UploadState
    image_digest: str
    indexed: bool
    def __init__(self, item: _Optional[str] = ..., state: _Optional[_Union[UploadState, str]] = ..., image_digest: _Optional[str] = ..., indexed: _Optional[bool] = ...) -> None: ...

class UploadItemsResponse(_message.Message):
    __slots__ = ("correlation_id", "receipt", "error")
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    correlation_id: str
    receipt: UploadReceipt
    error: _resources_pb2.Error
    def __init__(self, correlation_id: _Optional[str] = ..., receipt: _Optional[_Union[UploadReceipt, _Mapping]] = ..., error: _Optional[_Union[_resources_pb2.Error, _Mapping]] = ...) -> None: ...

class CreateItemRequest(_message.Message):
    __slots__ = ("archive", "item", "request_id")
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    archive: str
    item: ItemUpload
    request_id: str
    def __init__(self, archive: _Optional[str] = ..., item: _Optional[_Union[ItemUpload, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateItemResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: UploadReceipt
    def __init__(self, receipt: _Optional[_Union[UploadReceipt, _Mapping]] = ...) -> None: ...

class GetItemRequest(_message.Message):
    __slots__ = ("name", "view")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    name: str
    view: _resources_pb2.ItemView
    def __init__(self, name: _Optional[str] = ..., view: _Optional[_Union[_resources_pb2.ItemView, str]] = ...) -> None: ...

class GetItemResponse(_message.Message):
    __slots__ = ("item",)
    ITEM_FIELD_NUMBER: _ClassVar[int]
    item: _resources_pb2.Item
    def __init__(self, item: _Optional[_Union[_resources_pb2.Item, _Mapping]] = ...) -> None: ...

class ListItemsRequest(_message.Message):
    __slots__ = ("archive", "page_size", "page_token", "filter", "view")
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    archive: str
    page_size: int
    page_token: str
    filter: _resources_pb2.ItemFilter
    view: _resources_pb2.ItemView
    def __init__(self, archive: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., filter: _Optional[_Union[_resources_pb2.ItemFilter, _Mapping]] = ..., view: _Optional[_Union[_resources_pb2.ItemView, str]] = ...) -> None: ...

class ListItemsResponse(_message.Message):
    __slots__ = ("items", "next_page_token")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_resources_pb2.Item]
    next_page_token: str
    def __init__(self, items: _Optional[_Iterable[_Union[_resources_pb2.Item, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class BatchGetItemsRequest(_message.Message):
    __slots__ = ("archive", "names", "view")
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    archive: str
    names: _containers.RepeatedScalarFieldContainer[str]
    view: _resources_pb2.ItemView
    def __init__(self, archive: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., view: _Optional[_Union[_resources_pb2.ItemView, str]] = ...) -> None: ...

class BatchGetItemsResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_resources_pb2.Item]
    def __init__(self, items: _Optional[_Iterable[_Union[_resources_pb2.Item, _Mapping]]] = ...) -> None: ...

class DeleteItemRequest(_message.Message):
    __slots__ = ("name", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteItemResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PurgeItemsRequest(_message.Message):
    __slots__ = ("archive", "filter", "patient", "force", "request_id")
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PATIENT_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    archive: str
    filter: _resources_pb2.ItemFilter
    patient: _resources_pb2.Patient
    force: bool
    request_id: str
    def __init__(self, archive: _Optional[str] = ..., filter: _Optional[_Union[_resources_pb2.ItemFilter, _Mapping]] = ..., patient: _Optional[_Union[_resources_pb2.Patient, _Mapping]] = ..., force: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class PurgeItemsResponse(_message.Message):
    __slots__ = ("selected_items", "deleted_items")
    SELECTED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    DELETED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    selected_items: int
    deleted_items: int
    def __init__(self, selected_items: _Optional[int] = ..., deleted_items: _Optional[int] = ...) -> None: ...

class GetItemImageRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetItemImageResponse(_message.Message):
    __slots__ = ("png", "geometry")
    PNG_FIELD_NUMBER: _ClassVar[int]
    GEOMETRY_FIELD_NUMBER: _ClassVar[int]
    png: bytes
    geometry: _resources_pb2.ImageGeometry
    def __init__(self, png: _Optional[bytes] = ..., geometry: _Optional[_Union[_resources_pb2.ImageGeometry, _Mapping]] = ...) -> None: ...

class WarmArchiveRequest(_message.Message):
    __slots__ = ("archive", "filter", "max_items", "dry_run", "cancel")
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    MAX_ITEMS_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    archive: str
    filter: _resources_pb2.ItemFilter
    max_items: int
    dry_run: bool
    cancel: bool
    def __init__(self, archive: _Optional[str] = ..., filter: _Optional[_Union[_resources_pb2.ItemFilter, _Mapping]] = ..., max_items: _Optional[int] = ..., dry_run: _Optional[bool] = ..., cancel: _Optional[bool] = ...) -> None: ...

class WarmArchiveResponse(_message.Message):
    __slots__ = ("selected_items", "complete_items", "missing_windows", "estimated_seconds", "estimated_bytes", "budget_bytes", "queued_tasks", "given_up_items", "cancelled_images")
    SELECTED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_ITEMS_FIELD_NUMBER: _ClassVar[int]
    MISSING_WINDOWS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_BYTES_FIELD_NUMBER: _ClassVar[int]
    BUDGET_BYTES_FIELD_NUMBER: _ClassVar[int]
    QUEUED_TASKS_FIELD_NUMBER: _ClassVar[int]
    GIVEN_UP_ITEMS_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_IMAGES_FIELD_NUMBER: _ClassVar[int]
    selected_items: int
    complete_items: int
    missing_windows: int
    estimated_seconds: float
    estimated_bytes: int
    budget_bytes: int
    queued_tasks: int
    given_up_items: int
    cancelled_images: int
    def __init__(self, selected_items: _Optional[int] = ..., complete_items: _Optional[int] = ..., missing_windows: _Optional[int] = ..., estimated_seconds: _Optional[float] = ..., estimated_bytes: _Optional[int] = ..., budget_bytes: _Optional[int] = ..., queued_tasks: _Optional[int] = ..., given_up_items: _Optional[int] = ..., cancelled_images: _Optional[int] = ...) -> None: ...

class ImportFailure(_message.Message):
    __slots__ = ("path", "error")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    path: str
    error: _resources_pb2.Error
    def __init__(self, path: _Optional[str] = ..., error: _Optional[_Union[_resources_pb2.Error, _Mapping]] = ...) -> None: ...

class Import(_message.Message):
    __slots__ = ("name", "archive", "folder", "split", "state", "total_images", "created_items", "updated_items", "unchanged_items", "failed_images", "failures", "warnings", "error", "create_time", "finish_time", "include", "exclude")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_IMAGES_FIELD_NUMBER: _ClassVar[int]
    CREATED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    UPDATED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    FAILED_IMAGES_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISH_TIME_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    name: str
    archive: str
    folder: str
    split: str
    state: ImportState
    total_images: int
    created_items: int
    updated_items: int
    unchanged_items: int
    failed_images: int
    failures: _containers.RepeatedCompositeFieldContainer[ImportFailure]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    error: _resources_pb2.Error
    create_time: _timestamp_pb2.Timestamp
    finish_time: _timestamp_pb2.Timestamp
    include: _containers.RepeatedScalarFieldContainer[str]
    exclude: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., archive: _Optional[str] = ..., folder: _Optional[str] = ..., split: _Optional[str] = ..., state: _Optional[_Union[ImportState, str]] = ..., total_images: _Optional[int] = ..., created_items: _Optional[int] = ..., updated_items: _Optional[int] = ..., unchanged_items: _Optional[int] = ..., failed_images: _Optional[int] = ..., failures: _Optional[_Iterable[_Union[ImportFailure, _Mapping]]] = ..., warnings: _Optional[_Iterable[str]] = ..., error: _Optional[_Union[_resources_pb2.Error, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., include: _Optional[_Iterable[str]] = ..., exclude: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateImportRequest(_message.Message):
    __slots__ = ("archive", "folder", "split", "include", "exclude", "request_id", "dataset", "restore_deleted", "resend")
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    RESTORE_DELETED_FIELD_NUMBER: _ClassVar[int]
    RESEND_FIELD_NUMBER: _ClassVar[int]
    archive: str
    folder: str
    split: str
    include: _containers.RepeatedScalarFieldContainer[str]
    exclude: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    dataset: LocalDataset
    restore_deleted: bool
    resend: bool
    def __init__(self, archive: _Optional[str] = ..., folder: _Optional[str] = ..., split: _Optional[str] = ..., include: _Optional[_Iterable[str]] = ..., exclude: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ..., dataset: _Optional[_Union[LocalDataset, _Mapping]] = ..., restore_deleted: _Optional[bool] = ..., resend: _Optional[bool] = ...) -> None: ...

class LocalDataset(_message.Message):
    __slots__ = ("path", "layout", "full_list", "images_path", "skip_missing", "frames")
    PATH_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    FULL_LIST_FIELD_NUMBER: _ClassVar[int]
    IMAGES_PATH_FIELD_NUMBER: _ClassVar[int]
    SKIP_MISSING_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    path: str
    layout: str
    full_list: bool
    images_path: str
    skip_missing: bool
    frames: str
    def __init__(self, path: _Optional[str] = ..., layout: _Optional[str] = ..., full_list: _Optional[bool] = ..., images_path: _Optional[str] = ..., skip_missing: _Optional[bool] = ..., frames: _Optional[str] = ...) -> None: ...

class CreateImportResponse(_message.Message):
    __slots__ = ()
    IMPORT_FIELD_NUMBER: _ClassVar[int]
    def __init__(self, **kwargs) -> None: ...

class GetImportRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetImportResponse(_message.Message):
    __slots__ = ()
    IMPORT_FIELD_NUMBER: _ClassVar[int]
    def __init__(self, **kwargs) -> None: ...

class ListImportsRequest(_message.Message):
    __slots__ = ("archive", "page_size", "page_token")
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    archive: str
    page_size: int
    page_token: str
    def __init__(self, archive: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListImportsResponse(_message.Message):
    __slots__ = ("imports", "next_page_token")
    IMPORTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    imports: _containers.RepeatedCompositeFieldContainer[Import]
    next_page_token: str
    def __init__(self, imports: _Optional[_Iterable[_Union[Import, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchImportRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class WatchImportResponse(_message.Message):
    __slots__ = ()
    IMPORT_FIELD_NUMBER: _ClassVar[int]
    def __init__(self, **kwargs) -> None: ...

class CancelImportRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class CancelImportResponse(_message.Message):
    __slots__ = ()
    IMPORT_FIELD_NUMBER: _ClassVar[int]
    def __init__(self, **kwargs) -> None: ...
