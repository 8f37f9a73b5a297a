"""Finds blobs that no row of the catalog names, by listing the blob store, as nothing else does.

There should be none. Some are left by a process that was paused for more than a day while it wrote, and by a catalog
that was put back from a backup. Nobody may write meanwhile.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from sqlalchemy import Connection, select

from xmirad.blobs import keys
from xmirad.blobs.port import BlobStore
from xmirad.catalog.database import Database
from xmirad.catalog.explanation_tables import cache_entries, explanations, queries
from xmirad.catalog.purges import Owner, key_of
from xmirad.catalog.tables import blobs as image_blobs

ORPHAN_SECONDS = 86_400.0
PAGE = 500
OWNERS: dict[str, tuple[Owner, Callable[[str], str]]] = {
    keys.INPUTS: (image_blobs, str),
    keys.ORIGINALS: (image_blobs, str),
    keys.OCCLUSION: (cache_entries, keys.prefix_of),
    keys.QUERIES: (queries, keys.name_of),
    keys.EXPLANATIONS: (explanations, keys.name_of),
}
"""For each kind of blob: whose they are, and how a blob's key tells the key of the owner's row."""


def orphaned_blobs(database: Database, blobs: BlobStore, *, now: float) -> Iterator[str]:
    """Yield the keys of blobs that no row names, and that were put a day before a time or earlier."""
    for kind, (owner, owner_key) in OWNERS.items():
        listed = blobs.list(f"{kind}/")
        while page := list(islice(listed, PAGE)):
            owners = {key: owner_key(key) for key in page}
            present = database.read(partial(_present, owner=owner, wanted=sorted(set(owners.values()))))
            for key in page:
                put_time = None if owners[key] in present else blobs.put_time(key)
                if put_time is not None and now - put_time >= ORPHAN_SECONDS:
                    yield key


def _present(connection: Connection, owner: Owner, wanted: list[str]) -> set[str]:
    return set(connection.execute(select(key_of(owner)).where(key_of(owner).in_(wanted))).scalars())
