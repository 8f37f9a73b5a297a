"""The short memory of explanations on Redis: what happened, and how often."""

import json
from collections.abc import Mapping, Sequence

from xmirad.explanations.ports import BoardEvent
from xmirad.queue.connection import PREFIX, Server, available

KEPT_SECONDS = 86_400
MOST_EVENTS = 200


class RedisBoard:
    """`Board` on Redis or Valkey. Safe to use from many threads."""

    def __init__(self, server: Server) -> None:
        """Keep everything on a server."""
        self._server = server

    def announce(self, explanation: str, fields: Mapping[str, object], *, once: str = "") -> None:
        """Add a message to an explanation's stream; with `once`, only the first of that name."""
        stream = _key("events", explanation)
        with available():
            if once and not self._server.set(_key("said", f"{explanation}:{once}"), 1, nx=True, ex=KEPT_SECONDS):
                return
            self._server.xadd(stream, {"json": json.dumps(dict(fields))}, maxlen=MOST_EVENTS, approximate=False)
            self._server.expire(stream, KEPT_SECONDS)

    def events(self, explanation: str, *, after: str) -> Sequence[BoardEvent]:
        """Return the messages after a token; an empty one means from the beginning."""
        first = f"({after}" if after else "-"
        with available():
            found = self._server.xrange(_key("events", explanation), min=first)
        return [BoardEvent(token, json.loads(fields["json"])) for token, fields in found]

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter of all processes."""
        with available():
            self._server.hincrby(_key("counters"), name, amount)

    def counters(self) -> Mapping[str, int]:
        """Return all counters."""
        with available():
            counted = self._server.hgetall(_key("counters"))
        return {name: int(value) for name, value in counted.items()}


def _key(kind: str, name: str = "") -> str:
    return f"{PREFIX}{kind}:{name}" if name else f"{PREFIX}{kind}"
