"""From a request to its maps: which method, which cache entries, which evidence."""

from collections.abc import Callable, Mapping

from xmirad.errors import InvalidRequestError
from xmirad.explanations.cache import OcclusionCache
from xmirad.explanations.entries import OcclusionEntry
from xmirad.explanations.images import ExplanationImages
from xmirad.explanations.reading import MaskedReader
from xmirad.explanations.records import ExplanationRequest, ImageKind, ImageReference, MethodName
from xmirad.explanations.results import KeptMap
from xmirad.models.embedder import BackboneEmbedder
from xmirad.observability.tracing import SpanName, span
from xmirad.saliency.activation import Activation
from xmirad.saliency.attention import Attention
from xmirad.saliency.geometry import Point, to_map
from xmirad.saliency.method import Evidence, ExplainedImage, Role, SaliencyMethod
from xmirad.saliency.occlusion import Contrast, Occlusion
from xmirad.types import Float32Array

Windows = Mapping[ExplainedImage, int]
"""How many windows of the walk of each side are to be used."""


def entries_of(request: ExplanationRequest) -> dict[ExplainedImage, OcclusionEntry]:
    """Return the cache entries that a request's maps come from, by side; none for methods without windows.

    Raises:
        InvalidRequestError: If the windows do not fit the image.
    """
    if request.method is not MethodName.OCCLUSION:
        return {}
    return {side: _entry(request, image_on(request, side)) for side in request.explained_image.sides}


def image_on(request: ExplanationRequest, side: ExplainedImage) -> ImageReference:
    """Return the image of a side."""
    return request.query if side is ExplainedImage.QUERY else request.result


def point_on_map(request: ExplanationRequest) -> Point | None:
    """Return the point asked about in pixels of the model's input.

    Raises:
        InvalidRequestError: If it lies outside the query, or outside the part that the model sees.
    """
    point, geometry = request.activation.point, request.query.geometry
    return to_map(geometry, Point(*point)) if point is not None and geometry is not None else None


def _entry(request: ExplanationRequest, image: ImageReference) -> OcclusionEntry:
    parameters = request.occlusion
    return OcclusionEntry(
        site=request.site,
        image=image.digest,
        is_query=image.kind is not ImageKind.ITEM,
        model=request.model,
        preprocessing=request.preprocessing,
        size=request.size,
        window=parameters.window,
        stride=parameters.stride,
        fill=parameters.fill,
        codec=parameters.codec,
    )


class MapScorer:
    """Makes maps from what is stored; runs the network only for methods that need activations."""

    def __init__(
        self, images: ExplanationImages, cache: OcclusionCache, *, embedder_of: Callable[[str], BackboneEmbedder]
    ) -> None:
        """Score from stored images and cached embeddings; `embedder_of` loads the model of a digest."""
        self._images = images
        self._cache = cache
        self._embedder_of = embedder_of

    def maps(
        self, request: ExplanationRequest, windows: Windows, *, reader: MaskedReader | None = None
    ) -> tuple[KeptMap, ...] | None:
        """Return the maps of a request, that of the query first.

        Args:
            request: What was asked.
            windows: How many windows of each side to use, those of whole levels.
            reader: Where to read masked embeddings, by default from the cache.

        Returns:
            None if masked embeddings are missing.

        Raises:
            InvalidRequestError: If the method cannot explain this pair.
            ItemNotFoundError: If an image is gone.
            ModelNotFoundError: If the model is needed and not here.
            EmbeddingCorruptError: If what is stored cannot be used.
        """
        with span(SpanName.SCORE, windows=sum(windows.values())):
            return self._maps(request, windows, reader or self._cache)

    def _maps(self, request: ExplanationRequest, windows: Windows, reader: MaskedReader) -> tuple[KeptMap, ...] | None:
        entries = entries_of(request)
        maps = []
        for side in request.explained_image.sides:
            method = self._method(request)
            evidence = {each: self._evidence(request, each, method, explained=side) for each in _SIDES}
            if side in entries:
                masked = reader.load(entries[side], windows[side])
                if masked is None:
                    return None
                evidence[side] = Evidence(evidence[side].embedding, masked=masked)
            query, result = (evidence[each] for each in _SIDES)
            codec = request.occlusion.codec if side in entries else None
            maps += [KeptMap(each, codec) for each in method.explain(query, result, explained_image=side)]
        return tuple(maps)

    def embedding(self, request: ExplanationRequest, image: ImageReference) -> Float32Array:
        """Return the stored embedding of an image, `[D]`, unit.

        Raises:
            ItemNotFoundError: If it is gone.
            EmbeddingCorruptError: If what is stored is no unit vector.
        """
        return self._images.embedding(image.digest, request.model, is_query=image.kind is not ImageKind.ITEM)

    def _method(self, request: ExplanationRequest) -> SaliencyMethod:
        if request.method is MethodName.OCCLUSION:
            lattice = next(iter(entries_of(request).values())).lattice
            if request.contrast is None:
                return Occlusion(lattice, signed=request.occlusion.signed)
            return Contrast(lattice, contrast=self.embedding(request, request.contrast))
        head = self._embedder_of(request.model).head
        if request.method is MethodName.ACTIVATION:
            point = point_on_map(request)
            return Activation(size=request.size, head=head, signed=request.activation.signed, point=point)
        attention = request.attention
        return Attention(
            attention.form,
            positives=[self.embedding(request, each) for each in attention.positives],
            negatives=[self.embedding(request, each) for each in attention.negatives],
            size=request.size,
            head=head,
        )

    def _evidence(
        self, request: ExplanationRequest, side: ExplainedImage, method: SaliencyMethod, *, explained: ExplainedImage
    ) -> Evidence:
        image = image_on(request, side)
        embedding = self.embedding(request, image)
        role = Role.EXPLAINED if side is explained else Role.OTHER
        if role not in method.needs_activations:
            return Evidence(embedding)
        if image.kind is ImageKind.EMBEDDING:
            raise InvalidRequestError(f"{request.method} needs an image to ask with", field="query")
        embedder = self._embedder_of(request.model)
        pixels = self._images.input(image.digest, request.preprocessing, is_query=image.kind is ImageKind.QUERY)
        return Evidence(embedding, activations=embedder.activations(embedder.normalized(pixels[None]))[0])


_SIDES = (ExplainedImage.QUERY, ExplainedImage.RESULT)
