"""Stubs generated from `protos/xmirad/v1` by `make protos`. Nothing here is written by hand."""
