"""A checkpoint: all that training needs to go on exactly where it was, in one file without pickle."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from xmirad.errors import InvalidRequestError, TrainingFailedError
from xmirad.training.progress import Epoch

Tensors = dict[str, Tensor]
BEST = "best"
OPTIMIZER = "optimizer"


@dataclass(slots=True)
class TrainingState:
    """Where training is.

    Attributes:
        step: Steps that are done.
        losses: Losses of the current epoch's steps.
        epochs: The epochs that are over.
        best: Weights of the best epoch so far, under the names of `MetricNetwork`.
    """

    step: int = 0
    losses: list[float] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    best: Tensors = field(default_factory=dict)

    @property
    def best_epoch(self) -> Epoch:
        """The epoch with the best validation figure, the first of equals."""
        return max(self.epochs, key=lambda epoch: epoch.validation_map)


class CheckpointFile:
    """The checkpoint of one training run. A new one replaces the old one in one step, once it is on the disk."""

    def __init__(self, path: Path, *, run: str) -> None:
        """Keep where it is.

        Args:
            path: The file.
            run: Digest of what is trained, on what; a checkpoint of another run is refused.
        """
        self._path = path
        self._run = run

    def save(self, state: TrainingState, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer) -> None:
        """Write everything.

        Raises:
            TrainingFailedError: If it cannot be written; the last checkpoint stays.
        """
        tensors = {f"{BEST}.{name}": value for name, value in state.best.items()}
        for part, module in modules.items():
            tensors |= {f"{part}.{name}": value for name, value in module.state_dict().items()}
        for number, values in optimizer.state_dict()["state"].items():
            tensors |= {f"{OPTIMIZER}.{number}.{name}": value for name, value in values.items()}
        progress = {"step": state.step, "losses": state.losses, "epochs": [asdict(epoch) for epoch in state.epochs]}
        metadata = {"run": self._run, "progress": json.dumps(progress)}
        write_tensors(self._path, tensors, metadata)

    def load(self, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer) -> TrainingState | None:
        """Set modules and optimizer to what was saved, and return the state; None if there is no checkpoint.

        Raises:
            InvalidRequestError: If the file is damaged, or belongs to another run.
        """
        if not self._path.is_file():
            return None
        try:
            with safe_open(self._path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except (OSError, SafetensorError) as error:
            message = f"the checkpoint {self._path.name} cannot be read; begin anew with --fresh"
            raise InvalidRequestError(message, field="checkpoint") from error
        if metadata.get("run") != self._run:
            message = f"the checkpoint {self._path.name} is of another recipe or other data; begin anew with --fresh"
            raise InvalidRequestError(message, field="checkpoint")
        for part, module in modules.items():
            module.load_state_dict(_part(tensors, part))
        _restore(optimizer, _part(tensors, OPTIMIZER))
        progress = json.loads(metadata["progress"])
        return TrainingState(
            step=progress["step"],
            losses=progress["losses"],
            epochs=[Epoch(**epoch) for epoch in progress["epochs"]],
            best=_part(tensors, BEST),
        )


def write_tensors(path: Path, tensors: Tensors, metadata: dict[str, str]) -> None:
    """Write named tensors to a file, all or nothing.

    Raises:
        TrainingFailedError: If the disk is full or the folder is gone.
    """
    partial = path.with_suffix(".partial")
    try:
        save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, partial, metadata)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        message = f"{path} cannot be written ({error}); what was saved before is intact, so training can be resumed"
        raise TrainingFailedError(message, metadata={"file": str(path)}) from error


def _part(tensors: Tensors, part: str) -> Tensors:
    return {name.removeprefix(f"{part}."): value for name, value in tensors.items() if name.startswith(f"{part}.")}


def _restore(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    state: dict[int, Tensors] = {}
    for name, value in tensors.items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
