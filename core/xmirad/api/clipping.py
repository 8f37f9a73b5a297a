"""Cutting texts to what fits into an error."""

TEXT_BYTES = 600
METADATA_BYTES = 2000
ELLIPSIS = "…"


def clip(text: str, limit: int) -> str:
    """Return the text, cut with an ellipsis where it is longer than `limit` bytes in UTF-8.

    What UTF-8 cannot hold (the undecodable bytes of a file name) becomes a question mark.
    """
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode()
    return data[: max(0, limit - len(ELLIPSIS.encode()))].decode("utf-8", "ignore") + ELLIPSIS
