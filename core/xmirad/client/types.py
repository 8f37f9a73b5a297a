"""The values that the SDK takes and returns, apart from those of search."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from xmirad.errors import XmiradError
from xmirad.evidence.calibration import EvidenceCalibration
from xmirad.types import (
    EncodedImage,
    Float32Array,
    ImageGeometry,
    ItemAttributes,
    OriginalsPolicy,
    Patient,
    UntrainedFeatures,
    UploadState,
)


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a service is and what it accepts.

    Attributes:
        version: Version of the software.
        boot_id: Identifies this start of the process.
        max_message_bytes: Longest message in bytes, in both directions.
        max_image_bytes: Largest encoded image in bytes.
        max_image_pixels: Most pixels of a decoded image.
        max_top_k: Largest `top_k` of the views BASIC and FULL.
        max_ranking_top_k: Largest `top_k` of the view RANKING.
        media_types: Media types that images may have.
        transfer_syntaxes: DICOM transfer syntaxes that can be decoded, by UID.
        vector_store: The vector store behind it.
        intended_use: What the results are for, to be shown to readers.
        max_batch_explanations: Most explanations of one request.
        max_occlusion_windows: Most windows of an occlusion map.
        features: What else the service can do, such as `explanations` and `explanation_queue`.
    """

    version: str
    boot_id: str
    max_message_bytes: int
    max_image_bytes: int
    max_image_pixels: int
    max_top_k: int
    max_ranking_top_k: int
    media_types: tuple[str, ...]
    transfer_syntaxes: tuple[str, ...]
    vector_store: str
    intended_use: str
    max_batch_explanations: int = 0
    max_occlusion_windows: int = 0
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that embeds images.

    Attributes:
        name: `models/{digest}`.
        display_name: Its short name.
        digest: SHA-256 of everything that decides its embeddings, hexadecimal.
        architecture: The network.
        embedding_size: Length of an embedding.
        preprocessing_json: The preprocessing recipe as canonical JSON.
        training_data: What the weights were trained on.
        license: License of the weights.
        card: The model card in Markdown; empty in lists.
        is_default: True for the model that is used where none is named.
        untrained_features: Where it has features that no label has shaped; None if a newer service knows more.
        training_image_digests: SHA-256 of every image that it was trained on here, hexadecimal; empty in lists.
        validation_image_digests: The same of the images that its best epoch was chosen by.
    """

    name: str
    display_name: str
    digest: str
    architecture: str
    embedding_size: int
    preprocessing_json: str
    training_data: str
    license: str
    card: str
    is_default: bool
    untrained_features: UntrainedFeatures | None = None
    training_image_digests: frozenset[str] = frozenset()
    validation_image_digests: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PartialIndex:
    """How far an index is that is being made again.

    Attributes:
        indexed_items: How many items it holds already, about.
        total_items: How many it will hold, about.
    """

    indexed_items: int
    total_items: int


@dataclass(frozen=True, slots=True)
class ArchiveInfo:
    """A collection of images that is searched as a whole.

    Attributes:
        name: `archives/{archive}`.
        model: The model that it is bound to: `models/{digest}`.
        originals: What is kept of uploaded files.
        item_count: How many items it holds.
        create_time: When it was created, in UTC.
        evidence_calibration: What its evidence is calibrated with; None where it is not, and in lists.
        rebuilding: How far its index is, while that is being made again; else None.
        optimizing: Whether a graph or codes are being made for it; until then searches compare with every item.
    """

    name: str
    model: str
    originals: OriginalsPolicy
    item_count: int
    create_time: datetime
    evidence_calibration: EvidenceCalibration | None = None
    rebuilding: PartialIndex | None = None
    optimizing: bool = False

    @property
    def archive(self) -> str:
        """The archive's id, as the methods of the client take it."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ArchiveStats:
    """An archive in numbers.

    Attributes:
        archive: The archive.
        patient_count: How many patients its items come from; an item without a known patient counts as one.
        fields: How many items have a value, by field and value, most frequent first.
    """

    archive: ArchiveInfo
    patient_count: int
    fields: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Upload:
    """An image to store.

    Attributes:
        image: The encoded file. A DICOM instance's attributes are completed from its header.
        correlation_id: Leads from an outcome to its upload; unique among the uploads of a stream that are under way,
            at most 128 characters. Not needed for a single upload.
        external_id: The uploader's identifier, unique within the archive. Empty means the digest of the content.
        attributes: What is known of the image.
        patient: Whose image it is, if known.
        restore_deleted: Store the item even though it was deleted before.
        file_name: Name of the file that the image comes from, for people to find it again; at most 1,024 characters. An
            item that is there keeps the name it has.
    """

    image: EncodedImage
    correlation_id: str = ""
    external_id: str = ""
    attributes: ItemAttributes = field(default_factory=ItemAttributes)
    patient: Patient | None = None
    restore_deleted: bool = False
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class UploadReceipt:
    """An item that is stored durably.

    Attributes:
        item: `archives/{archive}/items/{item}`.
        state: What storing it came to; None if a newer service knows more states.
        image_digest: SHA-256 of the image, hexadecimal.
        is_indexed: Whether every later search finds it. If not, it will be found soon, by itself.
    """

    item: str
    state: UploadState | None
    image_digest: str
    is_indexed: bool


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """What became of one upload of a stream: a receipt or an error.

    Attributes:
        correlation_id: As given with the upload.
        receipt: The stored item, or None.
        error: Why it is not known to be stored, or None.
    """

    correlation_id: str
    receipt: UploadReceipt | None
    error: XmiradError | None


@dataclass(frozen=True, slots=True)
class ItemIdentity:
    """Identifiers that lead back to the source system.

    Attributes:
        external_id: The identifier that the item was uploaded with.
        study_instance_uid: Study Instance UID (0020,000D).
        series_instance_uid: Series Instance UID (0020,000E).
        sop_instance_uid: SOP Instance UID (0008,0018).
        frame: Frame of the instance, counted from 1; 0 for an image that is no DICOM instance.
        file_name: Name of the file that it was first uploaded from, or an empty string.
    """

    external_id: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    frame: int
    file_name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One stored image.

    Attributes:
        name: `archives/{archive}/items/{item}`.
        attributes: What is known of the image.
        image_digest: SHA-256 of the image as uploaded, hexadecimal.
        geometry: Geometry between the original and the model's input; from the view FULL on.
        identity: Identifiers in the source system; from the view FULL on.
        create_time: When the item was first stored, in UTC; from the view FULL on.
        embedding: The stored embedding, float32 `[embedding_size]`; in the view EMBEDDING.
    """

    name: str
    attributes: ItemAttributes
    image_digest: str
    geometry: ImageGeometry | None
    identity: ItemIdentity | None
    create_time: datetime | None
    embedding: Float32Array | None


@dataclass(frozen=True, slots=True)
class PurgeCounts:
    """What was found and deleted.

    Attributes:
        selected_items: How many items were selected.
        deleted_items: How many of them were deleted; 0 where they were only counted.
    """

    selected_items: int
    deleted_items: int


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """An image's embedding.

    Attributes:
        model: The model that computed it: `models/{digest}`.
        image_digest: SHA-256 of the image as sent, hexadecimal.
        embedding: Float32 `[embedding_size]`, of length 1; empty for a caller without the scope `embedding`.
        request_id: Identifies the call in the service's logs.
        untrained_features: Pooled features before the model's head, float32, of length 1, where these are untrained and
            the caller has the scope `embedding`; else None.
    """

    model: str
    image_digest: str
    embedding: Float32Array
    request_id: str
    untrained_features: Float32Array | None = None
