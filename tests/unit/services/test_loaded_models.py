"""Models in memory: loading one must not hold up those that are there."""

import threading
from dataclasses import dataclass
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from xmirad.models.embedder import Embedder
from xmirad.models.registry import ModelRegistry
from xmirad.observability.metrics import RetrievalMetrics
from xmirad_services.retrieval import loaded_models
from xmirad_services.retrieval.loaded_models import LoadedModels

WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Artifact:
    digest: str
    name: str = "model"


class Registry:
    def find(self, digest: str) -> Artifact:
        return Artifact(digest)


def test_a_model_that_is_loaded_answers_while_another_one_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, finish = threading.Event(), threading.Event()

    def load(artifact: Artifact, *, threads: int) -> Embedder:
        if artifact.digest == "slow":
            begun.set()
            assert finish.wait(WAIT_SECONDS)
        return cast("Embedder", artifact)

    monkeypatch.setattr(loaded_models, "load_embedder", load)
    metrics = RetrievalMetrics(CollectorRegistry(), methods=())
    models = LoadedModels(cast("ModelRegistry", Registry()), default="fast", threads=1, metrics=metrics)
    fast = models.embedder("fast")
    loading = threading.Thread(target=models.embedder, args=("slow",), daemon=True)
    loading.start()
    assert begun.wait(WAIT_SECONDS)
    found: list[Embedder] = []
    asking = threading.Thread(target=lambda: found.append(models.embedder("fast")), daemon=True)
    asking.start()
    asking.join(1.0)
    answered = list(found)
    finish.set()
    loading.join()
    asking.join()
    assert answered == [fast]
