"""What the library's own parts add to what they stand on: bare decoding, bare forwards, bare store queries."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TypeVar

import pydicom
import qdrant_edge as edge
from PIL import Image

from benchmarks.effort import Effort, effort_of
from benchmarks.figures import Figure
from benchmarks.images import LARGE_DICOM, LARGE_PNG, SMALL_JPEG, Format, ImageKind, Images
from benchmarks.pairs import wall_and_cpu
from benchmarks.run import Run, random_pixels
from benchmarks.stages import LIMITS, TOP_K, fill_randomly, random_embedding
from xmirad.archive.edge_archive import EdgeArchive, create_shard
from xmirad.archive.port import ArchiveBinding
from xmirad.imaging.decoding import decode_image
from xmirad.types import EdgeIndex, EncodedImage, Float32Array

T = TypeVar("T")
REPEATS = (7, 1)
DECODED = {SMALL_JPEG: (100, 10), LARGE_PNG: (20, 3), LARGE_DICOM: (5, 1)}
FORWARDS = (64, 8)
ITEMS = (1_000, 100)
QUERIES = (300, 30)


def parts(run: Run) -> Iterator[Figure]:
    """Measure each part and what it stands on in turns, in this process."""
    for kind, counts in DECODED.items():
        images = Images(kind, seed=1).take(run.count(*counts))
        bare = _bare_dicom if kind.format is Format.DICOM else _bare_raster
        yield from _decoding(run, kind, images, bare)
    yield from _forwards(run)
    yield from _queries(run)


def _decoding(
    run: Run, kind: ImageKind, images: Sequence[EncodedImage], bare: Callable[[EncodedImage], object]
) -> Iterator[Figure]:
    recipe = run.artifact.preprocessing
    what = "pydicom" if kind.format is Format.DICOM else "Pillow"
    pairs = _in_turns(run, lambda image: decode_image(image, recipe, LIMITS), bare, images)
    yield from wall_and_cpu(f"decode and prepare {kind}", f"bare decode by {what}", pairs)


def _forwards(run: Run) -> Iterator[Figure]:
    pixels = random_pixels(run.artifact, run.count(*FORWARDS))
    normalized = run.embedder.normalized(pixels)
    pairs = [
        (
            effort_of(lambda: run.embedder.embed(pixels), windows=len(pixels)),
            effort_of(lambda: run.embedder.embed_normalized(normalized), windows=len(pixels)),
        )
        for _ in range(run.count(*REPEATS))
    ]
    yield from wall_and_cpu(
        "embed images", f"`embed_normalized` of images that are prepared, on {run.cores} threads", pairs
    )


def _queries(run: Run) -> Iterator[Figure]:
    size, items = run.artifact.embedding_size, run.count(*ITEMS)
    embeddings = [random_embedding(size, seed=number) for number in range(run.count(*QUERIES))]
    folder = run.folder / "parts"
    folder.mkdir()
    binding = ArchiveBinding("parts", "c" * 32, run.artifact.digest, size, "parts")
    shard = create_shard(folder, binding, EdgeIndex.FLAT)
    with closing(EdgeArchive(binding, shard)) as archive:
        fill_randomly(archive, items)
        pairs = _in_turns(
            run,
            lambda embedding: archive.query(embedding, top_k=TOP_K),
            lambda embedding: shard.query(_request(embedding)),
            embeddings,
        )
    yield from wall_and_cpu(f"query of {items} x {size}", "bare store query", pairs)


def _in_turns(
    run: Run, ours: Callable[[T], object], bare: Callable[[T], object], arguments: Sequence[T]
) -> list[tuple[Effort, Effort]]:
    def all_of(call: Callable[[T], object]) -> Effort:
        return effort_of(lambda: [call(one) for one in arguments], windows=len(arguments))

    ours(arguments[0])
    bare(arguments[0])
    return [(all_of(ours), all_of(bare)) for _ in range(run.count(*REPEATS))]


def _bare_raster(image: EncodedImage) -> None:
    with Image.open(io.BytesIO(image.data)) as opened:
        opened.load()


def _bare_dicom(image: EncodedImage) -> None:
    pydicom.dcmread(io.BytesIO(image.data)).pixel_array  # noqa: B018 - decoded when it is asked for


def _request(embedding: Float32Array) -> edge.QueryRequest:
    return edge.QueryRequest(limit=TOP_K, query=edge.Query.Nearest(embedding.tolist()), with_payload=True)
