"""The default model: that it is there, and that it still makes its canonical vector.

The vector is computed by a process of its own, which can be killed when time is up and takes the engine's memory with
it. A thread could not be stopped, and the engine must not be at work when the process ends. It gives way to the other
checks.
"""

import subprocess
import sys
from collections.abc import Iterator

from xmirad.doctor.findings import Finding, failed, ok, warning
from xmirad.errors import InvalidRequestError, ModelCorruptError, ModelNotFoundError
from xmirad.models.artifact import ModelArtifact
from xmirad.models.registry import ModelRegistry
from xmirad.settings import Settings

VERIFICATION = """
import os
os.nice(10)
import sys
from pathlib import Path
from xmirad.errors import XmiradError
from xmirad.models.artifact import read_artifact
from xmirad.models.registry import ModelRegistry
folder = Path(sys.argv[1])
try:
    ModelRegistry(folder.parent).verify(read_artifact(folder))
except XmiradError as error:
    sys.exit(error.metadata.get("problem", error.message))
"""
VERIFICATION_SECONDS = 3.0


def check_model(settings: Settings) -> Iterator[Finding]:
    """Yield how the default model is."""
    name, folder = settings.default_model, settings.models_dir
    try:
        artifact = ModelRegistry(folder).find(name)
    except ModelNotFoundError:
        remedy = f"`xmirad models build {name}`, or set models_dir and default_model to what there is"
        yield failed("model", f"there is no model {name} in {folder}", remedy)
    except (ModelCorruptError, InvalidRequestError) as error:
        yield failed("model", error.message, "name one intact model in default_model; `xmirad models list` has them")
    else:
        yield _verified(artifact)


def _verified(artifact: ModelArtifact) -> Finding:
    command = [sys.executable, "-c", VERIFICATION, str(artifact.path)]
    name = f"{artifact.name} ({artifact.digest[:12]})"
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERIFICATION_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        found = f"not finished in time: {name} was not verified within {VERIFICATION_SECONDS:g} s"
        return warning("model", found, f"`xmirad models verify {artifact.name}` takes the time that it needs")
    if done.returncode == 0:
        return ok("model", f"{name}: files have their digests, and the canonical vector comes out")
    lines = done.stderr.strip().splitlines()
    problem = lines[-1] if lines else f"verification ended with code {done.returncode}"
    remedy = f"delete {artifact.path} and build it anew: `xmirad models build`; or put the right files back"
    return failed("model", f"{name}: {problem}", remedy)
