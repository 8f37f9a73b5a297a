"""The truth about archives and items, kept in SQL, and about images, kept as blobs.

`records.py` says what a record holds, `tables.py` the schema; `archives.py`, `items.py` and `calibrations.py` have the
statements, and `catalog.py` runs them in transactions of `database.py`. `images.py` keeps what belongs to an image's
digest in the blob store. `verify.py` compares the vector store with the truth and `rebuild.py` makes it again from it;
both work offline, under the exclusive lock. Nothing here knows gRPC or a particular vector store.
"""
