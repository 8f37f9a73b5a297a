"""The explainer: a Celery worker that fills the occlusion cache and finishes explanations.

A thin shell: what it computes and when an explanation is finished is in `xmirad.explanations`.
"""
