"""Who calls, and what for."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from xmirad.errors import AccessDeniedError

MAX_SITE = 64


class Scope(StrEnum):
    """What a token allows. No scope includes another."""

    READ = "read"
    """Search, and read archives, items without identifiers, models and the server's description."""
    EXPLAIN = "explain"
    """Create, read, cancel and delete explanations."""
    EVALUATE = "evaluate"
    """Rankings longer than `limits.max_top_k`."""
    IDENTITY = "identity"
    """Identifiers of items (DICOM UIDs) and every picture of them."""
    EMBEDDING = "embedding"
    """Embeddings, from which images may be guessed: to read them, and to search by them."""
    ADMIN = "admin"
    """Create, fill, warm and delete archives and items; make and revoke tokens."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call.

    Attributes:
        name: The token's owner, or an empty string where no token is asked for.
        site: The only site (tenant) whose archives, items and explanations there are for the caller.
        scopes: What the caller may do.
    """

    name: str
    site: str
    scopes: frozenset[Scope]

    def require(self, scopes: Iterable[Scope]) -> None:
        """Refuse what the caller may not do.

        Raises:
            AccessDeniedError: If a scope is missing; `metadata["scope"]` names all that are needed.
        """
        needed = sorted(set(scopes))
        if not self.scopes.issuperset(needed):
            words = " ".join(needed)
            message = f"this needs a token of scope {words}"
            raise AccessDeniedError(message, metadata={"scope": words})


def is_site(name: str) -> bool:
    """Return whether a token may name a site so: a line of text of 1 to `MAX_SITE` characters."""
    return 0 < len(name) <= MAX_SITE and name.isprintable()


def owner(site: str) -> Caller:
    """Return the caller where no token is asked for: whoever the operating system lets through may do everything."""
    return Caller(name="", site=site, scopes=frozenset(Scope))
