"""How a network runs best on one kind of machine, found by a short measurement and kept beside the model.

Only speed depends on it: a way to run the network is considered only if it makes the same bits as the usual one. Where
nothing was measured, or it was measured on another kind of machine, the network runs as usual.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from xmirad.errors import BackendUnavailableError
from xmirad.models.artifact import ModelArtifact

FORMAT = 1
BATCHES = (1, 2, 4, 8)
"""Batches that are tried; a file that names another was not written by a measurement."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a network runs.

    Attributes:
        batch: Images that go through the network together, one of `BATCHES`.
        streams: Batches that run at the same time; they share the threads evenly.
    """

    batch: int
    streams: int

    @property
    def at_once(self) -> int:
        """How many images keep all streams at work, so many that it pays to bring them in one call."""
        return 4 * self.batch * self.streams


def usual(threads: int) -> Tuning:
    """Return how a network runs where nothing was measured: single images, each on a thread of its own."""
    return Tuning(batch=1, streams=threads)


def tuning_file(artifact: ModelArtifact, machine: Mapping[str, str], *, threads: int) -> Path:
    """Return where the tuning of a model for a kind of machine lies.

    Args:
        artifact: The model.
        machine: Everything that speed depends on; no host's name.
        threads: How many threads the network has.
    """
    kind = hashlib.sha256(json.dumps(dict(machine), sort_keys=True).encode()).hexdigest()
    return artifact.path / f"tuning-{kind[:16]}-{threads}.json"


def read_tuning(artifact: ModelArtifact, machine: Mapping[str, str], *, threads: int) -> Tuning:
    """Return what was measured for a kind of machine, the usual where that is nothing or cannot be understood."""
    try:
        document = json.loads(tuning_file(artifact, machine, threads=threads).read_bytes())
        if document["format"] != FORMAT or document["machine"] != dict(machine) or document["threads"] != threads:
            return usual(threads)
        batch, streams = document["batch"], document["streams"]
    except (OSError, ValueError, KeyError, TypeError):
        return usual(threads)
    is_valid = all(type(value) is int and value >= 1 for value in (batch, streams)) and batch in BATCHES
    return Tuning(batch, streams) if is_valid and threads % streams == 0 else usual(threads)


def write_tuning(
    artifact: ModelArtifact,
    machine: Mapping[str, str],
    tuning: Tuning,
    *,
    threads: int,
    milliseconds: Mapping[str, float],
) -> Path:
    """Keep what was measured; whoever reads sees all of it or nothing.

    Args:
        artifact: The model.
        machine: Kind of machine that it was measured on.
        tuning: What was chosen.
        threads: How many threads the network had.
        milliseconds: Of one image, by way to run the network; for whoever looks into the file.

    Raises:
        BackendUnavailableError: If the model's folder cannot be written to.
    """
    file = tuning_file(artifact, machine, threads=threads)
    document = {
        "format": FORMAT,
        "machine": dict(machine),
        "threads": threads,
        **asdict(tuning),
        "milliseconds": dict(milliseconds),
    }
    partial = file.with_name(f".{uuid4().hex}.tmp")
    try:
        partial.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
        os.replace(partial, file)
    except OSError as error:
        message = "the model's folder cannot be written to"
        raise BackendUnavailableError(message, field="model", metadata={"backend": "models"}) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return file
