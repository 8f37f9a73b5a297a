"""How an explanation ended, and what is kept of its maps."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from xmirad import errors
from xmirad.errors import InternalError, XmiradError
from xmirad.saliency.codec import Codec
from xmirad.saliency.fidelity import Verdict
from xmirad.saliency.method import ExplainedImage, SaliencyMap
from xmirad.types import ExplanationState, Float32Array


@dataclass(frozen=True, slots=True)
class Areas:
    """Areas under the insertion and the deletion curve, 0 to 1."""

    insertion: float
    deletion: float

    @property
    def fidelity(self) -> float:
        """Insertion minus deletion, -1 to 1."""
        return self.insertion - self.deletion


@dataclass(frozen=True, slots=True)
class Fidelity:
    """What a map is worth.

    Attributes:
        areas: Those of the map.
        controls: Fidelity of the control fields on the same pair, that of the center prior last.
        verdict: Whether the map is better than all of them.
        published: Areas by the published definition, or None where they were not asked for.
    """

    areas: Areas
    controls: tuple[float, ...]
    verdict: Verdict
    published: Areas | None = None


@dataclass(frozen=True, slots=True, eq=False)
class KeptMap:
    """A map and what is known of it.

    Attributes:
        saliency: The map.
        codec: How the masked embeddings behind it are kept, or None.
        fidelity: What it is worth, or None as long as that is not computed.
    """

    saliency: SaliencyMap
    codec: Codec | None = None
    fidelity: Fidelity | None = None

    def to_document(self) -> dict[str, Any]:
        """Return everything but the pixels as JSON values; fidelity is kept elsewhere."""
        saliency = self.saliency
        return {
            "size": saliency.values.shape[0],
            "explained_image": saliency.explained_image.value,
            "signed": saliency.signed,
            "exact": saliency.exact,
            "estimated_error": saliency.estimated_error,
            "error_five_sigma": saliency.error_five_sigma,
            "preview_errors": list(saliency.preview_errors),
            "codec": self.codec,
        }

    def pixels(self) -> bytes:
        """Return the map as little-endian float32, row by row."""
        return self.saliency.values.astype("<f4").tobytes()

    @classmethod
    def from_document(cls, document: Mapping[str, Any], pixels: bytes) -> "KeptMap":
        """Read what `to_document` and `pixels` returned."""
        size = document["size"]
        values: Float32Array = np.frombuffer(pixels, dtype="<f4").reshape(size, size)
        codec = document["codec"]
        saliency = SaliencyMap(
            values,
            ExplainedImage(document["explained_image"]),
            signed=document["signed"],
            exact=document["exact"],
            estimated_error=document["estimated_error"],
            error_five_sigma=document["error_five_sigma"],
            preview_errors=tuple(document["preview_errors"]),
        )
        return cls(saliency, Codec(codec) if codec else None)

    def assessed(self, fidelity: Fidelity) -> "KeptMap":
        """Return the map with its fidelity."""
        return replace(self, fidelity=fidelity)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """How an attempt at an explanation ended.

    Attributes:
        state: SUCCEEDED, FAILED or CANCELLED.
        finish_time: When, in seconds since 1970.
        maps: The maps, that of the query first.
        error: Why it failed, or None.
        no_fidelity: Why its maps have no fidelity and will get none, a stable word; empty if they have or may get it.
    """

    state: ExplanationState
    finish_time: float
    maps: tuple[KeptMap, ...] = ()
    error: XmiradError | None = field(default=None)
    no_fidelity: str = ""


def fidelity_to_document(fidelity: Fidelity) -> dict[str, Any]:
    """Return a fidelity as JSON values."""
    return asdict(fidelity)


def fidelity_from_document(document: Mapping[str, Any]) -> Fidelity:
    """Read what `fidelity_to_document` returned."""
    published = document["published"]
    return Fidelity(
        areas=Areas(**document["areas"]),
        controls=tuple(document["controls"]),
        verdict=Verdict(document["verdict"]),
        published=Areas(**published) if published else None,
    )


def error_to_document(error: XmiradError) -> dict[str, Any]:
    """Return an error as JSON values."""
    return {"reason": error.reason, "message": error.message, "field": error.field, "metadata": error.metadata}


def error_from_document(document: Mapping[str, Any]) -> XmiradError:
    """Read what `error_to_document` returned."""
    known = {each.reason: each for each in _error_classes()}
    error_class = known.get(document["reason"], InternalError)
    return error_class(document["message"], field=document["field"], metadata=document["metadata"])


def _error_classes() -> Iterator[type[XmiradError]]:
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, XmiradError) and hasattr(value, "reason"):
            yield value
