"""X-MIRAD: explainable medical image retrieval."""

from importlib.metadata import version

__version__ = version("xmirad")
