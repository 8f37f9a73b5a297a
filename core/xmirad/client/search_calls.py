"""The calls of the client that search."""

from xmirad.client import requests, search_parsing
from xmirad.client.calls import Call, call
from xmirad.client.search_types import SearchResponse, StreamedSearch
from xmirad.client.types import Embedded
from xmirad.types import EncodedImage


def search(archive: str, asked: StreamedSearch) -> Call[SearchResponse]:
    """Ask for the nearest items."""
    return call(
        lambda stubs: stubs.retrieval.Search,
        requests.search_request(archive, asked),
        lambda answer: search_parsing.search_response(answer, archive=archive),
    )


def embed_image(image: EncodedImage, *, model: str) -> Call[Embedded]:
    """Ask for the embedding of an image."""
    request = requests.embed_image_request(image, model=model)
    return call(lambda stubs: stubs.retrieval.EmbedImage, request, search_parsing.embedded)
