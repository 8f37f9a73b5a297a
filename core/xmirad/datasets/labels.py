"""What a label may be; the limits are those of the contract's `ItemAttributes.labels`."""

from collections import Counter
from collections.abc import Iterable

from xmirad.datasets.dataset import DatasetItem
from xmirad.errors import InvalidRequestError

MAX_LABELS = 32
MAX_LABEL_CHARACTERS = 64
SEPARATORS = "|,;"


def check_label(label: str, *, where: str) -> str:
    """Return a label that the service accepts.

    Raises:
        InvalidRequestError: If it is empty, longer than 64 characters, or has characters that cannot be printed.
    """
    if not label or len(label) > MAX_LABEL_CHARACTERS or not label.isprintable():
        raise InvalidRequestError(
            f"{where}: the label {label!r} must have 1 to {MAX_LABEL_CHARACTERS} printable characters",
            field="labels",
            metadata={"value": label, "max_characters": str(MAX_LABEL_CHARACTERS)},
        )
    return label


def separator_warnings(items: Iterable[DatasetItem]) -> list[str]:
    """Return a sentence for each character within labels that other data sets separate labels with."""
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for item in items:
        for label in item.attributes.labels:
            for separator in SEPARATORS:
                if separator in label:
                    counts[separator] += 1
                    examples.setdefault(separator, label)
    return [
        f"labels with a {separator!r} in them: {count}, such as {examples[separator]!r}; each counts as one label. "
        "If they are several, separate them by ';' in the column `labels` of a manifest"
        for separator, count in counts.items()
    ]
