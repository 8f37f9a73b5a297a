"""Runs a training and shows how far it is and what came of it."""

from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING

from xmirad.cli.output import Output
from xmirad.cli.progress import Meter, meter
from xmirad.errors import InvalidRequestError
from xmirad.models.definition import Architecture
from xmirad.training.progress import Epoch

if TYPE_CHECKING:
    from xmirad.training.train import Trained, TrainingRequest

PACKAGES = ("torch", "pytorch_metric_learning")


class ShownProgress:
    """Shows one meter for decoding and one for the steps, and a line for every epoch."""

    def __init__(self, name: str, output: Output) -> None:
        """Show nothing yet."""
        self._name = name
        self._output = output
        self._stack = ExitStack()
        self._shown: tuple[str, int] | None = None
        self._before = 0
        self._meter: Meter | None = None

    def __enter__(self) -> "ShownProgress":
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close what is shown."""
        self._stack.close()

    def decoded(self, done: int, total: int) -> None:
        """Show that so many images are decoded."""
        self._show("Decoding", done, total)

    def resumed(self, step: int) -> None:
        """Say that an earlier run is continued."""
        self._before = step
        self._output.note(f"resuming {self._name} behind step {step}")

    def stepped(self, done: int, total: int) -> None:
        """Show that so many steps are done; those of an earlier run do not count, or the time left would be wrong."""
        self._show("Training", done - self._before, total - self._before)

    def finished(self, epoch: Epoch, *, best: bool) -> None:
        """Print an epoch's figures."""
        loss = "before training" if epoch.loss is None else f"loss {epoch.loss:.4f}"
        note = ", the best so far" if best and epoch.number else ""
        self._output.note(f"epoch {epoch.number}: {loss}, validation mAP {epoch.validation_map:.4f}{note}")

    def _show(self, title: str, done: int, total: int) -> None:
        if self._meter is None or (title, total) != self._shown:
            self._stack.close()
            self._shown = title, total
            self._meter = self._stack.enter_context(meter(f"{title} {self._name}", total, self._output))
        self._meter.update(done, 0)


def require_packages() -> None:
    """Check that what training needs is installed.

    Raises:
        InvalidRequestError: If torch or another package is not.
    """
    for package in PACKAGES:
        if find_spec(package) is None:
            raise InvalidRequestError(f"training needs {package}: install xmirad[train]")


def announce(request: "TrainingRequest", output: Output) -> None:
    """Tell what will be trained on, and what about it deserves a second look."""
    data, start = request.data, request.recipe.start
    for warning in data.warnings:
        output.note(f"warning: {warning}")
    output.note(
        f"{data.name}: {len(data.training)} images of {len(data.classes)} classes to train on, "
        f"{len(data.validation)} to validate with"
    )
    if start in {each.value for each in Architecture} and request.state_dict is None:
        output.note(f"warning: {start} starts from random weights; give it better ones with --state-dict")


def show_trained(result: "Trained", output: Output, *, asked_name: str) -> None:
    """Print what came of a training; `asked_name` is the name that the model was to have."""
    artifact, best = result.artifact, result.state.best_epoch
    output.json(
        {
            "name": artifact.name,
            "digest": artifact.digest,
            "path": artifact.path,
            "best_epoch": best.number,
            "validation_map": best.validation_map,
            "epochs": result.state.epochs,
        }
    )
    output.text(f"{artifact.name} is {artifact.digest} in {artifact.path}")
    output.text(f"validation mAP {best.validation_map:.4f} after epoch {best.number}")
    if artifact.name != asked_name:
        output.note(f"warning: {artifact.name} has the same weights to the bit, so no model {asked_name} was made")
    if best.number == 0:
        output.note("warning: no epoch was better than the start, so the model is the start")
