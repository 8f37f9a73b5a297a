"""Training from a recipe and a data set to a model artifact."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from xmirad.errors import InvalidRequestError, TrainingFailedError
from xmirad.home import exclusive
from xmirad.ids import canonical_digest
from xmirad.imaging.preprocessing import DECODING_RULES
from xmirad.imaging.sandbox import DecoderPool
from xmirad.models.artifact import ModelArtifact, file_digest
from xmirad.models.building.build import build
from xmirad.models.building.request import BuildRequest
from xmirad.models.registry import ModelRegistry
from xmirad.regular_files import MAX_IMAGE_BYTES
from xmirad.training.augmentation import Augmentation
from xmirad.training.batches import Batches
from xmirad.training.checkpoint import CheckpointFile, TrainingState, write_tensors
from xmirad.training.data import TrainingData, patients_of
from xmirad.training.images import CACHE_RULES, decode_images
from xmirad.training.losses import make_loss
from xmirad.training.masks import Masks
from xmirad.training.memory import keep_freed_memory
from xmirad.training.progress import Progress
from xmirad.training.recipe import TrainingRecipe
from xmirad.training.record import Origin, training_record
from xmirad.training.starting import Start, choose_device
from xmirad.training.trainer import LabeledImages, Trainer


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """A model to train.

    Attributes:
        recipe: What is trained, and how.
        data: What it is trained on.
        models_dir: Folder that the model's folder is made in.
        work_dir: Folder of checkpoints and decoded images.
        state_dict: Weights to start from, for a start that has none of its own.
        masks: Blanks what is outside a region, or None.
        device: Device in torch's notation, or `auto`.
        fresh: Begin anew even if there is a checkpoint.
        max_image_bytes: Largest image file that is read.
    """

    recipe: TrainingRecipe
    data: TrainingData
    models_dir: Path
    work_dir: Path
    state_dict: Path | None = None
    masks: Masks | None = None
    device: str = "auto"
    fresh: bool = False
    max_image_bytes: int = MAX_IMAGE_BYTES

    @property
    def run(self) -> str:
        """SHA-256 of all that decides the outcome but the machine; the model's name is not among it."""
        items = (*self.data.training, *self.data.validation)
        masks = [self.masks.digest(item) for item in items] if self.masks else []
        rules = [DECODING_RULES, CACHE_RULES]
        return canonical_digest([self.recipe.digest, self.data.digest, self.start_digest, masks, rules])

    @property
    def start_digest(self) -> str:
        """SHA-256 of the file of weights to start from, or an empty string."""
        return file_digest(self.state_dict) if self.state_dict else ""


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training."""

    artifact: ModelArtifact
    state: TrainingState


def train(request: TrainingRequest, decoder: DecoderPool, progress: Progress) -> Trained:
    """Train a model and build its artifact; goes on where an earlier run of the same request was stopped.

    Args:
        request: What to train.
        decoder: The sandbox for images, started.
        progress: Is told how far it is.

    Raises:
        InvalidRequestError: If weights do not fit the architecture, the name is taken, or a mask is missing.
        InvalidImageError: If images cannot be read.
        HomeInUseError: If the same training is running in another process.
        TrainingFailedError: If the loss is not finite, or nothing can be saved.
    """
    recipe = request.recipe
    start = Start(recipe, request.state_dict)
    folder = request.work_dir / request.run[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / "lock", purpose="xmirad train"), _repeatable(recipe, request.device) as device:
        checkpoint = _checkpoint(request, folder)
        trainer = _trainer(request, start, decoder=decoder, checkpoint=checkpoint, device=device, progress=progress)
        keep_freed_memory()
        state = trainer.run()
        try:
            artifact = _build(request, start, state, folder=folder, device=device)
        except OSError as error:
            message = f"the model cannot be written ({error}); the training is done and kept, run the command again"
            raise TrainingFailedError(message, metadata={"folder": str(request.models_dir)}) from error
        shutil.rmtree(folder, ignore_errors=True)
    return Trained(artifact, state)


def check_room_for_model(recipe: TrainingRecipe, models_dir: Path) -> None:
    """Refuse a name that a model already has, or a folder that cannot be written to, before hours are spent.

    Raises:
        InvalidRequestError: If the name is taken, or nothing can be written to the folder.
    """
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=models_dir):
            pass
    except OSError as error:
        message = f"no model can be written to {models_dir} ({error.strerror})"
        raise InvalidRequestError(message, field="models_dir") from error
    if any(artifact.name == recipe.name for artifact in ModelRegistry(models_dir).list()):
        message = f"a model has the name {recipe.name!r} already; choose another one with --as"
        raise InvalidRequestError(message, field="name", metadata={"name": recipe.name})


def _trainer(
    request: TrainingRequest,
    start: Start,
    *,
    decoder: DecoderPool,
    checkpoint: CheckpointFile,
    device: torch.device,
    progress: Progress,
) -> Trainer:
    recipe, data = request.recipe, request.data
    preprocessing = start.architecture.preprocessing
    torch.manual_seed(recipe.seed)
    network = start.network()
    loss = make_loss(recipe.loss, classes=len(data.classes), embedding_size=start.embedding_size)
    batches = Batches(data.labels(data.training), recipe.batch, seed=recipe.seed)
    training, validation = (
        LabeledImages(
            decode_images(
                items,
                preprocessing,
                folder=request.work_dir / "images",
                decoder=decoder,
                masks=request.masks,
                max_bytes=request.max_image_bytes,
                advance=progress.decoded,
            ),
            data.labels(items),
            patients_of(items),
        )
        for items in (data.training, data.validation)
    )
    return Trainer(
        recipe,
        network,
        loss,
        batches=batches,
        training=training,
        validation=validation,
        augmentation=Augmentation(recipe.augmentation, preprocessing),
        checkpoint=checkpoint,
        device=device,
        progress=progress,
    )


def _checkpoint(request: TrainingRequest, folder: Path) -> CheckpointFile:
    path = folder / "checkpoint.safetensors"
    if request.fresh:
        path.unlink(missing_ok=True)
    return CheckpointFile(path, run=request.run)


def _build(
    request: TrainingRequest, start: Start, state: TrainingState, *, folder: Path, device: torch.device
) -> ModelArtifact:
    """Build the artifact of the best epoch's weights."""
    files: dict[str, Path | None] = {"trunk": None, "head": None}
    for part in files:
        prefix = f"{part}."
        tensors = {name.removeprefix(prefix): value for name, value in state.best.items() if name.startswith(prefix)}
        if tensors:
            files[part] = folder / f"{part}.safetensors"
            write_tensors(folder / f"{part}.safetensors", tensors, {})
    recipe, data = request.recipe, request.data
    origin = Origin(
        start=start.description,
        start_digest=request.start_digest,
        run=request.run,
        masked=request.masks is not None,
        device=device.type,
    )
    built = BuildRequest(
        model=start.architecture_name,
        state_dict=files["trunk"],
        head=files["head"],
        save_as=recipe.name,
        training_data=f"{data.name} (digest {data.digest[:12]}), after {start.description}",
        license=recipe.license,
        fine_tuned=state.best_epoch.number > recipe.frozen_epochs,
        training=training_record(recipe, data, state, origin),
    )
    return build(built, request.models_dir)


@contextmanager
def _repeatable(recipe: TrainingRecipe, device_name: str) -> Iterator[torch.device]:
    """Use the recipe's number of threads and only algorithms that repeat; some on a GPU have no such form."""
    threads, was_strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    device = choose_device(device_name)
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
    try:
        yield device
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(was_strict)
