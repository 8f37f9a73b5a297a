"""Where each kind of blob lies.

An image is named by the digest of its content, so that one copy serves all its items. Everything of an image lies below
its digest, and everything of an archive below its id.
"""

IMAGE_KINDS = ("originals", "inputs", "occlusion")


def model_input(image: str, preprocessing: str) -> str:
    """Return the key of an image's model input: uint8 `[size, size, 3]` in NPY format."""
    return f"inputs/{image}/{preprocessing}"


def original(file: str) -> str:
    """Return the key of a file as uploaded, by the digest of its bytes."""
    return f"originals/{file}/file"


def derived_prefixes(image: str) -> tuple[str, ...]:
    """Return the prefixes below which everything computed from an image lies."""
    return f"inputs/{image}/", occlusion(image)


def occlusion(image: str) -> str:
    """Return the prefix of all cache entries of an image."""
    return f"occlusion/{image}/"


def query(digest: str) -> str:
    """Return the prefix of everything that is kept of a query."""
    return f"queries/{digest}/"


def query_input(digest: str, preprocessing: str) -> str:
    """Return the key of a query's model input: uint8 `[size, size, 3]` in NPY format."""
    return f"{query(digest)}input/{preprocessing}"


def query_embedding(digest: str, model: str) -> str:
    """Return the key of a query's embedding: float32 `[embedding_size]` in NPY format."""
    return f"{query(digest)}embedding/{model}"


def query_picture(digest: str) -> str:
    """Return the key of a query's picture for display, PNG."""
    return f"{query(digest)}picture.png"


def explanation(explanation_id: str) -> str:
    """Return the prefix of everything of an explanation."""
    return f"explanations/{explanation_id}/"


def attempt(explanation_id: str, number: int) -> str:
    """Return the prefix of one attempt at an explanation, counted from 1."""
    return f"{explanation(explanation_id)}{number:04d}/"
