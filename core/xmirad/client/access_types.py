"""The values that the SDK returns of tokens."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; the token itself is kept nowhere.

    Attributes:
        name: Whose it is.
        scopes: What it allows; empty for one whose record is damaged.
        site: The only site whose data it opens.
        create_time: When it was made, in UTC; None for one whose record is damaged.
        expire_time: From when it is not accepted any more, in UTC; None for never.
    """

    name: str
    scopes: frozenset[str]
    site: str
    create_time: datetime | None
    expire_time: datetime | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was made just now.

    Attributes:
        token: What is known of it.
        secret: What callers show. It is told once; empty if the first answer was lost and the call repeated, which
            leaves a token that nobody holds: revoke it and make another.
    """

    token: Token
    secret: str
