"""Which images are trained on and which validate, and everything that may be wrong with them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from xmirad.datasets import Dataset, DatasetItem, Layout
from xmirad.datasets.digests import image_digest_of
from xmirad.datasets.duplicates import DuplicateGroup, duplicates
from xmirad.datasets.reading import detect_layout, read_dataset
from xmirad.datasets.selection import EVERYTHING, Selection
from xmirad.errors import InvalidRequestError
from xmirad.ids import canonical_digest
from xmirad.models.definition import TrainingImages
from xmirad.training.recipe import TrainingRecipe

TEST = "test"
SHOWN = 5
MIN_VALIDATION_PATIENTS = 2
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What training sees.

    Attributes:
        name: Name of the data set and its split.
        classes: The classes, sorted; a label is a position in it.
        training: Images to train on.
        validation: Images that training is stopped by.
        digest: SHA-256 of content, label and part of every image, in their order.
        images: SHA-256 of every image.
        warnings: What was noticed and dealt with, one sentence each.
    """

    name: str
    classes: tuple[str, ...]
    training: tuple[DatasetItem, ...]
    validation: tuple[DatasetItem, ...]
    digest: str
    images: TrainingImages
    warnings: tuple[str, ...]

    def labels(self, items: Sequence[DatasetItem]) -> IndexArray:
        """Return each image's class, `[N]`."""
        return np.array([self.classes.index(item.attributes.labels[0]) for item in items], dtype=np.intp)


def patients_of(items: Sequence[DatasetItem]) -> IndexArray:
    """Return a number for each image's patient, `[N]`; images of unknown patients have one of their own."""
    keys: list[object] = [item.patient if item.patient is not None else at for at, item in enumerate(items)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], dtype=np.intp)


def read_training_data(
    path: Path, recipe: TrainingRecipe, *, layout: Layout | None = None, selection: Selection = EVERYTHING
) -> TrainingData:
    """Read what a recipe trains on and validates with, and check it.

    A folder per class has no splits: a part of it is held out, whatever the recipe says. An image to train on is left
    out if a file of the same bytes is among those to validate with or to test with, one to validate with if it is among
    those to test with; the warnings name both files. What the reader
    cannot read is named in a warning.

    Raises:
        InvalidRequestError: If an image has no label or several, is one to test with, or is in both parts; if there is
            one class only, or a class has fewer images than a batch takes or images of fewer than two patients to
            validate with; or if a patient is in two of training, validation and test.
    """
    found = layout or detect_layout(path)
    read = partial(read_dataset, path, layout=found, selection=selection)
    dataset = read(split=None if found is Layout.FOLDER else recipe.training_split)
    parts = [dataset]
    if recipe.validation.split and found is not Layout.FOLDER:
        parts.append(read(split=recipe.validation.split))
        training, validation = (part.items for part in parts)
    else:
        training, validation = hold_out(dataset, share=recipe.validation.share, seed=recipe.seed)
    warnings = list(dict.fromkeys(line for part in parts for line in (*part.warnings, *_unreadable(part))))
    _check_items((*training, *validation))
    _check_patients(training, validation, purpose="to validate with")
    tested = _test_items(read, found, warnings)
    _check_patients((*training, *validation), tested, purpose="to test with")
    validation, copies = _without_copies(validation, tested)
    warnings += [f"left out of validation, because the split {TEST} has the same bytes: {copy}" for copy in copies]
    training, copies = _without_copies(training, (*validation, *tested))
    warnings += [f"left out of training, because it is also to validate or to test with: {copy}" for copy in copies]
    classes = tuple(sorted({item.attributes.labels[0] for item in training}))
    _check_classes(classes, training, validation, images_per_class=recipe.batch.images_per_class)
    contents = [_content(training), _content(validation)]
    return TrainingData(
        name=dataset.name,
        classes=classes,
        training=training,
        validation=validation,
        digest=canonical_digest(contents),
        images=_digests(*contents),
        warnings=tuple(warnings),
    )


def hold_out(dataset: Dataset, *, share: float, seed: int) -> tuple[tuple[DatasetItem, ...], tuple[DatasetItem, ...]]:
    """Part a data set into images to train on and to validate with, class by class, never parting a patient.

    Args:
        dataset: The images.
        share: Share of each class to validate with; patients are drawn until it is reached.
        seed: Of the drawing.
    """
    groups: dict[object, list[DatasetItem]] = defaultdict(list)
    for item in dataset.items:
        groups[item.patient if item.patient is not None else item.path].append(item)
    drawn = np.random.default_rng(seed).permutation(len(groups))
    members = list(groups.values())
    counts = Counter(item.attributes.labels for item in dataset.items)
    held: Counter[tuple[str, ...]] = Counter()
    chosen: set[Path] = set()
    for number in drawn:
        labels = Counter(item.attributes.labels for item in members[number])
        if all(held[label] + count <= share * counts[label] for label, count in labels.items()):
            held += labels
            chosen.update(item.path for item in members[number])
    return (
        tuple(item for item in dataset.items if item.path not in chosen),
        tuple(item for item in dataset.items if item.path in chosen),
    )


