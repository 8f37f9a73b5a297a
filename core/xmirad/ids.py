"""Identity: digests of content, keyed hashes of people, and names of resources.

The rules are those of `docs/architecture/identity.md`. An item's id never depends on when or how often it was uploaded,
which is what makes indexing idempotent.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from xmirad.errors import InvalidRequestError
from xmirad.types import Patient

ITEM_NAMESPACE = UUID("6a1f0f3e-64a5-5d0c-9d0d-0b6f5a3c2f11")
ARCHIVE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
IMPORT_NUMBER = re.compile(r"[0-9]{6}")
TOKEN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}")
EXPLANATION_ID = re.compile(r"[0-9a-f]{64}")
KEY_BYTES = 16
PLACEHOLDER_IDS = frozenset(
    {
        *("anon", "anonymous", "anonymized", "anonymised", "deidentified", "pseudonymized"),  # codespell:ignore
        *("unknown", "unk", "none", "null", "nil", "nan", "na", "notavailable", "notapplicable", "notset", "undefined"),
        *("missing", "removed", "deleted", "redacted", "noid", "nopatientid", "id", "dummy"),
        *("test", "testpatient", "patient", "patientid", "subject", "xxx", "xxxx", "xxxxx"),
    }
)
"""What software and people write where a Patient ID was taken away: lower case, letters and digits only."""


def image_digest(data: bytes, frame: int | None = None) -> str:
    """Return the SHA-256 of an encoded image in hexadecimal; of file and frame number when a frame is chosen."""
    return frame_digest(hashlib.sha256(data).hexdigest(), frame)


def frame_digest(file_digest: str, frame: int | None) -> str:
    """Return the digest of a frame from that of its file, both in hexadecimal; the file's own where none is chosen."""
    if frame is None:
        return file_digest
    return hashlib.sha256(f"{file_digest}#{frame}".encode()).hexdigest()


def canonical_digest(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the SHA-256 of a JSON value's canonical text (sorted keys, no spaces) in hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def item_id(archive: str, key: str) -> str:
    """Return an item's UUID from its archive's id and its key, as canonical text."""
    return str(uuid5(ITEM_NAMESPACE, f"{archive}\n{key}"))


@dataclass(frozen=True, slots=True)
class SiteKey:
    """The site's secret: 32 random bytes under which identifiers are hashed."""

    secret: bytes

    @property
    def fingerprint(self) -> str:
        """Identify the key without revealing it: 16 hexadecimal characters."""
        return self._hash("fingerprint")[:16]

    def dicom_key(self, sop_instance_uid: str, frame: int) -> str:
        """Return the key of one frame of a DICOM instance."""
        return "dicom:" + self._hash("instance", sop_instance_uid, str(frame))

    def patient_key(self, patient: Patient) -> str:
        """Return the key of a patient: the same for equal issuer and Patient ID, irreversible without the secret."""
        return self._hash("patient", patient.issuer.strip(), patient.patient_id.strip())

    def study_key(self, study_instance_uid: str) -> str:
        """Return the patient key of a study whose patient is not named."""
        return self._hash("study", study_instance_uid)

    def item_key(self, item: str) -> str:
        """Return the patient key of an item whose patient and study are not named."""
        return self._hash("item", item)

    def _hash(self, *parts: str) -> str:
        message = json.dumps(parts, ensure_ascii=False).encode()
        return hmac.new(self.secret, message, hashlib.sha256).digest()[:KEY_BYTES].hex()


def is_placeholder(patient_id: str) -> bool:
    """Return whether a Patient ID is a placeholder, so that equal ones do not mean the same patient.

    Placeholders are the words of `PLACEHOLDER_IDS` in any case, with any marks between the letters (`N/A`,
    `De-Identified`, `<unknown>`), and whatever has no letter and no digit but zeros (`0`, `00000`, `-`, an empty text).
    """
    word = "".join(character for character in patient_id.lower() if character.isalnum())
    return not word.strip("0") or word in PLACEHOLDER_IDS


def archive_name(archive: str) -> str:
    """Return the resource name of an archive."""
    return f"archives/{archive}"


def item_name(archive: str, item: str) -> str:
    """Return the resource name of an item."""
    return f"archives/{archive}/items/{item}"


def parse_archive_name(name: str, *, field: str) -> str:
    """Return the archive's id.

    Raises:
        InvalidRequestError: If the name is not of the form `archives/{archive}`.
    """
    prefix, _, archive = name.partition("/")
    if prefix != "archives" or not ARCHIVE_ID.fullmatch(archive):
        message = (
            f"{field} must be `archives/` and 1 to 63 characters of a-z, 0-9 and -, beginning with a letter or digit"
        )
        raise InvalidRequestError(message, field=field)
    return archive


def parse_item_name(name: str, *, field: str) -> tuple[str, str]:
    """Return the ids of archive and item.

    Raises:
        InvalidRequestError: If the name is not of the form `archives/{archive}/items/{uuid}`.
    """
    archive, _, item = name.rpartition("/items/")
    try:
        canonical = str(UUID(item))
    except ValueError:
        canonical = ""
    if canonical != item:
        raise InvalidRequestError(f"{field} must be `archives/{{archive}}/items/{{uuid}}`", field=field)
    return parse_archive_name(archive, field=field), item


def explanation_name(explanation: str) -> str:
    """Return the resource name of an explanation."""
    return f"explanations/{explanation}"


def parse_explanation_name(name: str, *, field: str) -> str:
    """Return the explanation's id.

    Raises:
        InvalidRequestError: If the name is not of the form `explanations/{id}`.
    """
    prefix, _, explanation = name.partition("/")
    if prefix != "explanations" or not EXPLANATION_ID.fullmatch(explanation):
        message = f"{field} must be `explanations/` and 64 of the characters 0-9 and a-f"
        raise InvalidRequestError(message, field=field)
    return explanation


def import_name(archive: str, number: int) -> str:
    """Return the resource name of an import: the archive's id and which import into it, from 1."""
    return f"imports/{archive}-{number:06d}"


def parse_import_name(name: str, *, field: str) -> tuple[str, int]:
    """Return the archive's id and which import into it.

    Raises:
        InvalidRequestError: If the name is not of the form `imports/{archive}-{number}`.
    """
    prefix, _, rest = name.partition("/")
    archive, _, number = rest.rpartition("-")
    if prefix != "imports" or not ARCHIVE_ID.fullmatch(archive) or not IMPORT_NUMBER.fullmatch(number):
        message = f"{field} must be `imports/` with an archive's id, a hyphen and six digits"
        raise InvalidRequestError(message, field=field)
    return archive, int(number)


def token_name(token: str) -> str:
    """Return the resource name of a token."""
    return f"tokens/{token}"


def parse_token_name(name: str, *, field: str) -> str:
    """Return the token's id, which is its owner's name.

    Raises:
        InvalidRequestError: If the name is not of the form `tokens/{token}`.
    """
    prefix, _, token = name.partition("/")
    if prefix != "tokens" or not TOKEN_ID.fullmatch(token):
        message = f"{field} must be `tokens/` and 1 to 128 letters, digits and `._@-`, a letter or digit first"
        raise InvalidRequestError(message, field=field)
    return token


def upload_key(*, external_id: str, digest: str) -> str:
    """Return the key of an image that is no DICOM instance: its external id, else the digest of its content."""
    return f"external:{external_id}" if external_id else f"content:{digest}"
