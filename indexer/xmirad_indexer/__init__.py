"""Celery shell around `xmirad.indexing`; the embedded system indexes inside the retrieval service."""
