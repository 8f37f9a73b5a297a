"""Processes that answer requests: the gRPC retrieval service."""
