"""The one mapping between domain errors and gRPC, used by service and SDK alike.

Every error travels as a `google.rpc.Status` with `ErrorInfo` (reason, domain `xmirad`, metadata), with `BadRequest`
where a field is at fault and `RetryInfo` where a delay is known; `ROWS` says what else goes with which class. Inside
streams the same content travels in our own `Error` message.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from enum import Enum, auto
from typing import cast

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]  # has stubs, but no py.typed
from grpc_status import rpc_status

from xmirad import errors
from xmirad.api.clipping import METADATA_BYTES, TEXT_BYTES, clip
from xmirad.api.plain_statuses import error_of_plain_status
from xmirad.api.v1 import resources_pb2
from xmirad.errors import XmiradError

DOMAIN = "xmirad"
REQUEST_ID_KEY = "x-request-id"
STATUS_KEY = "grpc-status-details-bin"
NANOS = 1_000_000_000


class Detail(Enum):
    """Which standard detail says what an error is about."""

    NONE = auto()
    RESOURCE = auto()
    PRECONDITION = auto()


@dataclass(frozen=True, slots=True)
class Row:
    """How a class travels, beyond what every class has.

    Attributes:
        detail: The detail that names the subject.
        subject: Key of the metadata entry that holds the subject's name.
    """

    detail: Detail = Detail.NONE
    subject: str = ""


ROWS: Mapping[type[XmiradError], Row] = {
    errors.InvalidImageError: Row(),
    errors.UnsupportedImageError: Row(),
    errors.PayloadTooLargeError: Row(),
    errors.InvalidRequestError: Row(),
    errors.ArchiveNotFoundError: Row(Detail.RESOURCE, "archive"),
    errors.ItemNotFoundError: Row(Detail.RESOURCE, "item"),
    errors.ModelNotFoundError: Row(Detail.RESOURCE, "model"),
    errors.ExplanationNotFoundError: Row(Detail.RESOURCE, "explanation"),
    errors.ImportNotFoundError: Row(Detail.RESOURCE, "import"),
    errors.TokenNotFoundError: Row(Detail.RESOURCE, "token"),
    errors.ArchiveAlreadyExistsError: Row(Detail.RESOURCE, "archive"),
    errors.ItemAlreadyExistsError: Row(Detail.RESOURCE, "item"),
    errors.ItemDeletedError: Row(Detail.PRECONDITION, "item"),
    errors.ModelMismatchError: Row(Detail.PRECONDITION, "archive"),
    errors.ModelCorruptError: Row(),
    errors.SiteKeyMismatchError: Row(Detail.PRECONDITION, "archive"),
    errors.ArchiveEmptyError: Row(Detail.PRECONDITION, "archive"),
    errors.ArchiveNotEmptyError: Row(Detail.PRECONDITION, "archive"),
    errors.ArchiveNotReadyError: Row(Detail.PRECONDITION, "archive"),
    errors.ArchiveRebuildingError: Row(Detail.PRECONDITION, "archive"),
    errors.HomeInUseError: Row(Detail.PRECONDITION, "home"),
    errors.CalibrationRefusedError: Row(Detail.PRECONDITION, "archive"),
    errors.ConcurrentImportError: Row(Detail.RESOURCE, "import"),
    errors.UnauthenticatedError: Row(),
    errors.AccessDeniedError: Row(),
    errors.QuotaExceededError: Row(),
    errors.OverloadedError: Row(),
    errors.QueueFullError: Row(),
    errors.BackendUnavailableError: Row(),
    errors.EmbeddingCorruptError: Row(),
    errors.RecordCorruptError: Row(),
    errors.InternalError: Row(),
    errors.TrainingFailedError: Row(),
}
BY_REASON: Mapping[str, type[XmiradError]] = {error.reason: error for error in ROWS}
# What an unknown reason of a newer service is taken for.
BY_CODE: Mapping[str, type[XmiradError]] = {
    "INVALID_ARGUMENT": errors.InvalidRequestError,
    "UNAUTHENTICATED": errors.UnauthenticatedError,
    "PERMISSION_DENIED": errors.AccessDeniedError,
    "RESOURCE_EXHAUSTED": errors.OverloadedError,
    "UNAVAILABLE": errors.BackendUnavailableError,
}


@dataclass(frozen=True, slots=True)
class RichStatus(grpc.Status):
    """A status as `context.abort_with_status` wants it."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def status_of(error: XmiradError, request_id: str) -> RichStatus:
    """Return the status that ends a call, with the request id in its trailing metadata and in the error's metadata.

    Long texts are cut so that the whole fits into the 8 KiB that gRPC clients accept as metadata.
    """
    message = clip(error.message, TEXT_BYTES)
    status = status_pb2.Status(code=code_pb2.Code.Value(error.code.value), message=message)
    for detail in _details_of(error, message, request_id):
        status.details.add().Pack(detail)
    trailing = ((STATUS_KEY, status.SerializeToString()), (REQUEST_ID_KEY, request_id))
    return RichStatus(grpc.StatusCode[error.code.value], message, trailing)


