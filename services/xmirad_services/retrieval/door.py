"""The one place where calls are let in: authenticated, charged to their caller, and held to the caller's scopes.

All of it comes before anything is looked up, so that a refusal tells nothing of what is there.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import grpc

from xmirad.access.authentication import REFUSED, Authenticator
from xmirad.access.caller import Caller, owner
from xmirad.access.quotas import Quota, Quotas
from xmirad.addresses import UNIX
from xmirad.errors import UnauthenticatedError
from xmirad.settings import Settings
from xmirad_services.retrieval.scopes import scopes_of_method, scopes_of_request

TOKEN_KEY = "authorization"  # noqa: S105 - the name of a metadata entry
_caller: ContextVar[Caller] = ContextVar("caller")
_account: ContextVar[str] = ContextVar("account", default="")
_is_home_owner: ContextVar[bool] = ContextVar("is_home_owner", default=False)


def current_caller() -> Caller:
    """Return who makes the call that is being answered."""
    return _caller.get()


def is_home_owner() -> bool:
    """Return whether the call that is being answered came by the socket that only the home's owner reaches."""
    return _is_home_owner.get()


def current_account() -> str:
    """Return what a call's decoding is charged to: its caller, or its connection where callers have no names.

    Work that no call asks for has the empty name.
    """
    return _account.get()


class Door:
    """Lets calls in. Belongs to one event loop."""

    def __init__(self, tokens: Authenticator | None, quotas: Quotas, *, site: str) -> None:
        """Ask for tokens, or where there are none let everyone in as the owner of a site."""
        self._tokens = tokens
        self._quotas = quotas
        self._owner = owner(site)

    @contextmanager
    def admitted(self, method: str, context: grpc.aio.ServicerContext[Any, Any]) -> Iterator[None]:
        """Let a call in for the length of the block, in which `current_caller` is its caller.

        Args:
            method: Its full name, such as `xmirad.v1.RetrievalService/Search`.
            context: Of the call.

        Raises:
            UnauthenticatedError: If the call needs a token and has none that is accepted.
            BackendUnavailableError: If its token cannot be checked now.
            QuotaExceededError: If the caller makes too many calls.
            AccessDeniedError: If the token has not the method's scope.
        """
        caller = self._caller_of(context)
        with nullcontext() if caller is self._owner else self._quotas.charged(caller):
            caller.require(scopes_of_method(method))
            _caller.set(caller)
            _is_home_owner.set(context.peer().startswith(UNIX))
            _account.set(context.peer() if caller is self._owner else f"{caller.site}|{caller.name}")
            yield

    def check_again(self, caller: Caller, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        """Check that a call under way would still be its caller's.

        Raises:
            UnauthenticatedError: If its token is expired, revoked, or stands for something else by now.
            BackendUnavailableError: If its token can no longer be checked.
        """
        if self._caller_of(context) != caller:
            raise UnauthenticatedError(REFUSED)

    def _caller_of(self, context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
        """Find the caller; whoever reaches the socket in the home folder owns the home."""
        if self._tokens is None or context.peer().startswith(UNIX):
            return self._owner
        entries = context.invocation_metadata() or ()
        values = [value for key, value in entries if key == TOKEN_KEY and isinstance(value, str)]
        return self._tokens.caller_of(values[0] if len(values) == 1 else "")


def check_request(request: object) -> None:
    """Hold a request to the scopes of its caller.

    Raises:
        AccessDeniedError: If it asks to see more than they allow.
    """
    needed = scopes_of_request(request)
    if needed:
        current_caller().require(needed)


def door_of(settings: Settings, tokens: Authenticator | None) -> Door:
    """Return the door that the settings describe, which asks for tokens or lets everyone in."""
    security = settings.security
    quota = Quota(security.calls_per_second, security.burst_calls, security.concurrent_calls)
    return Door(tokens, Quotas(quota), site=settings.site)
