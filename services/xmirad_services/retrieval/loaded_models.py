"""The models that this process has in memory."""

import threading

from xmirad.models.artifact import ModelArtifact
from xmirad.models.embedder import BackboneEmbedder, load_embedder
from xmirad.models.registry import ModelRegistry
from xmirad.observability.metrics import RetrievalMetrics


class LoadedModels:
    """Loads each model once, when it is first needed. Safe to use from many threads."""

    def __init__(self, registry: ModelRegistry, *, default: str, threads: int, metrics: RetrievalMetrics) -> None:
        """Serve the models of a registry; `default` is the name or digest used where a request names none."""
        self._registry = registry
        self._default = default
        self._threads = threads
        self._metrics = metrics
        self._lock = threading.Lock()
        self._embedders: dict[str, BackboneEmbedder] = {}

    def find(self, name: str) -> ModelArtifact:
        """Return a model by name, digest or resource name; the default one for an empty string.

        Raises:
            ModelNotFoundError: If there is none, or the short name is not unique.
        """
        return self._registry.find(name or self._default)

    def list(self) -> list[ModelArtifact]:
        """Return all models, by short name."""
        return self._registry.list()

    def is_default(self, artifact: ModelArtifact) -> bool:
        """Return whether a model is the one used where a request names none."""
        return self._default in {artifact.name, artifact.digest}

    def embedder(self, digest: str) -> BackboneEmbedder:
        """Return a model ready to embed. The first call for a model takes as long as loading it.

        Raises:
            ModelNotFoundError: If there is no such model.
            ModelCorruptError: If its files or its canonical embedding are not as they should be.
        """
        if (present := self._embedders.get(digest)) is not None:
            return present  # without waiting for another model that loads, which takes seconds
        with self._lock:
            if digest not in self._embedders:
                artifact = self._registry.find(digest)
                self._embedders[digest] = load_embedder(artifact, threads=self._threads)
                self._metrics.model_in_use(artifact.name, artifact.digest)
            return self._embedders[digest]
