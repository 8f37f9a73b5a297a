"""Readers of data sets: files on disk in, items with labels, patient, source and split out.

Standard library only. Nothing here opens an image: whether a file can be decoded is the service's business. Readers are
strict, because a silently skipped line changes every figure: whatever a list names and the disk does not have is an
error that names the list, the line and the file.
"""

from xmirad.datasets.dataset import Dataset, DatasetItem, Layout
from xmirad.datasets.reading import read_dataset

__all__ = ["Dataset", "DatasetItem", "Layout", "read_dataset"]
