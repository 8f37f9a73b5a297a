"""The job queue of explanations and the short memory that its processes share, on Redis or Valkey.

The only room that imports Celery and redis. Tasks are named here and carried out in the explainer; whoever wants work
done publishes a name and JSON, never pixels.
"""
