"""What an explanation is: what was asked, under which id, and how it ended."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter

from xmirad.saliency.attention import AttentionForm
from xmirad.saliency.codec import Codec
from xmirad.saliency.lattice import STRIDE, WINDOW
from xmirad.saliency.masking import Fill
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ImageGeometry
from xmirad.types import MethodName as MethodName


class ImageKind(StrEnum):
    """Where an image of a pair comes from."""

    ITEM = "item"
    QUERY = "query"
    EMBEDDING = "embedding"


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image of a pair, kept in the blob store.

    Attributes:
        kind: An item of the archive, a stored query, or a vector without an image.
        digest: Of the image's content; of the vector for EMBEDDING.
        item: The item's id for ITEM, else an empty string.
        geometry: How the model's input was made from the original; None for EMBEDDING.
    """

    kind: ImageKind
    digest: str
    item: str = ""
    geometry: ImageGeometry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OcclusionParameters:
    """Parameters of OCCLUSION; lengths in pixels of the model's input."""

    window: int = WINDOW
    stride: int = STRIDE
    fill: Fill = Fill.ZERO
    codec: Codec = Codec.INT8
    signed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionParameters:
    """Parameters of ATTENTION.

    Attributes:
        form: Which of the four.
        positives: Items that look like the query, beside the result.
        negatives: Items that do not.
    """

    form: AttentionForm = AttentionForm.SIAMESE_POSITIVE
    positives: tuple[ImageReference, ...] = ()
    negatives: tuple[ImageReference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationParameters:
    """Parameters of ACTIVATION.

    Attributes:
        point: Row and column on the query's original image in pixels, for the map of what that point matches.
        signed: Keep what speaks against the match.
    """

    point: tuple[float, float] | None = None
    signed: bool = False


@dataclass(frozen=True, kw_only=True)
class ExplanationRequest:
    """What was asked. Equal requests have equal ids, so asking twice costs nothing.

    Attributes:
        site: Site (tenant).
        archive: The archive's id.
        model: Digest of the archive's model.
        preprocessing: Digest of its recipe.
        size: Width and height of the model's input in pixels.
        query: The image asked with.
        result: The image found, an item.
        method: How to explain.
        explained_image: On which image the maps lie.
        contrast: The item that came after the result, for a contrast map (OCCLUSION only), or None.
        occlusion: Parameters of OCCLUSION.
        attention: Parameters of ATTENTION.
        activation: Parameters of ACTIVATION.
        published_fidelity: Whether fidelity is computed by the published definition too.
        made_from: Ids of the items that a query moved by feedback was computed from, sorted. Its vector names none.
    """

    site: str
    archive: str
    model: str
    preprocessing: str
    size: int
    query: ImageReference
    result: ImageReference
    method: MethodName = MethodName.OCCLUSION
    explained_image: ExplainedImage = ExplainedImage.RESULT
    contrast: ImageReference | None = None
    occlusion: OcclusionParameters = field(default_factory=OcclusionParameters)
    attention: AttentionParameters = field(default_factory=AttentionParameters)
    activation: ActivationParameters = field(default_factory=ActivationParameters)
    published_fidelity: bool = False
    made_from: tuple[str, ...] = ()

    @cached_property
    def explanation(self) -> str:
        """The explanation's id: SHA-256 of the request as canonical JSON, hexadecimal."""
        canonical = json.dumps(self.to_document(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def items(self) -> frozenset[str]:
        """Ids of the items that play a part in it."""
        images = [self.query, self.result, *self.attention.positives, *self.attention.negatives]
        images += [self.contrast] if self.contrast else []
        return frozenset(image.item for image in images if image.item) | frozenset(self.made_from)

    def to_document(self) -> dict[str, Any]:
        """Return the request as JSON values, with `made_from` only where there is any: older ids stay what they are."""
        document = asdict(self)
        if not self.made_from:
            del document["made_from"]
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ExplanationRequest":
        """Read what `to_document` returned.

        Raises:
            ValueError: If a field is unknown or missing, or a value is not allowed.
        """
        return _ADAPTER.validate_python(document)


_ADAPTER = TypeAdapter(ExplanationRequest)
