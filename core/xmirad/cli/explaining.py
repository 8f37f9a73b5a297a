"""Asks for an explanation, follows it and writes its maps, for the command line; imported when it is needed."""

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xmirad.cli.commands.search import item_named
from xmirad.cli.explanation_figure import Panel, encoded_figure, explanation_figure
from xmirad.cli.options import MethodName
from xmirad.cli.output import Output, check_output_file, replace_file
from xmirad.cli.pictures import Picture, item_picture, query_picture
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
from xmirad.types import ExplanationState

if TYPE_CHECKING:
    from xmirad.client.client import Client
    from xmirad.client.search_types import SearchSource

SUFFIXES = (".png", ".jpg", ".jpeg", ".npy")
QUERY = "query"
NOT_WAITED = "whether the map is better than chance is not measured yet: the same command with --watch waits for it"
OCCLUSION, ATTENTION, ACTIVATION = MethodName.OCCLUSION, MethodName.ATTENTION, MethodName.ACTIVATION
METHOD_OPTIONS = {
    "window": (OCCLUSION,),
    "stride": (OCCLUSION,),
    "fill": (OCCLUSION,),
    "codec": (OCCLUSION,),
    "contrast": (OCCLUSION,),
    "signed": (OCCLUSION, ACTIVATION),
    "form": (ATTENTION,),
    "positive": (ATTENTION,),
    "negative": (ATTENTION,),
    "point": (ACTIVATION,),
}
"""The options that not every method has."""


@dataclass(frozen=True, slots=True)
class Named:
    """An item that takes part in an explanation, and what people call it.

    Attributes:
        item: `archives/{archive}/items/{item}`.
        title: Its external id and file.
        labels: Its labels.
        rank: Its rank in the search, or None if it was not named by a rank.
        score: Its score in the search, or None.
        is_query: True if it is the query itself.
    """

    item: str
    title: str
    labels: tuple[str, ...]
    rank: int | None = None
    score: float | None = None
    is_query: bool = False

    @property
    def description(self) -> str:
        """The item in one line."""
        place = "" if self.rank is None else f"rank {self.rank}, score {self.score:.4f}, "
        return f"{self.title} ({place}{', '.join(self.labels) or 'no label'})"


def check_method_options(given: Collection[str], method: MethodName) -> None:
    """Check that each option that is given is one of the method's.

    Args:
        given: Names of the command's parameters that are on the command line.
        method: The method.

    Raises:
        InvalidRequestError: If an option is given that the method does not use.
    """
    for name, methods in METHOD_OPTIONS.items():
        if name in given and method not in methods:
            words = " or ".join(methods)
            message = f"--{name} needs --method {words}; {method} does not use it"
            raise InvalidRequestError(message, field=name, metadata={"value": method, "allowed": ", ".join(methods)})


def method_of(name: MethodName, values: Mapping[str, Any], *, archive: str) -> Method:
    """Return a method with those of the command's options that are its own.

    Args:
        name: The method.
        values: What the options were given, by the names of the command's parameters.
        archive: The archive's id.

    Raises:
        InvalidRequestError: If an item or the point cannot be read.
    """

    def named(field: str) -> tuple[str, ...]:
        return tuple(item_named(item, archive=archive, field=field) for item in values[field] or ())

    if name is MethodName.ATTENTION:
        return AttentionMethod(
            form=AttentionForm(values["form"]), positive_items=named("positive"), negative_items=named("negative")
        )
    if name is MethodName.ACTIVATION:
        return ActivationMethod(point=point_of(values["point"]), signed=values["signed"])
    return OcclusionMethod(
        window=values["window"],
        stride=values["stride"],
        fill=Fill(values["fill"]),
        codec=Codec(values["codec"]),
        signed=values["signed"],
    )


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

    def __init__(self, output: Output, *, file: Path | None, watch: bool, overlay_only: bool) -> None:
        """Follow with every step shown, or to the exact map only.

        Args:
            output: Where the command prints.
            file: Where the maps go, or None.
            watch: Show every step, and wait for the fidelity.
            overlay_only: Write the service's own picture of the map on the explained image, without anything beside it.

        Raises:
            InvalidRequestError: If a map cannot be written in the form or at the place that is asked for.
        """
        if file is not None:
            check_output_file(file, suffixes=(".png",) if overlay_only else SUFFIXES)
        elif overlay_only:
            raise InvalidRequestError("--overlay-only needs a file: -o why.png", field="overlay_only")
        self.explanation = ""
        self._output = output
        self._file = file
        self._watch = watch
        self._wants_overlay = overlay_only
        self._written: list[Path] = []
        self._shown: tuple[ExplanationMap, ...] = ()

    def follow(
        self,
        client: "Client",
        source: "SearchSource",
        pair: "ExplainedPair",
        *,
        method: Method,
        explained_image: ExplainedImage,
    ) -> None:
        """Ask for an explanation and wait for it.

        Raises:
            XmiradError: If it cannot be asked for, or fails.
        """
        last = client.create_explanation(
            source,
            pair.result.item,
            method=method,
            explained_image=explained_image,
            contrast_item=pair.contrast.item if pair.contrast else "",
            include_overlay=self._wants_overlay,
        )
        self.explanation = last.name
        self._show(last, pair)
        if not self._is_enough(last):
            for update in client.watch_explanation(last.name, include_overlay=self._wants_overlay):
                last = update.explanation
                self._show(last, pair)
                if self._is_enough(last):
                    break
        self._finish(last, pair)

    def _is_enough(self, explanation: Explanation) -> bool:
        assessed = all(saliency.fidelity is not None for saliency in explanation.maps)
        return explanation.is_done and (not self._watch or assessed)

    def _show(self, explanation: Explanation, pair: "ExplainedPair") -> None:
        if self._file is not None and explanation.maps and _maps_differ(explanation.maps, self._shown):
            self._write(self._file, explanation, pair)
            self._shown = explanation.maps
        if self._watch:
            self._output.text(progress_line(explanation))

    def _finish(self, explanation: Explanation, pair: "ExplainedPair") -> None:
        if explanation.state is ExplanationState.FAILED:
            raise explanation.error or InternalError("the explanation failed")
        self._output.json(summary(explanation) | {"result": pair.result, "files": self._written})
        if not self._watch:
            self._output.text(progress_line(explanation))
        for saliency in explanation.maps:
            self._output.text(f"{saliency.explained_image}: {saliency.meaning}")
        if any(saliency.fidelity is None for saliency in explanation.maps):
            self._output.text(NOT_WAITED)
        for file in self._written:
            self._output.text(f"written: {file}")
        self._output.text("Decision support; not a diagnosis.")

    def _write(self, file: Path, explanation: Explanation, pair: "ExplainedPair") -> None:
        if not self._wants_overlay and file.suffix.lower() != ".npy":
            self._replace(file, pair.drawn(explanation, suffix=file.suffix))
            return
        several = len(explanation.maps) > 1
        for saliency in explanation.maps:
            if self._wants_overlay and not saliency.overlay_png:
                raise InternalError("the service has no picture to lay the map on; leave --overlay-only out")
            one = file.with_stem(f"{file.stem}-{saliency.explained_image}") if several else file
            self._replace(one, saliency.overlay_png if self._wants_overlay else _npy(saliency))

    def _replace(self, file: Path, data: bytes) -> None:
        replace_file(file, data)
        if file not in self._written:
            self._written.append(file)


