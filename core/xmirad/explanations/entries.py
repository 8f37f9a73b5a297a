"""What a cache entry is: the masked embeddings of one image, by one model, under one lattice of windows."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property

from xmirad.blobs import keys
from xmirad.saliency.codec import Codec
from xmirad.saliency.lattice import STRIDE, WINDOW, WindowLattice
from xmirad.saliency.levels import Level, chunks, levels
from xmirad.saliency.masking import Fill

WINDOWS_PER_CHUNK = 20
"""Two seconds of the slowest model on one thread; equal for all processes, or their chunks would not fit together."""


SCALE_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class OcclusionEntry:
    """The masked embeddings of one image; every occlusion map of that image comes from them.

    Attributes:
        site: Whose it is: none learns what another one has had explained.
        image: Digest of the image's content.
        is_query: Whether the image is kept as a query rather than as an item of an archive.
        model: Digest of the model.
        preprocessing: Digest of its recipe.
        size: Width and height of the model's input in pixels.
        window: Width and height of a window in pixels.
        stride: Distance of the windows in pixels.
        fill: What a hidden window shows; not IMAGE, which would need another image.
        codec: How the embeddings are kept.
    """

    site: str
    image: str
    is_query: bool = False
    model: str
    preprocessing: str
    size: int
    window: int = WINDOW
    stride: int = STRIDE
    fill: Fill = Fill.ZERO
    codec: Codec = Codec.INT8

    @cached_property
    def key(self) -> str:
        """Digest of everything that the embeddings depend on, hexadecimal."""
        document = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "is_query"}
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()

    @property
    def location(self) -> str:
        """Prefix of the entry's blobs, which also names the entry in the queue and on the board."""
        root = f"{keys.query(self.image)}occlusion/" if self.is_query else keys.occlusion(self.image)
        return f"{root}{self.key}/"

    @cached_property
    def lattice(self) -> WindowLattice:
        """Where the windows lie."""
        return WindowLattice(size=self.size, window=self.window, stride=self.stride)

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The levels, coarsest first."""
        return levels(self.lattice)

    @cached_property
    def chunks(self) -> tuple[range, ...]:
        """Positions in the lattice's walk that each chunk covers; none crosses the end of a level."""
        return chunks(self.lattice, WINDOWS_PER_CHUNK)

    def size_bytes(self, embedding_size: int) -> int:
        """Return how many bytes the complete entry takes."""
        return self.lattice.windows * (SCALE_BYTES + embedding_size * self.codec.dtype.itemsize)

    def to_document(self) -> dict[str, str | int | bool]:
        """Return the entry as JSON values."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> "OcclusionEntry":
        """Read what `to_document` returned.

        Raises:
            TypeError: If a field is unknown or missing.
            ValueError: If a fill or codec is unknown.
        """
        values = dict(document)
        codec, fill = Codec(str(values.pop("codec"))), Fill(str(values.pop("fill")))
        return cls(codec=codec, fill=fill, **values)  # type: ignore[arg-type] # checked by whoever wrote it
