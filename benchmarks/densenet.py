"""DenseNet-121 with random weights: what the published maps are made with, and the slowest model there is."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.run import Run
from xmirad.models.artifact import ModelArtifact
from xmirad.models.registry import ModelRegistry

NAME = "benchmark-densenet121"


def densenet(run: Run) -> ModelArtifact:
    """Return the model, built at the first call of a run in a process of its own, which needs torch.

    Raises:
        ModelNotFoundError: If it was not built.
    """
    folder = run.folder / "models"
    registry = ModelRegistry(folder)
    if not any(model.name == NAME for model in registry.list()):
        folder.mkdir(exist_ok=True)
        command = [str(Path(sys.executable).with_name("xmirad")), "models", "build", "densenet121"]
        options = ["--random-weights", "--seed", "0", "--as", NAME]
        environment = {**os.environ, "XMIRAD_MODELS_DIR": str(folder), "XMIRAD_HOME": str(run.folder / "building")}
        subprocess.run([*command, *options], env=environment, check=True, stdout=subprocess.DEVNULL)
    return registry.find(NAME)
