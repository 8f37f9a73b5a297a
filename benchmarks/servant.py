"""An object that lives and works in a process of its own: other libraries, or the second half of a machine."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

_processes = multiprocessing.get_context("spawn")  # no lock or thread of this process goes with it


class Servant:
    """Calls methods of the object in the other process."""

    def __init__(self, pid: int, connection: Connection) -> None:
        """Keep the process's number and the way to it."""
        self.pid = pid
        self._connection = connection

    def begin(self, method: str, *arguments: object) -> None:
        """Have a method called, without waiting for its end."""
        self._connection.send((method, arguments))

    def end(self) -> Any:  # noqa: ANN401 - whatever the method returns
        """Wait for the method that was begun and return its result.

        Raises:
            RuntimeError: If the method failed.
        """
        result, problem = self._connection.recv()
        if problem:
            raise RuntimeError(f"in another process: {problem}")
        return result

    def ask(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the method returns
        """Call a method and return its result.

        Raises:
            RuntimeError: If the method failed.
        """
        self.begin(method, *arguments)
        return self.end()


@contextmanager
def servant(make: Callable[..., object], *arguments: object) -> Iterator[Servant]:
    """Yield a servant whose object `make` makes of the arguments; its process ends with the block."""
    ours, theirs = _processes.Pipe()
    process = _processes.Process(target=_serve, args=(theirs, make, arguments))  # a daemon could have no children
    process.start()
    theirs.close()
    try:
        made = Servant(process.pid or 0, ours)
        made.end()
        yield made
    finally:
        process.terminate()
        process.join()


def _serve(connection: Connection, make: Callable[..., object], arguments: tuple[object, ...]) -> None:
    try:
        made = make(*arguments)
    except Exception as error:  # noqa: BLE001 - told to the process that asked
        connection.send((None, repr(error)))
        return
    connection.send((None, ""))
    while True:
        try:
            method, given = connection.recv()
        except EOFError:
            return
        try:
            connection.send((getattr(made, method)(*given), ""))
        except Exception as error:  # noqa: BLE001 - told to the process that asked
            connection.send((None, repr(error)))
