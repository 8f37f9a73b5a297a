"""Deletes blobs that no item uses any more: of deleted items, and of uploads that were interrupted for good."""

import time

from xmirad.catalog.catalog import Catalog
from xmirad.catalog.images import ImageBlobs
from xmirad.catalog.records import ItemReference

ORPHAN_SECONDS = 86_400.0
"""So long after something of it was stored last, an image without an item counts as orphaned.

An upload stores blobs before its record, and with a Qdrant server nothing keeps services from running meanwhile.
"""


def orphaned_images(catalog: Catalog, images: ImageBlobs) -> list[str]:
    """Return the digests of images and uploaded files that have old blobs and no item in any archive, sorted."""
    present = set(images.digests())
    return [digest for digest in sorted(present - catalog.digests_in_use(present)) if _is_old(digest, images)]


def delete_unused(catalog: Catalog, images: ImageBlobs, found: ItemReference) -> None:
    """Delete the blobs of a deleted item that no other item uses; its file if no archive keeps it that keeps files.

    All sites are asked, for all share the images.
    """
    if not catalog.images_in_use([found.image]):
        images.delete_derived(found.image)
    if not catalog.files_to_keep([found.file]):
        images.delete_original(found.file)


def _is_old(digest: str, images: ImageBlobs) -> bool:
    put_time = images.put_time(digest)
    return put_time is not None and time.time() - put_time >= ORPHAN_SECONDS
