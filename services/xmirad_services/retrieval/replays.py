"""Carries out a request that has an id once, and answers its replays with what it came to."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial, wraps
from typing import Any, Protocol, TypeVar

import structlog
from google.protobuf.message import Message

from xmirad.catalog import requests
from xmirad.catalog.database import Database
from xmirad.catalog.requests import RequestKey, RequestState
from xmirad.errors import BackendUnavailableError, InternalError, InvalidRequestError, NotFoundError, XmiradError
from xmirad.lanes import Lane, Priority
from xmirad_services.retrieval.door import current_caller
from xmirad_services.retrieval.interceptors import Context, as_domain_error

MAX_ID = 64
EXPIRY_SECONDS = 3_600.0
UNCERTAIN = (BackendUnavailableError, InternalError)
"""Errors after which part of the effect may be there."""
Response = TypeVar("Response", bound=Message)
_log = structlog.get_logger(__name__)


class Replays:
    """The requests of all callers, by their ids. Belongs to one event loop."""

    def __init__(self, database: Database, lane: Lane) -> None:
        """Keep them in the catalog's database."""
        self._database = database
        self._lane = lane

    async def once(
        self,
        request: Any,  # noqa: ANN401 - a message of any method that has a `request_id`
        effect: Callable[[], Awaitable[Response]],
        response: Callable[[], Response],
        *,
        deletes: bool = False,
    ) -> Response:
        """Carry a request out, or return what it came to when it was sent before.

        Args:
            request: The request. Without an id it is carried out whenever it is sent.
            effect: Carries it out. It may be repeated if the process ends before the answer is stored.
            response: Makes an empty response.
            deletes: Whether it deletes one thing: if that is not there any more when it is repeated, it did so before.

        Raises:
            InvalidRequestError: If the id is too long, or was sent with another request.
        """
        if not request.request_id:
            return await effect()
        found = await self._begun(request, deletes=deletes)
        if found.is_done and found.result is not None:
            answer = response()
            answer.ParseFromString(found.result)
            return answer
        with requests.under_way(found):
            answer = await self._carried_out(found, effect, response)
        result = answer.SerializeToString()
        await self._lane.run(Priority.INTERACTIVE, self._write, requests.complete, found.key, result)
        return answer

    async def keep_up(self) -> None:
        """Delete what is too old to be repeated, until cancelled."""
        while True:
            try:
                while await self._lane.run(Priority.BACKGROUND, self._database.write, requests.delete_expired):
                    pass
            except Exception as error:  # noqa: BLE001 - the next round goes on
                _log.warning("requests.not_expired", reason=as_domain_error(error).reason)
            await asyncio.sleep(EXPIRY_SECONDS)

    async def _begun(self, request: Any, *, deletes: bool) -> RequestState:  # noqa: ANN401
        chosen, caller = request.request_id, current_caller()
        if len(chosen) > MAX_ID or not chosen.isprintable():
            message = f"request_id must have at most {MAX_ID} printable characters, such as a UUID"
            raise InvalidRequestError(message, field="request_id", metadata={"max_length": str(MAX_ID)})
        key = RequestKey(caller.site, caller.name, request.DESCRIPTOR.name, chosen)

        def begin() -> tuple[str, RequestState]:
            digest = hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()
            return digest, self._write(partial(requests.begin, key=key, digest=digest, deletes=deletes))

        digest, found = await self._lane.run(Priority.INTERACTIVE, begin)
        if found.digest != digest:
            raise InvalidRequestError("request_id was sent with another request before", field="request_id")
        return found

    async def _carried_out(
        self,
        found: RequestState,
        effect: Callable[[], Awaitable[Response]],
        response: Callable[[], Response],
    ) -> Response:
        try:
            return await effect()
        except NotFoundError:
            if found.deletes and found.is_repeated:
                return response()
            await self._forget(found)
            raise
        except UNCERTAIN:
            raise
        except XmiradError:
            await self._forget(found)
            raise

    async def _forget(self, found: RequestState) -> None:
        if not found.is_repeated:
            await self._lane.run(Priority.INTERACTIVE, self._write, requests.forget, found.key)

    def _write(self, statement: Callable[..., Any], *values: Any) -> Any:  # noqa: ANN401 - what the statement takes
        return self._database.write(lambda connection: statement(connection, *values))


class HasReplays(Protocol):
    """A servicer that knows the requests that were sent before."""

    _replays: Replays


Method = Callable[[Any, Any, Context], Coroutine[Any, Any, Response]]


def replayable(response: type[Response], *, deletes: bool = False) -> Callable[[Method[Response]], Method[Response]]:
    """Have a method answer replays of a request with the response that it was answered with."""

    def wrapped(method: Method[Response]) -> Method[Response]:
        @wraps(method)
        async def call(self: HasReplays, request: Any, context: Context) -> Response:  # noqa: ANN401
            return await self._replays.once(request, lambda: method(self, request, context), response, deletes=deletes)

        return call

    return wrapped
