"""Which tasks wait, so that none waits twice on the same queue.

A claim lives as long as its task: it is given back when the task is done, and counts as lost only when everything that
waits or is being worked on was published long after it. So a task may wait for hours behind others, while one whose
publisher died in between is published again. Claims are lost together with the queue.
"""

import json
import time
from collections.abc import Sequence

from xmirad.errors import QueueFullError
from xmirad.explanations.ports import QueueName
from xmirad.queue.connection import PREFIX, RETRY_SECONDS, Server
from xmirad.queue.messages import PUBLISHED
from xmirad.queue.status import TAKEN

LOST_SECONDS = 60.0
"""How much older than everything in its queue a claim must be to count as lost; more than clocks may differ."""
# What is claimed is about to wait, if it does not wait yet: both are counted against the limit.
# Returns 1 and the positions of the keys that were not claimed, which are now; or 0 and how many tasks wait.
_CLAIM = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2])
local answer = {1}
for i = 4, #ARGV do
  if not redis.call('ZSCORE', KEYS[1], ARGV[i]) then answer[#answer + 1] = i - 4 end
end
local waiting = math.max(redis.call('LLEN', KEYS[2]), redis.call('ZCARD', KEYS[1]))
if #answer > 1 and waiting + #answer - 1 > tonumber(ARGV[3]) then return {0, waiting} end
for n = 2, #answer do redis.call('ZADD', KEYS[1], ARGV[1], ARGV[answer[n] + 4]) end
return answer
"""


class Claims:
    """Keeps claims beside the queues. Safe to use from many threads and processes; errors are those of redis."""

    def __init__(self, server: Server) -> None:
        """Keep them on the server that holds the queues."""
        self._server = server

    def take(self, queue: QueueName, keys: Sequence[str], *, limit: int) -> frozenset[int]:
        """Claim tasks that do not wait yet, all or none.

        Args:
            queue: Where they are to wait.
            keys: What work they are, each once.
            limit: Most tasks that may wait there.

        Returns:
            The positions of the keys that were not claimed before.

        Raises:
            QueueFullError: If there is no room for them; nothing is claimed then.
        """
        now = time.time()
        lost = min(now, self._oldest(queue, now)) - LOST_SECONDS
        names = (_key(queue), queue.value)
        is_taken, *numbers = self._server.eval(_CLAIM, len(names), *names, repr(now), repr(lost), limit, *keys)
        if is_taken:
            return frozenset(map(int, numbers))
        (waiting,) = numbers
        raise QueueFullError(
            f"{waiting} tasks wait already; {limit} are allowed",
            metadata={"waiting": str(waiting), "limit": str(limit)},
            retry_delay_seconds=RETRY_SECONDS,
        )

    def give_back(self, queue: QueueName, keys: Sequence[str]) -> None:
        """Say that tasks do not wait any more."""
        if keys:
            self._server.zrem(_key(queue), *keys)

    def _oldest(self, queue: QueueName, now: float) -> float:
        """Return when the oldest message of a queue that is not done was published."""
        with self._server.pipeline(transaction=False) as pipeline:
            pipeline.lindex(queue, -1)
            pipeline.hvals(TAKEN)
            last, taken = pipeline.execute()
        messages = [json.loads(last)] if last else []
        messages += [message for message, _, where in map(json.loads, taken) if where == queue]
        return min((float(message["headers"].get(PUBLISHED) or 0.0) for message in messages), default=now)


def _key(queue: QueueName) -> str:
    return f"{PREFIX}claims:{queue}"
