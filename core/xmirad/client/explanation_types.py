"""The values that explaining takes and returns."""

from dataclasses import dataclass
from datetime import datetime

from xmirad.api.vocabulary import MapQuality
from xmirad.errors import XmiradError
from xmirad.saliency.attention import AttentionForm
from xmirad.saliency.codec import Codec
from xmirad.saliency.fidelity import Verdict, verdict_words
from xmirad.saliency.geometry import Point
from xmirad.saliency.lattice import STRIDE, WINDOW
from xmirad.saliency.masking import Fill
from xmirad.saliency.method import ExplainedImage
from xmirad.types import ExplanationState, Float32Array, ImageGeometry


@dataclass(frozen=True, slots=True, kw_only=True)
class OcclusionMethod:
    """Hide parts of an image and see how far the other one moves away.

    Attributes:
        window: Width and height of a window in pixels of the model's input.
        stride: Distance of the windows in pixels of the model's input.
        fill: What a hidden window shows; not IMAGE.
        codec: How masked embeddings are kept.
        signed: Keep what tells the images apart, as values below 0.
    """

    window: int = WINDOW
    stride: int = STRIDE
    fill: Fill = Fill.ZERO
    codec: Codec = Codec.INT8
    signed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionMethod:
    """Follow what the query has in common with some items and not with others.

    Attributes:
        form: Which images are compared with the query.
        positive_items: Names of items that look like it; none means the result, where the form takes one.
        negative_items: Names of items that do not; with SIAMESE_NEGATIVE none means the result.
    """

    form: AttentionForm = AttentionForm.SIAMESE_POSITIVE
    positive_items: tuple[str, ...] = ()
    negative_items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationMethod:
    """Take the score apart into what each place contributes.

    Attributes:
        point: A place on the query in pixels of its original, to see what matches it on the result; None for all.
        signed: Keep what speaks against the match, as values below 0.
    """

    point: Point | None = None
    signed: bool = False


Method = OcclusionMethod | AttentionMethod | ActivationMethod


@dataclass(frozen=True, slots=True)
class MapAreas:
    """Areas under two curves of the cosine of two images, 0 to 1, while pixels of one change, most salient first.

    Attributes:
        insertion: From the blurred image to the image itself; higher is better.
        deletion: From the image itself to nothing; lower is better.
    """

    insertion: float
    deletion: float


@dataclass(frozen=True, slots=True)
class MapFidelity:
    """Whether a map points at what the score comes from, against chance.

    Attributes:
        fidelity: Area under insertion minus area under deletion, -1 to 1; higher is better.
        controls: The same of fields that know nothing of the image: random smooth ones, and its center as the last.
        verdict: What it says, or None if a newer service knows more verdicts.
        areas: The areas behind it.
        published: The areas by the published definition, or None where they were not asked for.
        p_value: How likely a map that knows nothing would do as well; above 0 to 1.
    """

    fidelity: float
    controls: tuple[float, ...]
    verdict: Verdict | None
    areas: MapAreas
    published: MapAreas | None = None
    p_value: float = 1.0

    @property
    def words(self) -> str:
        """The verdict for readers: better than chance or not, with p, the figure and the best control."""
        return verdict_words(self.fidelity, self.controls)


@dataclass(frozen=True, slots=True, eq=False)
class ExplanationMap:
    """Why an image was found, pixel by pixel of the model's input.

    Attributes:
        explained_image: QUERY or RESULT, the image that the map lies on.
        values: Float32 `[height, width]`; 0 is neutral.
        signed: Whether values below 0 carry meaning; else there are none.
        meaning: What the values mean, a sentence for readers.
        geometry: How the original's pixels became the map's.
        quality: APPROXIMATE for a preview, else EXACT; None if a newer service knows more.
        estimated_error: How far a preview may be off, as a fraction of the largest response; None if not known.
        codec: How the masked embeddings behind an exact occlusion map were kept, else None.
        error_five_sigma: Five standard deviations of an exact map's error by coding, as a fraction of its largest
            absolute value; not a bound.
        preview_errors: How far the previews before an exact map were off, coarsest first.
        fidelity: What the map is worth, or None as long as that is not computed.
        overlay_png: The map laid over the original, as PNG; empty unless asked for.
    """

    explained_image: ExplainedImage
    values: Float32Array
    signed: bool
    meaning: str
    geometry: ImageGeometry
    quality: MapQuality | None
    estimated_error: float | None = None
    codec: Codec | None = None
    error_five_sigma: float = 0.0
    preview_errors: tuple[float, ...] = ()
    fidelity: MapFidelity | None = None
    overlay_png: bytes = b""

    @property
    def is_exact(self) -> bool:
        """Whether the map is final."""
        return self.quality is MapQuality.EXACT


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Why a result was found for a query, as far as it is known.

    Attributes:
        name: `explanations/{explanation}`.
        state: How far it is; None if a newer service knows more states.
        create_time: When this attempt was asked for, in UTC.
        finish_time: When it came to its end, in UTC, or None.
        windows_done: Windows that are evaluated.
        windows_total: Windows that there are; 0 for methods without windows.
        item: Name of the item that was found.
        query_item: Name of the item asked with, or an empty string.
        query_digest: SHA-256 of the query, hexadecimal.
        method: The method with its parameters.
        explained_image: On which image the maps lie.
        contrast_item: Name of the item that the result is held against, or an empty string.
        model: The model that computed every embedding involved: `models/{digest}`.
        maps: The maps that are there, that of the query first; empty in lists.
        error: Why it failed, or None.
        attempt: Counts attempts from 1.
    """

    name: str
    state: ExplanationState | None
    create_time: datetime
    finish_time: datetime | None
    windows_done: int
    windows_total: int
    item: str
    query_item: str
    query_digest: str
    method: Method
    explained_image: ExplainedImage
    contrast_item: str
    model: str
    maps: tuple[ExplanationMap, ...]
    error: XmiradError | None
    attempt: int

    @property
    def is_done(self) -> bool:
        """Whether its state is the last one; fidelity may still come."""
        return self.state is not None and self.state.is_terminal

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will come: it failed, was cancelled, or its maps are there with their fidelity."""
        assessed = bool(self.maps) and all(each.fidelity is not None for each in self.maps)
        return self.is_done and (self.state is not ExplanationState.SUCCEEDED or assessed)


@dataclass(frozen=True, slots=True, eq=False)
class ExplanationUpdate:
    """An explanation after a change.

    Attributes:
        explanation: The whole explanation.
        token: Where to go on watching after it.
    """

    explanation: Explanation
    token: str


@dataclass(frozen=True, slots=True)
class WarmFigures:
    """What computing ahead takes.

    Attributes:
        selected_items: How many items were selected.
        complete_items: How many of them are there completely.
        missing_windows: How many windows are to be computed for the others.
        estimated_seconds: How long that takes about, if nothing else is computed; 0 where nothing was measured yet.
        estimated_bytes: How many bytes that adds about.
        budget_bytes: How many bytes may be kept altogether.
        queued_tasks: How many tasks were taken on that were not before; they are queued a little at a time.
        given_up_items: How many items were to be computed ahead and could not be.
        cancelled_images: How many images were to be computed ahead and are no more.
    """

    selected_items: int
    complete_items: int
    missing_windows: int
    estimated_seconds: float
    estimated_bytes: int
    budget_bytes: int
    queued_tasks: int
    given_up_items: int = 0
    cancelled_images: int = 0
