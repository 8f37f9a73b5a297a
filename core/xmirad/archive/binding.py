"""How a stored binding is compared with the one asked for."""

import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from xmirad.archive.port import DAMAGED, ArchiveBinding
from xmirad.errors import ArchiveNotReadyError, InvalidRequestError, ModelMismatchError, SiteKeyMismatchError
from xmirad.ids import ARCHIVE_ID

CREATION_ID = re.compile(r"[0-9a-f]{32}")
SHOWN_DIGEST_CHARACTERS = 12


def to_json(binding: ArchiveBinding) -> dict[str, Any]:
    """Return a binding as JSON-ready values."""
    return asdict(binding)


def from_json(creation: str, data: Mapping[str, Any]) -> ArchiveBinding:
    """Return the binding that the archive of a creation was stored with.

    Raises:
        ArchiveNotReadyError: If it is incomplete or of another creation.
    """
    if set(data) != {field.name for field in fields(ArchiveBinding)} or data["creation"] != creation:
        message = "the archive does not say what it is bound to"
        raise ArchiveNotReadyError(message, metadata={"creation": creation, "cause": DAMAGED})
    return ArchiveBinding(
        archive=str(data["archive"]),
        creation=creation,
        model_digest=str(data["model_digest"]),
        embedding_size=int(data["embedding_size"]),
        site_key_fingerprint=str(data["site_key_fingerprint"]),
    )


def check_archive_id(archive: str) -> None:
    """Refuse an id that could not be part of a path or a collection's name.

    Raises:
        InvalidRequestError: If the id is not allowed.
    """
    if not ARCHIVE_ID.fullmatch(archive):
        message = "an archive's id is 1 to 63 characters of a-z, 0-9 and -, beginning with a letter or digit"
        raise InvalidRequestError(message, field="archive")


def check_creation(creation: str) -> None:
    """Refuse a creation's id that could not be part of a path or a collection's name.

    Raises:
        InvalidRequestError: If the id is not allowed.
    """
    if not CREATION_ID.fullmatch(creation):
        raise InvalidRequestError("the id of an archive's creation is 32 hexadecimal digits", field="archive")


def check_binding(stored: ArchiveBinding, wanted: ArchiveBinding) -> None:
    """Refuse an archive of another model or site key.

    Raises:
        ModelMismatchError: If the model or its embedding size differs.
        SiteKeyMismatchError: If the site key differs.
    """
    if (stored.model_digest, stored.embedding_size) != (wanted.model_digest, wanted.embedding_size):
        metadata = {
            "archive": stored.archive,
            "archive_model": stored.model_digest[:SHOWN_DIGEST_CHARACTERS],
            "model": wanted.model_digest[:SHOWN_DIGEST_CHARACTERS],
        }
        raise ModelMismatchError("the archive was built with another model", metadata=metadata)
    if stored.site_key_fingerprint != wanted.site_key_fingerprint:
        message = "the archive was built with another site key"
        raise SiteKeyMismatchError(message, metadata={"archive": stored.archive})
