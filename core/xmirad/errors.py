"""Every error that X-MIRAD raises on purpose.

XmiradError
├── InvalidImageError          IMAGE_UNDECODABLE
├── UnsupportedImageError      TRANSFER_SYNTAX_UNSUPPORTED
├── PayloadTooLargeError       IMAGE_TOO_LARGE
├── InvalidRequestError        FIELD_INVALID
├── NotFoundError
│   ├── ArchiveNotFoundError   ARCHIVE_NOT_FOUND
│   ├── ItemNotFoundError      ITEM_NOT_FOUND
│   ├── ModelNotFoundError     MODEL_NOT_FOUND
│   ├── ExplanationNotFoundError  EXPLANATION_NOT_FOUND
│   ├── ImportNotFoundError    IMPORT_NOT_FOUND
│   └── TokenNotFoundError     TOKEN_NOT_FOUND
├── ArchiveAlreadyExistsError  ARCHIVE_EXISTS
├── ItemAlreadyExistsError     ITEM_EXISTS
├── ItemDeletedError           ITEM_DELETED
├── ModelMismatchError         MODEL_MISMATCH
├── ModelCorruptError          MODEL_CORRUPT
├── SiteKeyMismatchError       SITE_KEY_MISMATCH
├── ArchiveEmptyError          ARCHIVE_EMPTY
├── ArchiveNotEmptyError       ARCHIVE_NOT_EMPTY
├── ArchiveNotReadyError       ARCHIVE_NOT_READY
├── ArchiveRebuildingError     ARCHIVE_REBUILDING
├── HomeInUseError             HOME_IN_USE
├── CalibrationRefusedError    CALIBRATION_REFUSED
├── ConcurrentImportError      IMPORT_RUNNING
├── UnauthenticatedError       TOKEN_MISSING
├── AccessDeniedError          ACCESS_DENIED
├── QuotaExceededError         QUOTA_EXCEEDED
├── OverloadedError            OVERLOADED
├── QueueFullError             EXPLANATION_QUEUE_FULL
├── BackendUnavailableError    BACKEND_UNAVAILABLE
├── EmbeddingCorruptError      EMBEDDING_CORRUPT
├── RecordCorruptError         RECORD_CORRUPT
└── InternalError              INTERNAL

`code` is the gRPC status, `reason` the stable word that clients branch on, and `metadata` holds every variable part of
the message. No message names a patient, a file of the service or a part of its code.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar


class StatusCode(StrEnum):
    """The gRPC status codes in use, by their names in the gRPC specification."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    DATA_LOSS = "DATA_LOSS"
    INTERNAL = "INTERNAL"


class XmiradError(Exception):
    """Base of all domain errors.

    Attributes:
        code: The gRPC status that the error travels under.
        reason: The stable word for programs.
        message: A sentence for people.
        field: Path of the request field at fault, or an empty string.
        metadata: The variable parts of the message, by name.
        retry_delay_seconds: When trying again makes sense, or None.
    """

    code: ClassVar[StatusCode]
    reason: ClassVar[str]

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_delay_seconds: float | None = None,
    ) -> None:
        """Keep what happened and where."""
        super().__init__(message)
        self.message = message
        self.field = field
        self.metadata: dict[str, str] = dict(metadata or {})
        self.retry_delay_seconds = retry_delay_seconds


class InvalidImageError(XmiradError):
    """The bytes are no image that can be decoded, or not within the processor time that their size allows."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "IMAGE_UNDECODABLE"


class UnsupportedImageError(XmiradError):
    """The image is valid, but no decoder for its transfer syntax is allowed."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "TRANSFER_SYNTAX_UNSUPPORTED"


class PayloadTooLargeError(XmiradError):
    """The image exceeds a size limit, in bytes, in pixels or in the memory that decoding takes."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "IMAGE_TOO_LARGE"


class InvalidRequestError(XmiradError):
    """A field of the request has a value that is not allowed."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "FIELD_INVALID"


class NotFoundError(XmiradError):
    """Something that was named is not there."""

    code = StatusCode.NOT_FOUND


class ArchiveNotFoundError(NotFoundError):
    """There is no archive of that name."""

    reason = "ARCHIVE_NOT_FOUND"


class ItemNotFoundError(NotFoundError):
    """There is no item of that name."""

    reason = "ITEM_NOT_FOUND"


class ModelNotFoundError(NotFoundError):
    """There is no model of that name or digest."""

    reason = "MODEL_NOT_FOUND"


