"""Queries that are to be explained: what is kept of them, and of their headers nothing."""

import io
from collections.abc import Callable

from PIL import Image

from xmirad.archive.embeddings import query_embedding
from xmirad.archive.feedback import Judgments
from xmirad.errors import XmiradError
from xmirad.explanations.images import ExplanationImages
from xmirad.explanations.records import ImageKind, ImageReference
from xmirad.ids import image_digest
from xmirad.imaging.sandbox import Decoder
from xmirad.indexing.incoming import image_of
from xmirad.indexing.runner import Tools
from xmirad.lanes import Priority
from xmirad.types import DecodedImage, EncodedImage, Float32Array, UInt8Array
from xmirad_services.retrieval.explanation_task import ExplanationTask
from xmirad_services.retrieval.open_archives import OpenArchive
from xmirad_services.retrieval.queries import (
    digest_of_vector,
    moved_by,
    query_of_embedding,
    query_of_image,
    query_of_item,
)

Keep = Callable[[], None]


async def kept_image(
    image: EncodedImage, opened: OpenArchive, tools: Tools, images: ExplanationImages
) -> tuple[ImageReference, Keep]:
    """Decode and embed an image; return it, and what keeps it.

    Raises:
        InvalidImageError: If it cannot be decoded.
        UnsupportedImageError: If no decoder for it is allowed.
        PayloadTooLargeError: If it exceeds a limit.
    """
    recipe = opened.require_artifact().preprocessing

    def decode(decoder: Decoder) -> tuple[DecodedImage, str, UInt8Array]:
        decoded = decoder.decode(image, recipe)
        return decoded, image_of(image, decoded.dicom, file=image_digest(image.data)), decoder.picture(image)

    try:
        decoded, digest, picture = await tools.decoder.run(Priority.INTERACTIVE, image, decode)
    except XmiradError as error:
        if error.field:  # the decoder knows the image, not where the request holds it
            error.field = f"query.{error.field}"
        raise
    embedded = await tools.lanes.model.run(Priority.INTERACTIVE, opened.embed_query, decoded.pixels[None])

    def keep() -> None:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        images.put_query(digest, model=opened.record.model, embedding=embedded.embedding)
        images.put_query_pixels(digest, preprocessing=recipe.digest, pixels=decoded.pixels, picture=file.getvalue())

    return ImageReference(ImageKind.QUERY, digest, geometry=decoded.geometry), keep


def kept_vector(embedding: Float32Array, opened: OpenArchive, images: ExplanationImages) -> tuple[ImageReference, Keep]:
    """Scale a vector to length 1; return it, and what keeps it.

    Raises:
        InvalidRequestError: If it is not of the model's size.
    """
    unit = query_embedding(embedding, opened.record.embedding_size, field="query.embedding.values")
    digest = digest_of_vector(embedding)

    def keep() -> None:
        images.put_query(digest, model=opened.record.model, embedding=unit)

    return ImageReference(ImageKind.EMBEDDING, digest), keep


async def moved_vector(opened: OpenArchive, task: ExplanationTask, judged: Judgments, tools: Tools) -> Float32Array:
    """Return the vector that a query with feedback comes to, the same that a search with both looks for.

    Raises:
        ItemNotFoundError: If an item that was judged, or the query's, is not there.
        XmiradError: If the query cannot be embedded.
    """
    source, site_key = task.source, tools.site_key
    base = None
    if isinstance(source, EncodedImage):
        recipe = opened.require_artifact().preprocessing
        base = await query_of_image(source, None, recipe=recipe, embed=opened.embed_query, tools=tools)
    elif not isinstance(source, str):
        base = query_of_embedding(source, None, site_key=site_key)

    def moved() -> Float32Array:
        archive, site = opened.archive, task.site
        query = base or query_of_item(archive, str(source), None, site=site, site_key=site_key)
        return moved_by(query, judged, archive, site=site, field="query.feedback").embedding

    return await tools.lanes.store.run(Priority.INTERACTIVE, moved)
