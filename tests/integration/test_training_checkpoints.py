"""Checkpoints: everything comes back, nothing is lost to a full disk, nothing foreign is taken."""

import resource
from pathlib import Path

import pytest
import torch

from xmirad.errors import InvalidRequestError, TrainingFailedError
from xmirad.training.checkpoint import CheckpointFile, TrainingState
from xmirad.training.progress import Epoch


def small_checkpoint(path: Path, *, run: str) -> tuple[CheckpointFile, torch.nn.Linear, torch.optim.Optimizer]:
    module = torch.nn.Linear(256, 256)
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(1, 256)).sum().backward()
    optimizer.step()
    return CheckpointFile(path, run=run), module, optimizer


def test_a_full_disk_leaves_the_last_checkpoint_intact(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    file, module, optimizer = small_checkpoint(path, run="a")
    file.save(TrainingState(step=1), {"network": module}, optimizer)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(TrainingFailedError, match="cannot be written"):
            file.save(TrainingState(step=2), {"network": module}, optimizer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_checkpoint_gives_everything_back(tmp_path: Path) -> None:
    file, module, optimizer = small_checkpoint(tmp_path / "checkpoint.safetensors", run="a")
    state = TrainingState(step=7, losses=[0.5], epochs=[Epoch(0, None, 0.25, 0.0, 1.0)], best={"w": torch.ones(2)})
    file.save(state, {"network": module}, optimizer)

    _, other, fresh = small_checkpoint(tmp_path / "other", run="a")
    loaded = file.load({"network": other}, fresh)

    assert loaded is not None
    assert (loaded.step, loaded.losses, loaded.epochs) == (7, [0.5], state.epochs)
    assert torch.equal(loaded.best["w"], torch.ones(2))
    assert torch.equal(other.weight, module.weight)
    moments = [group["exp_avg"] for group in optimizer.state_dict()["state"].values()]
    assert all(
        torch.equal(mine, theirs["exp_avg"])
        for mine, theirs in zip(moments, fresh.state_dict()["state"].values(), strict=True)
    )


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    file, module, optimizer = small_checkpoint(path, run="a")
    file.save(TrainingState(), {"network": module}, optimizer)
    with pytest.raises(InvalidRequestError, match="another recipe"):
        CheckpointFile(path, run="b").load({"network": module}, optimizer)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        file.load({"network": module}, optimizer)