def error_of(rpc_error: grpc.RpcError, *, address: str = "") -> XmiradError | TimeoutError | CancelledError:
    """Return the error that a failed call stands for, ready to be raised.

    The same class comes back that the service raised, with its field, metadata and retry delay. The request id is in
    `metadata["request_id"]`. Without the service's details: `TimeoutError` where the deadline passed, `CancelledError`
    where the caller cancelled, `BackendUnavailableError` with backend `service` where nothing answers at `address` or
    the connection broke, `PayloadTooLargeError` where a message exceeds the channel's limit, else `InternalError`.
    """
    call = cast("grpc.Call", rpc_error)  # what is raised is always both
    try:
        status = rpc_status.from_call(call)
    except (ValueError, DecodeError):
        status = None
    error = _error_of_status(status) if status is not None else None
    if error is None:
        return error_of_plain_status(call.code(), call.details() or "", address=address)
    return error


def to_proto_error(error: XmiradError) -> resources_pb2.Error:
    """Return an error as the answer to one request of a stream."""
    message = clip(error.message, METADATA_BYTES)
    return resources_pb2.Error(
        code=code_pb2.Code.Value(error.code.value),
        reason=error.reason,
        message=message,
        field_violations=[resources_pb2.FieldViolation(field=error.field, description=message)] if error.field else [],
        metadata=_clipped_metadata(error.metadata),
        retry_delay_seconds=error.retry_delay_seconds,
    )


def from_proto_error(message: resources_pb2.Error) -> XmiradError:
    """Return the error that one request of a stream failed with, of the class that the service raised."""
    return _build(
        message.reason,
        code_pb2.Code.Name(message.code) if message.code in code_pb2.Code.values() else "UNKNOWN",
        message.message,
        field=message.field_violations[0].field if message.field_violations else "",
        metadata=message.metadata,
        retry_delay_seconds=message.retry_delay_seconds if message.HasField("retry_delay_seconds") else None,
    )


def _details_of(error: XmiradError, message: str, request_id: str) -> Iterator[Message]:
    metadata = _clipped_metadata(error.metadata) | {"request_id": request_id}
    yield error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    if error.field:
        field = clip(error.field, TEXT_BYTES)
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=message)
        yield error_details_pb2.BadRequest(field_violations=[violation])
    if error.retry_delay_seconds is not None:
        seconds, nanos = divmod(round(error.retry_delay_seconds * NANOS), NANOS)
        yield error_details_pb2.RetryInfo(retry_delay=Duration(seconds=seconds, nanos=nanos))
    row = ROWS.get(type(error), Row())
    subject = metadata.get(row.subject, "")
    if row.detail is Detail.RESOURCE:
        kind = f"xmirad.v1.{row.subject.capitalize()}"
        yield error_details_pb2.ResourceInfo(resource_type=kind, resource_name=subject, description=message)
    if row.detail is Detail.PRECONDITION:
        failure = error_details_pb2.PreconditionFailure.Violation(type=error.reason, subject=subject)
        yield error_details_pb2.PreconditionFailure(violations=[failure])


def _error_of_status(status: status_pb2.Status) -> XmiradError | None:
    """Return the error that a status describes, or None where another domain's service or a proxy wrote it."""
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        _ = detail.Unpack(info) or detail.Unpack(bad_request) or detail.Unpack(retry)
    if info.domain != DOMAIN:
        return None
    delay = retry.retry_delay
    return _build(
        info.reason,
        code_pb2.Code.Name(status.code),
        status.message,
        field=bad_request.field_violations[0].field if bad_request.field_violations else "",
        metadata=info.metadata,
        retry_delay_seconds=delay.seconds + delay.nanos / NANOS if retry.HasField("retry_delay") else None,
    )


def _build(
    reason: str, code: str, message: str, *, field: str, metadata: Mapping[str, str], retry_delay_seconds: float | None
) -> XmiradError:
    known = dict(metadata)
    error = BY_REASON.get(reason)
    if error is None:
        error = BY_CODE.get(code, errors.InternalError)
        known["unknown_reason"] = reason
    return error(message, field=field, metadata=known, retry_delay_seconds=retry_delay_seconds)


def _clipped_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    share = METADATA_BYTES // max(1, len(metadata))
    return {key: clip(value, share) for key, value in metadata.items()}
