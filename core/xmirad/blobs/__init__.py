"""The blob store: the truth from which everything else can be rebuilt.

`port.py` is what other rooms see, `fsspec_store.py` the implementation (folders, S3, GCS,
NFS), `keys.py` the layout. Keys are made in `keys.py` only.
"""
