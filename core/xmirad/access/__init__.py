"""Who may call the service: tokens, scopes, and how much one caller may ask for.

Knows nothing of gRPC; the retrieval service's door asks it.
"""
