"""Stores images durably and makes them searchable: decode, embed, write, each overlapping the others.

`runner.py` takes one image through; callers run many at once and bound how many. `writer.py` gathers upserts,
`incoming.py` settles an image's identity. Knows no gRPC: the retrieval service runs it behind `UploadItems`.
"""
