from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UntrainedFeatures(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNTRAINED_FEATURES_UNSPECIFIED: _ClassVar[UntrainedFeatures]
    UNTRAINED_FEATURES_EMBEDDING: _ClassVar[UntrainedFeatures]
    UNTRAINED_FEATURES_POOLED: _ClassVar[UntrainedFeatures]
    UNTRAINED_FEATURES_NONE: _ClassVar[UntrainedFeatures]
UNTRAINED_FEATURES_UNSPECIFIED: UntrainedFeatures
UNTRAINED_FEATURES_EMBEDDING: UntrainedFeatures
UNTRAINED_FEATURES_POOLED: UntrainedFeatures
UNTRAINED_FEATURES_NONE: UntrainedFeatures

class Model(_message.Message):
    __slots__ = ("name", "display_name", "digest", "architecture", "embedding_size", "preprocessing_json", "training_data", "license", "card", "is_default", "untrained_features", "training_image_digests", "validation_image_digests")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_SIZE_FIELD_NUMBER: _ClassVar[int]
    PREPROCESSING_JSON_FIELD_NUMBER: _ClassVar[int]
    TRAINING_DATA_FIELD_NUMBER: _ClassVar[int]
    LICENSE_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    UNTRAINED_FEATURES_FIELD_NUMBER: _ClassVar[int]
    TRAINING_IMAGE_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_IMAGE_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    display_name: str
    digest: str
    architecture: str
    embedding_size: int
    preprocessing_json: str
    training_data: str
    license: str
    card: str
    is_default: bool
    untrained_features: UntrainedFeatures
    training_image_digests: bytes
    validation_image_digests: bytes
    def __init__(self, name: _Optional[str] = ..., display_name: _Optional[str] = ..., digest: _Optional[str] = ..., architecture: _Optional[str] = ..., embedding_size: _Optional[int] = ..., preprocessing_json: _Optional[str] = ..., training_data: _Optional[str] = ..., license: _Optional[str] = ..., card: _Optional[str] = ..., is_default: _Optional[bool] = ..., untrained_features: _Optional[_Union[UntrainedFeatures, str]] = ..., training_image_digests: _Optional[bytes] = ..., validation_image_digests: _Optional[bytes] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: Model
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...
