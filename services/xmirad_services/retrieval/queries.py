"""Turns what a search asks with into a vector, and settles whose image it is."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from xmirad.archive.feedback import Judgments, moved_query
from xmirad.archive.port import SearchableArchive
from xmirad.errors import ItemNotFoundError
from xmirad.ids import SiteKey, image_digest, item_name
from xmirad.imaging.preprocessing import Preprocessing
from xmirad.imaging.sandbox import Decoder
from xmirad.indexing.incoming import image_of, patient_key, stated_key
from xmirad.indexing.runner import Tools
from xmirad.lanes import Priority
from xmirad.models.embedder import EmbeddedQuery
from xmirad.observability.tracing import SpanName, span
from xmirad.types import DecodedImage, EncodedImage, Float32Array, Patient, UInt8Array

EmbedQuery = Callable[[UInt8Array], EmbeddedQuery]

Source = EncodedImage | str | Float32Array
"""An image, an item's id, or a vector."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for.

    Attributes:
        embedding: Float32 `[embedding_size]`, length 1 where it comes from an image.
        digest: SHA-256 of image or vector, hexadecimal.
        item: The item's id where the query is an item of the archive.
        patient: Key of the patient, study or item, or None where nothing is known.
        patient_known: Whether `patient` stands for a patient.
        untrained_features: Of an image, `[C]`, of length 1, where the model has some beside its embedding; else None.
        decode_seconds: Time spent decoding and preprocessing.
        embed_seconds: Time spent in the model.
        decoding_notes: Choices made while decoding the image; without identifying content.
    """

    embedding: Float32Array
    digest: str
    item: str | None = None
    patient: str | None = None
    patient_known: bool = False
    untrained_features: Float32Array | None = None
    decode_seconds: float = 0.0
    embed_seconds: float = 0.0
    decoding_notes: tuple[str, ...] = ()


async def query_of_image(
    image: EncodedImage, patient: Patient | None, *, recipe: Preprocessing, embed: EmbedQuery, tools: Tools
) -> Query:
    """Decode and embed an image.

    Raises:
        InvalidImageError: If it cannot be decoded.
        UnsupportedImageError: If no decoder for it is allowed.
        PayloadTooLargeError: If it exceeds a limit.
        OverloadedError: If too many images of the caller wait.
        BackendUnavailableError: If the machine is too busy to decode it in time.
    """

    def decode(decoder: Decoder) -> tuple[DecodedImage, str]:
        decoded = decoder.decode(image, recipe)
        return decoded, image_of(image, decoded.dicom, file=image_digest(image.data))

    began = time.perf_counter()
    with span(SpanName.DECODE):
        decoded, digest = await tools.decoder.run(Priority.INTERACTIVE, image, decode)
    decoded_at = time.perf_counter()
    with span(SpanName.EMBED):
        embedded = await tools.lanes.model.run(Priority.INTERACTIVE, embed, decoded.pixels[None])
    embedded_at = time.perf_counter()
    key, known = _patient_of_image(patient, decoded, tools.site_key)
    return Query(
        embedding=embedded.embedding,
        untrained_features=embedded.untrained_features,
        digest=digest,
        patient=key,
        patient_known=known,
        decode_seconds=decoded_at - began,
        embed_seconds=embedded_at - decoded_at,
        decoding_notes=decoded.notes,
    )


def query_of_item(
    archive: SearchableArchive, item: str, patient: Patient | None, *, site: str, site_key: SiteKey
) -> Query:
    """Read an item's embedding from the vector store.

    Raises:
        ItemNotFoundError: If the archive has no such item of the site.
    """
    found = archive.get([item], with_embedding=True)
    if not found or found[0].payload.site != site or found[0].embedding is None:
        name = item_name(archive.binding.archive, item)
        raise ItemNotFoundError(f"there is no item {name}", field="item", metadata={"item": name})
    payload = found[0].payload
    stated = stated_key(patient, site_key=site_key)
    return Query(
        embedding=found[0].embedding,
        digest=payload.image_digest,
        item=item,
        patient=stated or payload.patient,
        patient_known=stated is not None or payload.patient_known,
    )


def query_of_embedding(embedding: Float32Array, patient: Patient | None, *, site_key: SiteKey) -> Query:
    """Take a vector as it is; the search checks and scales it."""
    key = stated_key(patient, site_key=site_key)
    return Query(embedding=embedding, digest=digest_of_vector(embedding), patient=key, patient_known=key is not None)


def moved_by(
    query: Query, judged: Judgments, archive: SearchableArchive, *, site: str, field: str = "feedback"
) -> Query:
    """Return a query after feedback; its digest is then that of the vector it comes to.

    Raises:
        ItemNotFoundError: If an item that was judged is not there.
        InvalidRequestError: If query and feedback cancel each other out.
    """
    embedding = moved_query(archive, query.embedding, judged, site=site, field=field)
    return replace(query, embedding=embedding, digest=digest_of_vector(embedding), untrained_features=None)


def digest_of_vector(embedding: Float32Array) -> str:
    """Return the SHA-256 of a vector as it was sent, hexadecimal."""
    return hashlib.sha256(embedding.astype("<f4").tobytes()).hexdigest()


def _patient_of_image(stated: Patient | None, decoded: DecodedImage, site_key: SiteKey) -> tuple[str | None, bool]:
    header = decoded.dicom
    if header is None or not header.study_instance_uid:
        found = header.patient if header else None
        key = stated_key(stated, site_key=site_key) or stated_key(found, site_key=site_key)
        return key, key is not None
    return patient_key(stated, header, item="", site_key=site_key)
