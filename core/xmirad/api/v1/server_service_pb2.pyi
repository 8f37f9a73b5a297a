from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServerInfo(_message.Message):
    __slots__ = ("version", "boot_id", "max_message_bytes", "max_image_bytes", "max_image_pixels", "max_top_k", "max_ranking_top_k", "media_types", "transfer_syntaxes", "vector_store", "intended_use", "max_batch_explanations", "max_occlusion_windows", "features")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_IMAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_IMAGE_PIXELS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOP_K_FIELD_NUMBER: _ClassVar[int]
    MAX_RANKING_TOP_K_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPES_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_SYNTAXES_FIELD_NUMBER: _ClassVar[int]
    VECTOR_STORE_FIELD_NUMBER: _ClassVar[int]
    INTENDED_USE_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_EXPLANATIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_OCCLUSION_WINDOWS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    version: str
    boot_id: str
    max_message_bytes: int
    max_image_bytes: int
    max_image_pixels: int
    max_top_k: int
    max_ranking_top_k: int
    media_types: _containers.RepeatedScalarFieldContainer[str]
    transfer_syntaxes: _containers.RepeatedScalarFieldContainer[str]
    vector_store: str
    intended_use: str
    max_batch_explanations: int
    max_occlusion_windows: int
    features: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, version: _Optional[str] = ..., boot_id: _Optional[str] = ..., max_message_bytes: _Optional[int] = ..., max_image_bytes: _Optional[int] = ..., max_image_pixels: _Optional[int] = ..., max_top_k: _Optional[int] = ..., max_ranking_top_k: _Optional[int] = ..., media_types: _Optional[_Iterable[str]] = ..., transfer_syntaxes: _Optional[_Iterable[str]] = ..., vector_store: _Optional[str] = ..., intended_use: _Optional[str] = ..., max_batch_explanations: _Optional[int] = ..., max_occlusion_windows: _Optional[int] = ..., features: _Optional[_Iterable[str]] = ...) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("info",)
    INFO_FIELD_NUMBER: _ClassVar[int]
    info: ServerInfo
    def __init__(self, info: _Optional[_Union[ServerInfo, _Mapping]] = ...) -> None: ...
