"""The job queue and the shared short memory of explanations, on Redis or Valkey; the only room that imports Celery."""
