"""Asks for an explanation, follows it and writes its maps, for the command line; imported when it is needed."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xmirad.cli.options import MethodName
from xmirad.cli.output import Output
from xmirad.client.explanation_types import (
    ActivationMethod,
    AttentionMethod,
    Explanation,
    ExplanationMap,
    Method,
    OcclusionMethod,
)
from xmirad.errors import InternalError, InvalidRequestError
from xmirad.saliency.attention import AttentionForm
from xmirad.saliency.codec import Codec
from xmirad.saliency.geometry import Point
from xmirad.saliency.masking import Fill
from xmirad.saliency.method import ExplainedImage
from xmirad.types import EncodedImage, ExplanationState

if TYPE_CHECKING:
    from xmirad.client.client import Client

SUFFIXES = (".png", ".npy")


def method_of(
    name: MethodName,
    *,
    window: int,
    stride: int,
    fill: Fill,
    codec: Codec,
    signed: bool,
    form: AttentionForm,
    positives: Sequence[str],
    negatives: Sequence[str],
    point: Point | None,
) -> Method:
    """Return a method with those of the options that are its own.

    Raises:
        InvalidRequestError: If an option is given that the method does not have.
    """
    if point is not None and name is not MethodName.ACTIVATION:
        raise InvalidRequestError("a point needs --method activation", field="point")
    if (positives or negatives) and name is not MethodName.ATTENTION:
        raise InvalidRequestError("positive and negative items need --method attention", field="positive")
    if signed and name is MethodName.ATTENTION:
        raise InvalidRequestError("attention has no signed maps", field="signed")
    if name is MethodName.ATTENTION:
        return AttentionMethod(form=form, positive_items=tuple(positives), negative_items=tuple(negatives))
    if name is MethodName.ACTIVATION:
        return ActivationMethod(point=point, signed=signed)
    return OcclusionMethod(window=window, stride=stride, fill=fill, codec=codec, signed=signed)


def point_of(text: str) -> Point | None:
    """Read `row,column`; an empty text is no point.

    Raises:
        InvalidRequestError: If it is something else.
    """
    if not text:
        return None
    try:
        row, column = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InvalidRequestError("point must be row,column in pixels, such as 120,80", field="point") from error
    return Point(row, column)


class Follower:
    """Shows an explanation while it becomes exact, and keeps the best map so far in a file.

    Attributes:
        explanation: Name of the explanation that is followed; empty before it is asked for.
    """

    def __init__(self, output: Output, *, file: Path | None, watch: bool) -> None:
        """Follow with every step shown, or to the exact map only.

        Raises:
            InvalidRequestError: If a map cannot be written in the form that the file's name asks for.
        """
        if file is not None and file.suffix not in SUFFIXES:
            message = f"the output's name must end with {' or '.join(SUFFIXES)}"
            raise InvalidRequestError(message, field="output", metadata={"allowed": ", ".join(SUFFIXES)})
        self.explanation = ""
        self._output = output
        self._file = file
        self._watch = watch

    def follow(
        self,
        client: "Client",
        source: EncodedImage | str,
        item: str,
        *,
        method: Method,
        explained_image: ExplainedImage,
        contrast_item: str,
    ) -> None:
        """Ask for an explanation and wait for it.

        Raises:
            XmiradError: If it cannot be asked for, or fails.
        """
        wants_png = self._file is not None and self._file.suffix == ".png"
        last = client.create_explanation(
            source,
            item,
            method=method,
            explained_image=explained_image,
            contrast_item=contrast_item,
            include_overlay=wants_png,
        )
        self.explanation = last.name
        self._show(last)
        if not self._is_enough(last):
            for update in client.watch_explanation(last.name, include_overlay=wants_png):
                last = update.explanation
                self._show(last)
                if self._is_enough(last):
                    break
        self._finish(last)

    def _is_enough(self, explanation: Explanation) -> bool:
        assessed = all(saliency.fidelity is not None for saliency in explanation.maps)
        return explanation.is_done and (not self._watch or assessed)

    def _show(self, explanation: Explanation) -> None:
        for saliency in explanation.maps:
            self._write(saliency, of_several=len(explanation.maps) > 1)
        if self._watch:
            self._output.text(progress_line(explanation))

    def _finish(self, explanation: Explanation) -> None:
        if explanation.state is ExplanationState.FAILED:
            raise explanation.error or InternalError("the explanation failed")
        self._output.json(summary(explanation))
        if not self._watch:
            self._output.text(progress_line(explanation))
        for saliency in explanation.maps:
            self._output.text(f"{saliency.explained_image}: {saliency.meaning}")
        self._output.text("Decision support; not a diagnosis.")

    def _write(self, saliency: ExplanationMap, *, of_several: bool) -> None:
        if self._file is None:
            return
        file = self._file
        if of_several:
            file = file.with_stem(f"{file.stem}-{saliency.explained_image}")
        temporary = file.with_name(f".{file.name}.part")
        temporary.write_bytes(saliency.overlay_png if file.suffix == ".png" else _npy(saliency))
        temporary.replace(file)


def progress_line(explanation: Explanation) -> str:
    """Say in one line how far an explanation is and what its maps are worth."""
    parts = [str(explanation.state or "unknown")]
    if explanation.windows_total and not explanation.is_done:
        parts.append(f"{explanation.windows_done} of {explanation.windows_total} windows")
    parts += [_quality(saliency) for saliency in explanation.maps]
    return ", ".join(parts)


def summary(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON values, with the range of each map instead of its pixels."""
    fields = ("name", "state", "item", "query_item", "query_digest", "method", "explained_image", "contrast_item")
    more = ("model", "attempt", "create_time", "finish_time", "windows_done", "windows_total")
    described = (
        "explained_image",
        "signed",
        "meaning",
        "quality",
        "estimated_error",
        "codec",
        "error_five_sigma",
        "preview_errors",
        "fidelity",
        "geometry",
    )
    maps = [
        {name: getattr(saliency, name) for name in described}
        | {"minimum": float(saliency.values.min()), "maximum": float(saliency.values.max())}
        for saliency in explanation.maps
    ]
    return {name: getattr(explanation, name) for name in fields + more} | {"maps": maps}


def _quality(saliency: ExplanationMap) -> str:
    text = f"{saliency.quality} map of the {saliency.explained_image}"
    if saliency.estimated_error is not None:
        text += f" (estimated error {saliency.estimated_error:.0%} of the largest response)"
    if saliency.preview_errors:
        text += f" (previews were off by {', '.join(f'{error:.0%}' for error in saliency.preview_errors)})"
    fidelity = saliency.fidelity
    if fidelity is not None:
        text += f", {fidelity.words}"
    return text


def _npy(saliency: ExplanationMap) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, saliency.values, allow_pickle=False)
    return buffer.getvalue()
