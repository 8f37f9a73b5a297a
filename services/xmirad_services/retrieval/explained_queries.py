"""Queries that are to be explained: what is kept of them, and of their headers nothing."""

import io
from collections.abc import Callable

from PIL import Image

from xmirad.archive.embeddings import query_embedding
from xmirad.errors import XmiradError
from xmirad.explanations.images import ExplanationImages
from xmirad.explanations.records import ImageKind, ImageReference
from xmirad.ids import image_digest
from xmirad.indexing.incoming import image_of
from xmirad.indexing.runner import Tools
from xmirad.lanes import Priority
from xmirad.types import DecodedImage, EncodedImage, Float32Array, UInt8Array
from xmirad_services.retrieval.open_archives import OpenArchive
from xmirad_services.retrieval.queries import digest_of_vector

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

    def decode() -> tuple[DecodedImage, str, UInt8Array]:
        decoded = tools.decoder.decode(image, recipe)
        return decoded, image_of(image, decoded.dicom, file=image_digest(image.data)), tools.decoder.picture(image)

    try:
        decoded, digest, picture = await tools.lanes.decode.run(Priority.INTERACTIVE, decode)
    except XmiradError as error:
        if error.field:  # the decoder knows the image, not where the request holds it
            error.field = f"query.{error.field}"
        raise
    rows = await tools.lanes.model.run(Priority.INTERACTIVE, opened.embed, decoded.pixels[None])

    def keep() -> None:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        images.put_query_pixels(digest, preprocessing=recipe.digest, pixels=decoded.pixels, picture=file.getvalue())
        images.put_query(digest, model=opened.record.model, embedding=rows[0], geometry=decoded.geometry)

    return ImageReference(ImageKind.QUERY, digest, geometry=decoded.geometry), keep


def kept_vector(embedding: Float32Array, opened: OpenArchive, images: ExplanationImages) -> tuple[ImageReference, Keep]:
    """Scale a vector to length 1; return it, and what keeps it.

    Raises:
        InvalidRequestError: If it is not of the model's size.
    """
    unit = query_embedding(embedding, opened.record.embedding_size, field="query.embedding.values")
    digest = digest_of_vector(embedding)

    def keep() -> None:
        images.put_query(digest, model=opened.record.model, embedding=unit, geometry=None)

    return ImageReference(ImageKind.EMBEDDING, digest), keep
