"""The training loop."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from xmirad.errors import TrainingFailedError
from xmirad.training.augmentation import Augmentation
from xmirad.training.averaging import WeightAverage
from xmirad.training.batches import Batches
from xmirad.training.checkpoint import CheckpointFile, Tensors, TrainingState
from xmirad.training.data import IndexArray
from xmirad.training.images import ImageCache
from xmirad.training.losses import MetricLoss
from xmirad.training.network import MetricNetwork
from xmirad.training.optimizer import make_optimizer, set_rate
from xmirad.training.progress import Epoch, Progress
from xmirad.training.recipe import TrainingRecipe
from xmirad.training.validation import mean_average_precision
from xmirad.types import Float32Array

VALIDATION_BATCH = 32
CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class LabeledImages:
    """Decoded images with their classes and patients.

    Attributes:
        images: The images.
        labels: `[N]`, each image's class.
        patients: `[N]`, a number for each patient; images whose patient is not known have one of their own.
    """

    images: ImageCache
    labels: IndexArray
    patients: IndexArray


class Trainer:
    """Trains a network. A step depends on recipe, data and its number alone, so a resumed run ends as one in one go."""

    def __init__(
        self,
        recipe: TrainingRecipe,
        network: MetricNetwork,
        loss: MetricLoss,
        *,
        batches: Batches,
        training: LabeledImages,
        validation: LabeledImages,
        augmentation: Augmentation,
        checkpoint: CheckpointFile,
        device: torch.device,
        progress: Progress,
    ) -> None:
        """Put everything in place, or back to where a checkpoint left it."""
        self._recipe = recipe
        self._training = training
        self._validation = validation
        self._augmentation = augmentation
        self._checkpoint = checkpoint
        self._device = device
        self._progress = progress
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._loss = loss.to(device)
        self._average = WeightAverage(self._network, recipe.weight_average)
        self._optimizer = make_optimizer(recipe.optimizer, self._network, self._loss)
        self._batches = batches
        self._steps = recipe.epochs * self._batches.steps
        self._modules: dict[str, nn.Module] = {"network": self._network, "loss": self._loss}
        if recipe.weight_average is not None:
            self._modules["average"] = self._average.network

    def run(self) -> TrainingState:
        """Train until the last epoch, or until validation has not improved for so long as the recipe allows.

        Raises:
            TrainingFailedError: If the loss is not finite, or a checkpoint cannot be written.
        """
        state = self._checkpoint.load(self._modules, self._optimizer)
        if state is None:
            state = TrainingState()
            self._finish_epoch(state, rate=0.0, begin=time.monotonic())
        else:
            self._progress.resumed(state.step)
        while state.step < self._steps and not self._has_stopped_improving(state):
            self._epoch(state)
        return state

    def _epoch(self, state: TrainingState) -> None:
        begin = saved = time.monotonic()
        number, done = divmod(state.step, self._batches.steps)
        frozen = number < self._recipe.frozen_epochs
        self._network.prepare_for_epoch(frozen=frozen, fixed_statistics=self._recipe.fixed_statistics)
        size = self._recipe.crop_size(number, full=self._augmentation.full_size)
        rate = 0.0
        for indices in self._batches.epoch(number)[done:]:
            rate = set_rate(self._optimizer, self._recipe.optimizer, step=state.step, steps=self._steps)
            state.losses.append(self._step(indices, state.step, size=size))
            state.step += 1
            self._progress.stepped(state.step, self._steps)
            # Not behind an epoch's last step: that one is saved with its validation, or the validation would be lost.
            if state.step % self._batches.steps and time.monotonic() - saved > CHECKPOINT_SECONDS:
                self._checkpoint.save(state, self._modules, self._optimizer)
                saved = time.monotonic()
        self._finish_epoch(state, rate=rate, begin=begin)

    def _step(self, indices: IndexArray, step: int, *, size: int) -> float:
        torch.manual_seed(int(np.random.SeedSequence((self._recipe.seed, step)).generate_state(1)[0]))
        inputs = self._augmentation.varied(self._training.images, indices, size=size).to(self._device)
        labels = torch.from_numpy(self._training.labels[indices]).to(self._device)
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self._network(inputs), labels)
        value = float(loss.detach())
        if not np.isfinite(value):
            message = f"the loss is {value} at step {step + 1}; a lower learning rate may help"
            raise TrainingFailedError(message, field="optimizer.learning_rate", metadata={"step": str(step + 1)})
        loss.backward()
        self._optimizer.step()
        self._average.update(step)
        return value

    def _finish_epoch(self, state: TrainingState, *, rate: float, begin: float) -> None:
        embeddings = self._embed(self._validation.images)
        if not np.isfinite(embeddings).all():
            message = f"the network makes embeddings that are not finite after step {state.step}"
            raise TrainingFailedError(message, field="optimizer.learning_rate", metadata={"step": str(state.step)})
        figure = mean_average_precision(embeddings, self._validation.labels, patients=self._validation.patients)
        is_best = not state.epochs or figure > state.best_epoch.validation_map
        epoch = Epoch(
            number=state.step // self._batches.steps,
            loss=float(np.mean(state.losses)) if state.losses else None,
            validation_map=figure,
            learning_rate=rate,
            seconds=time.monotonic() - begin,
        )
        state.epochs.append(epoch)
        state.losses.clear()
        if is_best:
            state.best = self._weights()
        self._checkpoint.save(state, self._modules, self._optimizer)
        self._progress.finished(epoch, best=is_best)

    def _embed(self, images: ImageCache) -> Float32Array:
        network = self._average.network.eval()
        parts = []
        with torch.inference_mode():
            for start in range(0, len(images), VALIDATION_BATCH):
                batch = self._augmentation.plain(images, range(start, min(start + VALIDATION_BATCH, len(images))))
                parts.append(network(batch.to(self._device)).cpu().numpy())
        return np.concatenate(parts)

    def _weights(self) -> Tensors:
        return {name: value.detach().cpu().clone() for name, value in self._average.network.state_dict().items()}

    def _has_stopped_improving(self, state: TrainingState) -> bool:
        patience = self._recipe.patience
        return patience is not None and state.epochs[-1].number - state.best_epoch.number >= patience
