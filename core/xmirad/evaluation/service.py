"""What evaluation needs of a client; `xmirad.client.client.Client` has it."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from xmirad.client.search_types import StreamedOutcome, StreamedSearch
from xmirad.client.types import ArchiveInfo, ModelInfo, ServerInfo, Upload, UploadOutcome
from xmirad.types import OriginalsPolicy


class Service(Protocol):
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
