"""Celery shell around the saliency methods of `xmirad`."""
