"""The gRPC contract: generated stubs in `v1`, and the one mapping between domain errors and gRPC statuses."""
