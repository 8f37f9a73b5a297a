"""The short memory of explanations on Redis: who waits, what happened, what was used."""

import json
import time
from collections.abc import Mapping, Sequence

from xmirad.explanations.ports import BoardEvent
from xmirad.queue.connection import PREFIX, Server, available

KEPT_SECONDS = 86_400
MOST_EVENTS = 200
# Renews a lease of one's own or takes a free one.
_LEASE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""


class RedisBoard:
    """`Board` on Redis or Valkey. Safe to use from many threads."""

    def __init__(self, server: Server) -> None:
        """Keep everything on a server."""
        self._server = server

    def subscribe(self, location: str, explanation: str) -> None:
        """Note that an explanation waits for a cache entry."""
        key = _key("subscribers", location)
        with available():
            self._server.sadd(key, explanation)
            self._server.expire(key, KEPT_SECONDS)

    def unsubscribe(self, location: str, explanation: str) -> None:
        """Take that back."""
        with available():
            self._server.srem(_key("subscribers", location), explanation)

    def subscribers(self, location: str) -> Sequence[str]:
        """Return which explanations wait for a cache entry."""
        with available():
            return sorted(self._server.smembers(_key("subscribers", location)))

    def keep_filling(self, location: str, *, seconds: float) -> None:
        """Note that an entry is to be filled for so long although no explanation waits for it."""
        with available():
            self._server.set(_key("warming", location), 1, px=int(seconds * 1_000))

    def stop_filling(self, location: str) -> None:
        """Take `keep_filling` back."""
        with available():
            self._server.delete(_key("warming", location))

    def is_wanted(self, location: str) -> bool:
        """Return whether an explanation, or warming, waits for a cache entry."""
        with available():
            return bool(
                self._server.scard(_key("subscribers", location)) or self._server.exists(_key("warming", location))
            )

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

    def touch(self, location: str, *, size_bytes: int) -> None:
        """Note that a cache entry was used just now, and how large it is."""
        with available():
            self._server.zadd(_key("used"), {location: time.time()})
            self._server.hset(_key("sizes"), location, str(size_bytes))

    def least_recently_used(self) -> Sequence[tuple[str, int]]:
        """Return location and size of the cache entries noted, longest unused first."""
        with available():
            sizes = self._server.hgetall(_key("sizes"))
            locations = self._server.zrange(_key("used"), 0, -1)
        return [(location, int(sizes.get(location, 0))) for location in locations]

    def forget(self, location: str) -> None:
        """Forget a cache entry that is gone."""
        with available():
            self._server.zrem(_key("used"), location)
            self._server.hdel(_key("sizes"), location)
            self._server.delete(_key("warming", location))

    def lease(self, name: str, holder: str, *, seconds: float) -> bool:
        """Take or renew a lease; False if someone else holds it."""
        with available():
            return bool(self._server.eval(_LEASE, 1, _key("lease", name), holder, str(int(seconds * 1_000))))

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
