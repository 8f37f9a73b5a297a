"""Finds what no item uses any more: traces of uploads that were interrupted and never repeated."""

from xmirad.catalog.catalog import Catalog
from xmirad.catalog.images import ImageBlobs


def orphaned_images(catalog: Catalog, images: ImageBlobs) -> list[str]:
    """Return the digests of images (and of uploaded files) with blobs but without an item in any archive, sorted."""
    present = set(images.digests())
    return sorted(present - catalog.digests_in_use(present))


def delete_orphans(catalog: Catalog, images: ImageBlobs) -> int:
    """Delete the blobs of orphaned images and return how many images they were of."""
    orphans = orphaned_images(catalog, images)
    for image in orphans:
        images.delete_everything(image)
    return len(orphans)
