"""A server that takes connections and never says a word: as a black hole, but on this machine."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

CONNECTIONS = 64


@contextmanager
def silent_ports(count: int) -> Iterator[list[int]]:
    """Yield ports on which the system accepts connections that nobody reads from."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
            listener.listen(CONNECTIONS)
        yield [int(listener.getsockname()[1]) for listener in listeners]
