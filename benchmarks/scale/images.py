"""What an image costs beside its vector: processor time from bytes to item, and bytes in the blob store."""

import os
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.clock import MILLISECONDS, resident_bytes
from benchmarks.images import LARGE_DICOM, LARGE_PNG, SMALL_JPEG, ImageKind, Images
from benchmarks.run import prepare
from benchmarks.scale.cells import Json
from benchmarks.stages import Stages
from xmirad.blobs.fsspec_store import open_blob_store
from xmirad.catalog.database import Database
from xmirad.catalog.images import ImageBlobs, NewBlob
from xmirad.explanations.chunk_format import pack
from xmirad.explanations.entries import OcclusionEntry
from xmirad.ids import image_digest
from xmirad.saliency.codec import Codec, encode
from xmirad.settings import Settings
from xmirad.types import Float32Array

KINDS = {"jpeg": SMALL_JPEG, "png": LARGE_PNG, "dicom": LARGE_DICOM}
COUNTS = {"jpeg": (64, 8), "png": (32, 4), "dicom": (16, 4)}
BLOCK = 512
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class ImageFigures:
    """One kind of image.

    Attributes:
        name: Size and format.
        decode_ms: Processor milliseconds to decode and prepare one.
        embed_ms: Of one forward pass.
        write_ms: To digest the file, to write blobs and record without the original, and to store the vector.
        input_bytes: Its model input on disk.
        embedding_bytes: Its embedding on disk.
        record_bytes: Its record on disk.
    """

    name: str
    decode_ms: float
    embed_ms: float
    write_ms: float
    input_bytes: float
    embedding_bytes: float
    record_bytes: float


def image_figures(settings: Settings, *, quick: bool) -> Json:
    """Measure every kind of image with the default model, and one entry of the occlusion cache with each codec."""
    with tempfile.TemporaryDirectory(prefix="xmirad-scale-") as name:
        run = prepare(settings, Path(name), quick=quick)
        process = resident_bytes(os.getpid())
        kinds = {}
        for key, kind in KINDS.items():
            with closing(Stages(run, Path(name) / key)) as stages:
                kinds[key] = asdict(_figures(stages, kind, Path(name) / key, COUNTS[key][quick]))
        original = _original_ms_per_megabyte(Path(name) / "originals", COUNTS["dicom"][quick])
        entries = {codec.value: len(_entry(codec, run.artifact.embedding_size)) for codec in Codec}
    return {
        "embedding_size": run.artifact.embedding_size,
        "process_bytes": process,
        "kinds": kinds,
        "original_ms_per_megabyte": original,
        "cache_entry_bytes": entries,
    }


def _figures(stages: Stages, kind: ImageKind, folder: Path, count: int) -> ImageFigures:
    sample = Images(kind, seed=3).take(1)[0]
    stages.decode(sample)
    cost = stages.cost(kind, count, seed=4, keep_original=False)
    return ImageFigures(
        name=str(kind),
        decode_ms=1_000 * cost.decode,
        embed_ms=1_000 * cost.embed,
        write_ms=1_000 * cost.write,
        input_bytes=_on_disk(folder / "blobs" / "inputs") / count,
        embedding_bytes=_on_disk(folder / "blobs" / "embeddings") / count,
        record_bytes=(folder / "catalog.db").stat().st_size / count,
    )


def _original_ms_per_megabyte(folder: Path, count: int) -> float:
    database = Database(f"sqlite:///{folder / 'catalog.db'}", create=True)
    images = ImageBlobs(database, open_blob_store(str(folder)))
    named = [(image_digest(image.data), image.data) for image in Images(LARGE_DICOM, seed=5).take(count)]
    began = time.process_time()
    for digest, data in named:
        images.put([NewBlob.original(digest, data)])
    spent = time.process_time() - began
    database.close()
    return MILLISECONDS * spent / (sum(len(data) for _, data in named) / MEGABYTE)


def _on_disk(folder: Path) -> int:
    return sum(BLOCK * path.stat().st_blocks for path in folder.rglob("*"))


def _entry(codec: Codec, embedding_size: int) -> bytes:
    entry = OcclusionEntry(site="local", image="0" * 64, model="0" * 64, preprocessing="0" * 64, size=224, codec=codec)
    generator = np.random.default_rng(0)
    masked: Float32Array = generator.normal(size=(entry.lattice.windows, embedding_size)).astype(np.float32)
    masked /= np.linalg.norm(masked, axis=1, keepdims=True)
    return pack(entry, "whole", encode(masked, masked[0], codec))
