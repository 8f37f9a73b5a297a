"""The truth about archives and items, kept as records in the blob store.

`records.py` says what a record holds, `catalog.py` reads and writes them, `images.py` keeps what belongs to an image's
digest. `verify.py` compares the vector store with the truth and `rebuild.py` makes it again from it; both work offline,
under the exclusive lock. Nothing here knows gRPC or a particular store.
"""
