"""Finding models by name or digest."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from xmirad.errors import InvalidRequestError, ModelCorruptError, ModelNotFoundError
from xmirad.models.artifact import ModelArtifact, read_artifact
from xmirad.models.embedder import load_embedder

DIGEST = re.compile(r"[0-9a-f]{64}")
DIGEST_PREFIX = re.compile(r"[0-9a-f]{8,64}")

logger = logging.getLogger(__name__)


class ModelRegistry:
    """The models in a folder, read anew at every call, so a model built meanwhile is found."""

    def __init__(self, models_dir: Path) -> None:
        """Keep the folder, which need not exist yet."""
        self.models_dir = models_dir

    def list(self) -> list[ModelArtifact]:
        """Return the models by name, then digest; a corrupt one is left out with a warning in the log."""
        artifacts = []
        for folder in self._folders():
            try:
                artifacts.append(read_artifact(folder))
            except ModelCorruptError as error:
                logger.warning("model.skipped", extra={"model": folder.name, "problem": error.metadata["problem"]})
        return sorted(artifacts, key=lambda artifact: (artifact.name, artifact.digest))

    def find(self, name_or_digest: str) -> ModelArtifact:
        """Return the model of a short name, a digest or the first 8 or more characters of one.

        A leading `models/` is ignored. A name goes before the beginning of a digest.

        Raises:
            ModelNotFoundError: If there is none.
            InvalidRequestError: If several models answer to it.
            ModelCorruptError: If it is asked for by its whole digest and its `model.json` is not valid.
        """
        wanted = name_or_digest.removeprefix("models/")
        if DIGEST.fullmatch(wanted) and (self.models_dir / wanted).is_dir():
            return read_artifact(self.models_dir / wanted)
        artifacts = self.list()
        found = [artifact for artifact in artifacts if artifact.name == wanted]
        if not found and DIGEST_PREFIX.fullmatch(wanted):
            found = [artifact for artifact in artifacts if artifact.digest.startswith(wanted)]
        if not found:
            known = ", ".join(artifact.name for artifact in artifacts) or "none"
            remedy = "" if artifacts else ", build one: xmirad models build efficientnet-lite0-imagenet"
            raise ModelNotFoundError(
                f"there is no model {wanted!r}; known models: {known}{remedy}",
                field="model",
                metadata={"model": wanted, "known": known},
            )
        if len(found) > 1:
            digests = ", ".join(artifact.digest[:12] for artifact in found)
            message = f"{len(found)} models answer to {wanted!r}; give the digest of one: {digests}"
            raise InvalidRequestError(message, field="model", metadata={"model": wanted, "digests": digests})
        return found[0]

    def verify(self, artifact: ModelArtifact) -> None:
        """Check every file's SHA-256 and that the model still makes its canonical embedding.

        Raises:
            ModelCorruptError: If anything differs.
        """
        load_embedder(read_artifact(artifact.path), threads=1)

    def _folders(self) -> Iterator[Path]:
        if self.models_dir.is_dir():
            yield from (path for path in self.models_dir.iterdir() if DIGEST.fullmatch(path.name) and path.is_dir())
