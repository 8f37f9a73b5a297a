"""What a label may be; the limits are those of the contract's `ItemAttributes.labels`."""

from xmirad.errors import InvalidRequestError

MAX_LABELS = 32
MAX_LABEL_CHARACTERS = 64


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