def _check_items(items: Sequence[DatasetItem]) -> None:
    for item in items:
        if len(item.attributes.labels) != 1:
            message = f"{item.path.name} has {len(item.attributes.labels)} labels; training needs exactly one"
            raise InvalidRequestError(message, field="data")
        if item.attributes.split == TEST:
            message = f"{item.path.name} is an image of the split {TEST}, which is for evaluation alone"
            raise InvalidRequestError(message, field="training_split")
    twice = [path for path, count in Counter((item.path, item.frame) for item in items).items() if count > 1]
    if twice:
        message = f"{twice[0][0].name} is there twice, to train on or to validate with"
        raise InvalidRequestError(message, field="data", metadata={"images": str(len(twice))})


def _check_patients(some: Sequence[DatasetItem], others: Sequence[DatasetItem], *, purpose: str) -> None:
    patients = {item.patient for item in some if item.patient}
    shared = sorted({item.patient.patient_id for item in others if item.patient and item.patient in patients})
    if shared:
        named = ", ".join(shared[:SHOWN])
        message = f"{len(shared)} patients have images to train on and {purpose}: {named}"
        raise InvalidRequestError(message, field="data", metadata={"patients": str(len(shared))})


def _unreadable(dataset: Dataset) -> list[str]:
    return [f"left out of training: {each.path} {each.why}" for each in dataset.unreadable]


def _test_items(read: Callable[..., Dataset], layout: Layout, warnings: list[str]) -> tuple[DatasetItem, ...]:
    """Return what the test split's list says, opening no image; nothing if there is none."""
    if layout is Layout.FOLDER:
        return ()
    try:
        return read(split=TEST).items
    except InvalidRequestError as error:
        if error.field != "split":
            warnings.append(f"patients could not be compared with those of the split {TEST}: {error.message}")
        return ()


def _check_classes(
    classes: Sequence[str],
    training: Sequence[DatasetItem],
    validation: Sequence[DatasetItem],
    *,
    images_per_class: int,
) -> None:
    if len(classes) < 2:
        found = f"only one class, {classes[0]}" if classes else "nothing to train on"
        raise InvalidRequestError(f"there is {found}; training needs two classes", field="data")
    counts = Counter(item.attributes.labels[0] for item in training)
    validating = Counter(item.attributes.labels[0] for item in validation)
    patients = _patients_by_class(validation)
    for label in classes:
        if counts[label] < images_per_class:
            message = (
                f"the class {label} has {counts[label]} images to train on; a batch takes {images_per_class} of each"
            )
            raise InvalidRequestError(message, field="batch.images_per_class", metadata={"images": str(counts[label])})
        if patients[label] < MIN_VALIDATION_PATIENTS:
            message = (
                f"the class {label} has {validating[label]} images of {patients[label]} patients to validate with; an "
                f"image's neighbors are those of other patients, so at least {MIN_VALIDATION_PATIENTS} patients are "
                "needed: hold out more (validation.share), or give a validation split"
            )
            metadata = {"images": str(validating[label]), "patients": str(patients[label])}
            raise InvalidRequestError(message, field="validation", metadata=metadata)
    unknown = sorted(set(validating) - set(classes))
    if unknown:
        message = f"there is no image to train on of the class {unknown[0]}, which images to validate with have"
        raise InvalidRequestError(message, field="data")


def _patients_by_class(items: Sequence[DatasetItem]) -> Counter[str]:
    """Count the patients of each class; an image of an unknown patient is one of its own."""
    numbers = patients_of(items).tolist()
    return Counter(
        label for label, _ in {(item.attributes.labels[0], at) for item, at in zip(items, numbers, strict=True)}
    )


def _without_copies(
    some: Sequence[DatasetItem], others: Sequence[DatasetItem]
) -> tuple[tuple[DatasetItem, ...], list[DuplicateGroup]]:
    """Return those of some images whose bytes none of the others has, and the groups of the rest."""
    apart = {item.path for item in others}
    copies = [
        group
        for group in duplicates([*some, *others]).groups
        if 0 < sum(item.path in apart for item in group.items) < len(group.items)
    ]
    dropped = {item.path for group in copies for item in group.items} - apart
    return tuple(item for item in some if item.path not in dropped), copies


def _digests(training: Sequence[Sequence[str]], validation: Sequence[Sequence[str]]) -> TrainingImages:
    return TrainingImages(
        training=tuple(sorted({digest for digest, _ in training})),
        validation=tuple(sorted({digest for digest, _ in validation})),
    )


def _content(items: Iterable[DatasetItem]) -> list[list[str]]:
    return [[image_digest_of(item), item.attributes.labels[0]] for item in items]
