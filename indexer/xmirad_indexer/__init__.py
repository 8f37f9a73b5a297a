"""The indexer: a Celery worker that stores the images of imports.

A thin shell: what an import is and how it goes on is in `xmirad.imports`, how an image is stored in `xmirad.indexing`.
"""
