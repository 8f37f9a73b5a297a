"""What a request for an explanation may ask; errors name the field as the API calls it."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from xmirad.errors import InvalidRequestError
from xmirad.explanations.records import ExplanationRequest, ImageKind, MethodName
from xmirad.explanations.scoring import entries_of, point_on_map
from xmirad.saliency.attention import Attention
from xmirad.saliency.masking import Fill
from xmirad.saliency.method import ExplainedImage


def check_request(request: ExplanationRequest, *, max_windows: int) -> None:
    """Refuse what no method can answer, before anything is stored.

    Raises:
        InvalidRequestError: With the field at fault.
    """
    _check_query(request)
    _check_contrast(request)
    if request.method is MethodName.OCCLUSION:
        _check_windows(request, max_windows)
    if request.method is MethodName.ATTENTION:
        _check_attention(request)
    if request.activation.point is not None and request.explained_image is not ExplainedImage.RESULT:
        message = "a point on the query lights up its match on the result: explained_image must be RESULT"
        raise InvalidRequestError(message, field="options.explained_image")
    with _fields_below("options.activation"):
        point_on_map(request)


def _check_query(request: ExplanationRequest) -> None:
    if request.query.kind is not ImageKind.EMBEDDING:
        return
    if request.method is not MethodName.OCCLUSION:
        raise InvalidRequestError(f"{request.method} needs an image to ask with, not a vector", field="query")
    if request.explained_image is not ExplainedImage.RESULT:
        message = "a vector has no pixels to explain: explained_image must be RESULT"
        raise InvalidRequestError(message, field="options.explained_image")


def _check_contrast(request: ExplanationRequest) -> None:
    contrast = request.contrast
    if contrast is None:
        return
    if request.method is not MethodName.OCCLUSION:
        raise InvalidRequestError("only occlusion maps can contrast two results", field="options.contrast_item")
    if contrast.item == request.result.item or contrast.digest == request.result.digest:
        message = "contrast_item must show another image than item"
        raise InvalidRequestError(message, field="options.contrast_item")


def _check_windows(request: ExplanationRequest, max_windows: int) -> None:
    if request.occlusion.fill is Fill.IMAGE:
        raise InvalidRequestError("fill IMAGE is not offered", field="options.occlusion.fill")
    with _fields_below("options.occlusion"):
        entries = entries_of(request)
        windows = [entry.lattice.windows for entry in entries.values()]
    if max(windows) > max_windows:
        limits = {"value": str(max(windows)), "highest": str(max_windows)}
        message = f"stride makes {max(windows)} windows; at most {max_windows} are allowed"
        raise InvalidRequestError(message, field="options.occlusion.stride", metadata=limits)


def _check_attention(request: ExplanationRequest) -> None:
    attention = request.attention
    anything = np.zeros(0, dtype=np.float32)
    with _fields_below("options.attention"):
        Attention(
            attention.form,
            positives=[anything] * len(attention.positives),
            negatives=[anything] * len(attention.negatives),
            size=request.size,
        )
    if not any(image.digest == request.result.digest for image in (*attention.positives, *attention.negatives)):
        message = "item must be one of positive_items and negative_items"
        raise InvalidRequestError(message, field="options.attention.positive_items")


@contextmanager
def _fields_below(path: str) -> Iterator[None]:
    try:
        yield
    except InvalidRequestError as error:
        field = f"{path}.{error.field}"
        raise InvalidRequestError(error.message, field=field, metadata=error.metadata) from error
