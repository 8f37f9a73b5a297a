"""What evaluation needs of a client; `xmirad.client.client.Client` has it."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from xmirad.api.vocabulary import ExplanationPriority
from xmirad.client.explanation_types import Explanation, ExplanationUpdate, Method
from xmirad.client.search_types import StreamedOutcome, StreamedSearch
from xmirad.client.types import ArchiveInfo, ModelInfo, ServerInfo, Upload, UploadOutcome
from xmirad.errors import ModelNotFoundError
from xmirad.types import OriginalsPolicy


class ExplainingService(Protocol):
    """The part of a running service that explains."""

    def create_explanation(
        self, source: str, item: str, *, method: Method, published_fidelity: bool, priority: ExplanationPriority
    ) -> Explanation:
        """Ask for a map on the item that was found for another one, and return what is there of it."""

    def watch_explanation(self, name: str) -> Iterator[ExplanationUpdate]:
        """Yield an explanation after every change, until nothing more is to be expected soon."""

    def explanation(self, name: str) -> Explanation:
        """Return an explanation as it is now."""


class Service(ExplainingService, Protocol):
    """A running service, seen through the SDK."""

    def server_info(self) -> ServerInfo:
        """Return version, limits and abilities of the service."""

    def list_models(self) -> list[ModelInfo]:
        """Return the models."""

    def get_model(self, name: str) -> ModelInfo:
        """Return a model."""

    def create_archive(self, archive: str, *, model: str, originals: OriginalsPolicy) -> ArchiveInfo:
        """Create an archive, or return the one that is there."""

    def get_archive(self, archive: str) -> ArchiveInfo:
        """Return an archive."""

    def delete_archive(self, archive: str, *, force: bool) -> None:
        """Delete an archive."""

    def upload(self, archive: str, uploads: Iterable[Upload], *, in_flight: int) -> Iterator[UploadOutcome]:
        """Store images and yield what became of each."""

    def stream_search(
        self, archive: str, searches: Iterable[StreamedSearch], *, in_flight: int
    ) -> Iterator[StreamedOutcome]:
        """Answer searches and yield what became of each."""


def chosen_model(service: Service, name: str) -> ModelInfo:
    """Return a service's model of that name or digest, or its default where none is named.

    Raises:
        ModelNotFoundError: If it has no such model, or no default.
    """
    if name:
        return service.get_model(name)
    for model in service.list_models():
        if model.is_default:
            return service.get_model(model.digest)  # a list leaves out what it was trained on
    raise ModelNotFoundError("the service has no default model; name one", field="model")