class ExplanationNotFoundError(NotFoundError):
    """There is no such explanation."""

    reason = "EXPLANATION_NOT_FOUND"


class ImportNotFoundError(NotFoundError):
    """There is no such import."""

    reason = "IMPORT_NOT_FOUND"


class TokenNotFoundError(NotFoundError):
    """There is no token of that name in force."""

    reason = "TOKEN_NOT_FOUND"


class ArchiveAlreadyExistsError(XmiradError):
    """An archive of that name exists with other settings."""

    code = StatusCode.ALREADY_EXISTS
    reason = "ARCHIVE_EXISTS"


class ItemAlreadyExistsError(XmiradError):
    """An item of that identity exists with another image. The first image wins."""

    code = StatusCode.ALREADY_EXISTS
    reason = "ITEM_EXISTS"


class ItemDeletedError(XmiradError):
    """The item was deleted and is not brought back unless told so."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "ITEM_DELETED"


class ModelMismatchError(XmiradError):
    """The archive was built with another model."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "MODEL_MISMATCH"


class ModelCorruptError(XmiradError):
    """A model's files do not agree with its digests, or it does not reproduce its canonical embedding."""

    code = StatusCode.DATA_LOSS
    reason = "MODEL_CORRUPT"


class SiteKeyMismatchError(XmiradError):
    """The site key is missing, or is not the one that the archive was built with."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "SITE_KEY_MISMATCH"


class ArchiveEmptyError(XmiradError):
    """The archive holds no items yet."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "ARCHIVE_EMPTY"


class ArchiveNotEmptyError(XmiradError):
    """The archive holds items and may be deleted by force only."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "ARCHIVE_NOT_EMPTY"


class ArchiveNotReadyError(XmiradError):
    """The archive is in use by another process."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "ARCHIVE_NOT_READY"


class ArchiveRebuildingError(XmiradError):
    """The archive's index is being made anew from the catalog; `metadata` says how far it is: `done` of `total` items.

    It ends by itself. Searches that allow partial answers are answered meanwhile.
    """

    code = StatusCode.FAILED_PRECONDITION
    reason = "ARCHIVE_REBUILDING"


class HomeInUseError(XmiradError):
    """The home folder is in use by another process, which `metadata["holder"]` names."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "HOME_IN_USE"


class CalibrationRefusedError(XmiradError):
    """Confidences that were fitted cannot be believed: the fit is at a bound, or no better on held-out folds."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "CALIBRATION_REFUSED"


class ConcurrentImportError(XmiradError):
    """An import fills the archive already."""

    code = StatusCode.ABORTED
    reason = "IMPORT_RUNNING"


class UnauthenticatedError(XmiradError):
    """The call has no bearer token, or one that is expired or not accepted here."""

    code = StatusCode.UNAUTHENTICATED
    reason = "TOKEN_MISSING"


class AccessDeniedError(XmiradError):
    """The caller's token has not the scope that the call needs, which `metadata["scope"]` names."""

    code = StatusCode.PERMISSION_DENIED
    reason = "ACCESS_DENIED"


class QuotaExceededError(XmiradError):
    """The caller makes more calls than one caller may."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "QUOTA_EXCEEDED"


class OverloadedError(XmiradError):
    """More requests are waiting than the service accepts."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "OVERLOADED"


class QueueFullError(XmiradError):
    """So much waits to be computed that no more is taken on for now."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "EXPLANATION_QUEUE_FULL"


class BackendUnavailableError(XmiradError):
    """Something that the service depends on does not answer in time. Named in `metadata["backend"]`."""

    code = StatusCode.UNAVAILABLE
    reason = "BACKEND_UNAVAILABLE"


class EmbeddingCorruptError(XmiradError):
    """A stored embedding does not pass its checks."""

    code = StatusCode.DATA_LOSS
    reason = "EMBEDDING_CORRUPT"


class RecordCorruptError(XmiradError):
    """A record of the catalog cannot be read. `metadata` names its archive, and its item if it is of one."""

    code = StatusCode.DATA_LOSS
    reason = "RECORD_CORRUPT"


class TrainingFailedError(XmiradError):
    """Training cannot go on: its loss is not finite, or what it learned cannot be saved."""

    code = StatusCode.INTERNAL
    reason = "TRAINING_FAILED"


class InternalError(XmiradError):
    """Something that should not happen. The details are in the service's logs, under the request id."""

    code = StatusCode.INTERNAL
    reason = "INTERNAL"
