"""Makes model inputs again that are missing or damaged, from the originals where these are kept."""

from collections.abc import Callable, Iterable

from xmirad.catalog.catalog import Catalog
from xmirad.catalog.images import ImageBlobs, NewBlob
from xmirad.catalog.records import ArchiveRecord
from xmirad.errors import BackendUnavailableError, XmiradError
from xmirad.types import EncodedImage, UInt8Array

Decode = Callable[[EncodedImage], UInt8Array]
"""Returns an image as its model's input, uint8 `[size, size, 3]`."""


def repair_inputs(
    record: ArchiveRecord, items: Iterable[str], *, catalog: Catalog, images: ImageBlobs, decode: Decode
) -> list[str]:
    """Return the ids of those items whose model inputs are whole again; the others need their images uploaded again.

    Raises:
        BackendUnavailableError: If a store fails.
    """
    wanted = list(items)
    found = catalog.find_items(record, wanted)
    repaired = []
    for item in filter(None, map(found.get, wanted)):
        try:
            original = images.original(item.file)
            if original is None:
                continue
            pixels = decode(EncodedImage(original, item.media_type, item.identity.frame or None))
        except BackendUnavailableError:
            raise
        except XmiradError:  # damaged itself, or decoded no more
            continue
        put = images.put([NewBlob.input(item.image, item.preprocessing, pixels)])
        catalog.put_item(item, blobs_at=put)  # its record is there; it relies on another blob from now on
        repaired.append(item.item)
    return repaired
