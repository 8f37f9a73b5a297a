"""Catalogs for tests: SQLite files in a folder."""

import shutil
import weakref
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy import delete, select, update

from xmirad.catalog.blobs import find_live
from xmirad.catalog.catalog import Catalog
from xmirad.catalog.database import Database
from xmirad.catalog.tables import archives, blobs, embeddings, items


def sqlite_catalog(folder: Path, *, create: bool = True) -> Catalog:
    """Return a catalog in a folder as the home has it, which is made when it is first used."""
    return Catalog(Database(f"sqlite:///{folder / 'catalog.db'}", create=create))


def temporary_catalog(owner: object) -> Catalog:
    """Return a catalog that goes with its owner."""
    folder = Path(mkdtemp())
    catalog = sqlite_catalog(folder)
    weakref.finalize(owner, _remove, catalog, folder)
    return catalog


def damage_document(catalog: Catalog, item: str, document: str = "{") -> None:
    """Overwrite the stored record of an item."""
    catalog.database.write(
        lambda connection: connection.execute(update(items).where(items.c.item == item).values(document=document))
    )


def damage_embedding(catalog: Catalog, item: str, vector: bytes | None) -> None:
    """Overwrite the bytes of an item's embedding, or delete them."""
    of_item = embeddings.c.item == item
    statement = delete(embeddings).where(of_item) if vector is None else update(embeddings).where(of_item)
    if vector is not None:
        statement = update(embeddings).where(of_item).values(vector=vector)
    catalog.database.write(lambda connection: connection.execute(statement))


def location_of(catalog: Catalog, digest: str, preprocessing: str = "") -> str:
    """Return where the model input of an image, or a file, lies; empty if there is none."""
    found = catalog.database.read(partial(find_live, digest=digest, preprocessing=preprocessing))
    return "" if found is None else found.location


def blob_locations(catalog: Catalog) -> list[str]:
    """Return where all blobs lie that items rely on, in order."""
    rows = select(blobs.c.location).where(blobs.c.delete_time.is_(None), blobs.c.is_live).order_by(blobs.c.location)
    return list(catalog.database.read(lambda connection: connection.execute(rows).scalars().all()))


def damage_archive(catalog: Catalog, archive: str) -> None:
    """Overwrite what the stored record of an archive says of originals."""
    statement = update(archives).where(archives.c.archive == archive).values(originals="some")
    catalog.database.write(lambda connection: connection.execute(statement))


def _remove(catalog: Catalog, folder: Path) -> None:
    catalog.database.close()
    shutil.rmtree(folder)
