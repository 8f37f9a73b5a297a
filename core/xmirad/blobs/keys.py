"""Where each kind of blob lies.

An image is named by the digest of its content, so that one copy serves all its items. Folders are cut by the first two
digits of what lies in them, so that none of them gets a million entries.
"""

INPUTS, ORIGINALS, OCCLUSION, QUERIES, EXPLANATIONS = "inputs", "originals", "occlusion", "queries", "explanations"


def model_input(image: str, preprocessing: str, generation: str) -> str:
    """Return the key of an image's model input: uint8 `[size, size, 3]` in NPY format."""
    return f"{INPUTS}/{image[:2]}/{image}.{preprocessing}.{generation}"


def original(file: str, generation: str) -> str:
    """Return the key of a file as uploaded, by the digest of its bytes."""
    return f"{ORIGINALS}/{file[:2]}/{file}.{generation}"


def occlusion(image: str) -> str:
    """Return the prefix of all cache entries of an image."""
    return f"{OCCLUSION}/{image[:2]}/{image}/"


def query(digest: str) -> str:
    """Return the prefix of everything that is kept of a query."""
    return f"{QUERIES}/{digest[:2]}/{digest}/"


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
    return f"{EXPLANATIONS}/{explanation_id[:2]}/{explanation_id}/"


def attempt(explanation_id: str, number: int) -> str:
    """Return the prefix of one attempt at an explanation, counted from 1."""
    return f"{explanation(explanation_id)}{number:04d}/"


def name_of(key: str) -> str:
    """Return the digest or id below whose prefix a blob of a query or an explanation lies; empty if it is none."""
    return "".join(key.split("/")[2:3])


def prefix_of(key: str) -> str:
    """Return the prefix of the cache entry that a blob belongs to."""
    return "/".join([*key.split("/")[:4], ""])
