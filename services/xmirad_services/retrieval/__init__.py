"""The gRPC retrieval service.

`app.py` puts the parts together, `servicers/` turns messages into calls and answers into messages, `searching.py`,
`open_archives.py`, `loaded_models.py` and `purging.py` do the work, `interceptors.py` is what every call passes.
"""
