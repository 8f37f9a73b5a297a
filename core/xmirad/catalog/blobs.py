"""Statements on the blobs of images: model inputs, and files as uploaded. Each takes a connection.

A blob is pending from before it is put until the transaction that stores the item which needs it, then live, and
ended once no item of any archive needs it. It never goes back: whoever needs it again puts it under the next
generation, another key of the blob store. Of each image or file one generation at most has not ended.

Who needs a blob locks its row until the item is committed; who ends it locks the row, and looks for items after that.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from xmirad.blobs import keys
from xmirad.catalog import items, occlusion
from xmirad.catalog.records import ItemReference
from xmirad.catalog.tables import blobs

PAGE = 500
IS_CURRENT = blobs.c.delete_time.is_(None)
ROW = (
    blobs.c.location, blobs.c.digest, blobs.c.preprocessing, blobs.c.bytes, blobs.c.sha256, blobs.c.is_live,
)  # fmt: skip
CURRENT = select(*ROW).where(blobs.c.digest.in_(bindparam("digests", expanding=True)), IS_CURRENT)
LIVE = select(*ROW).where(
    blobs.c.digest == bindparam("digest"),
    blobs.c.preprocessing == bindparam("preprocessing"),
    IS_CURRENT,
    blobs.c.is_live,
)
AT = blobs.c.location.in_(bindparam("locations", expanding=True))
LOCK_LIVE = select(blobs.c.location).where(AT, IS_CURRENT, blobs.c.is_live).order_by(blobs.c.location).with_for_update()
INSERT = {
    name: engine.insert(blobs).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    for name, engine in (("sqlite", sqlite), ("postgresql", postgresql))
}
MAKE_LIVE = (
    update(blobs).where(AT, IS_CURRENT, blobs.c.is_live.is_(False)).values(is_live=True).returning(blobs.c.location)
)


class BlobsEndedError(Exception):
    """Blobs are not to be used any more: put them again under other keys.

    Attributes:
        locations: Their keys.
    """

    def __init__(self, locations: Sequence[str]) -> None:
        """Name the blobs."""
        super().__init__(*locations)
        self.locations = locations


@dataclass(frozen=True, slots=True)
class BlobRow:
    """A generation of a blob.

    Attributes:
        location: Its key in the blob store.
        digest: Of the image, or of the file.
        preprocessing: Digest of a model input's preprocessing; empty for a file.
        bytes: How many it has.
        sha256: Of them, in hexadecimal.
        is_live: Whether an item that needs it was stored.
    """

    location: str
    digest: str
    preprocessing: str
    bytes: int
    sha256: str
    is_live: bool = False


def new_location(digest: str, preprocessing: str) -> str:
    """Return the key of a blob's next generation."""
    generation = uuid4().hex  # random, so that none comes again once its row is gone
    return keys.model_input(digest, preprocessing, generation) if preprocessing else keys.original(digest, generation)


def find_live(connection: Connection, digest: str, preprocessing: str) -> BlobRow | None:
    """Return the blob that items of an image, or of a file, rely on, or None."""
    row = connection.execute(LIVE, {"digest": digest, "preprocessing": preprocessing}).one_or_none()
    return None if row is None else BlobRow(*row)


def find_current(connection: Connection, digests: Collection[str]) -> list[BlobRow]:
    """Return the blobs of images and files that are not being deleted, pending ones too."""
    return [BlobRow(*row) for row in connection.execute(CURRENT, {"digests": sorted(digests)}).all()]


def begin(connection: Connection, new: Sequence[BlobRow], *, instead_of: Collection[str], now: float) -> list[BlobRow]:
    """Make pending rows in place of those at some locations, unless others have; return what there is now."""
    end(connection, instead_of, now=now)
    rows = [_begun(each, now) for each in sorted(new, key=lambda each: each.location)]
    if connection.execute(INSERT[connection.dialect.name], rows).rowcount == len(new):
        return list(new)
    return find_current(connection, {each.digest for each in new})


def make_live(connection: Connection, locations: Collection[str]) -> None:
    """Have an item rely on blobs that were put, in the transaction that stores it.

    Raises:
        BlobsEndedError: If one of them is not to be used any more; nothing is changed.
    """
    left = set(locations)
    for statement in (MAKE_LIVE, LOCK_LIVE):
        if left:
            left -= set(connection.execute(statement, {"locations": sorted(left)}).scalars())
    if left:
        raise BlobsEndedError(sorted(left))


def end_unused(connection: Connection, found: Collection[ItemReference], *, now: float) -> None:
    """End the blobs of items that are deleted in this transaction, and what is cached of them, unless others need them.

    A file is needed by items of archives that keep files. All sites are asked, for all share the images.
    """
    images, files = {each.image for each in found}, {each.file for each in found}
    digests = sorted(images | files)
    if not digests:
        return
    live = select(*ROW).where(blobs.c.digest.in_(digests), IS_CURRENT, blobs.c.is_live)
    rows = connection.execute(live.order_by(blobs.c.location).with_for_update()).all()
    unused = images - items.images_in_use(connection, images), files - items.files_to_keep(connection, files)
    end(connection, [row.location for row in rows if row.digest in unused[not row.preprocessing]], now=now)
    if unused[0]:
        occlusion.delete_entries_of_images(connection, unused[0], now=now)


def end_abandoned(connection: Connection, *, before: float, now: float) -> int:
    """End some pending blobs that are older than a time: their uploads have died; return how many."""
    is_old = IS_CURRENT, blobs.c.is_live.is_(False), blobs.c.create_time <= before
    some = select(blobs.c.location).where(*is_old).order_by(blobs.c.create_time).limit(PAGE)
    found = sorted(connection.execute(some).scalars())
    ended = update(blobs).where(blobs.c.location.in_(found), *is_old).values(delete_time=now)
    return connection.execute(ended).rowcount if found else 0


def end(connection: Connection, locations: Collection[str], *, now: float) -> None:
    """Have blobs deleted that nobody needs."""
    if locations:
        rows = update(blobs).where(blobs.c.location.in_(sorted(locations)), IS_CURRENT)
        connection.execute(rows.values(delete_time=now))


def _begun(new: BlobRow, now: float) -> dict[str, object]:
    return {
        "location": new.location,
        "digest": new.digest,
        "preprocessing": new.preprocessing,
        "bytes": new.bytes,
        "sha256": new.sha256,
        "is_live": False,
        "create_time": now,
        "delete_time": None,
        "is_purged": False,
    }