def _maps_differ(maps: Sequence[ExplanationMap], others: Sequence[ExplanationMap]) -> bool:
    """Return whether maps differ from those shown before; most updates only count windows."""
    return len(maps) != len(others) or any(
        one.fidelity != other.fidelity or one.quality != other.quality or not np.array_equal(one.values, other.values)
        for one, other in zip(maps, others, strict=True)
    )


class ExplainedPair:
    """Query and result of an explanation, with their pictures, which are fetched when the first figure is drawn."""

    def __init__(
        self,
        client: "Client",
        source: "SearchSource",
        *,
        query: str,
        result: Named,
        contrast: Named | None = None,
        is_self: bool = False,
    ) -> None:
        """Name the images.

        Args:
            client: Where the pictures of items are.
            source: What is asked with.
            query: What people call the query.
            result: The item that is explained.
            contrast: The item that it is held against, or None.
            is_self: Whether an item is explained by itself: the figure then shows it once.
        """
        self.query = query
        self.result = result
        self.contrast = contrast
        self.is_self = is_self
        self._client = client
        self._source = source
        self._pictures: dict[str, Picture | None] = {}

    def drawn(self, explanation: Explanation, *, suffix: str) -> bytes:
        """Return the figure of an explanation as a file of a kind."""
        maps = {saliency.explained_image: saliency for saliency in explanation.maps}
        if self.is_self:
            panel = Panel("Item", _captions(self.result), self._picture(self.result), explanation.maps[0])
            figure = explanation_figure(f"What the embedding of {self.result.title} rests on", [panel], explanation)
            return encoded_figure(figure, suffix=suffix)
        panels = [
            Panel("Query", (self.query,), self._query_picture(), maps.get(ExplainedImage.QUERY)),
            Panel("Result", _captions(self.result), self._picture(self.result), maps.get(ExplainedImage.RESULT)),
        ]
        title = f"Why {self.result.title} was found for {self.query}"
        if self.contrast is not None:
            panels.append(Panel("Contrast", _captions(self.contrast), self._picture(self.contrast)))
            title += f", before {self.contrast.title}"
        return encoded_figure(explanation_figure(title, panels, explanation), suffix=suffix)

    def _query_picture(self) -> "Picture | None":
        if QUERY not in self._pictures:
            self._pictures[QUERY] = query_picture(self._client, self._source)
        return self._pictures[QUERY]

    def _picture(self, named: Named) -> "Picture | None":
        if named.item not in self._pictures:
            self._pictures[named.item] = item_picture(self._client, named.item)
        return self._pictures[named.item]


def _captions(named: Named) -> tuple[str, ...]:
    place = "" if named.rank is None else f"rank {named.rank}, score {named.score:.4f}, "
    mark = " (the query itself)" if named.is_query and named.rank is not None else ""
    return (f"{named.title}{mark}", f"{place}labels: {', '.join(named.labels) or 'none'}")


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
