"""Measures time on the wall and on the processor."""

import os
import time
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

import numpy as np
import psutil

T = TypeVar("T")
P = ParamSpec("P")
MILLISECONDS = 1_000.0


def seconds_of(call: Callable[P, object], *arguments: P.args, **named: P.kwargs) -> float:
    """Return the seconds that a call takes."""
    began = time.perf_counter()
    call(*arguments, **named)
    return time.perf_counter() - began


def milliseconds_each(call: Callable[[T], object], arguments: Iterable[T]) -> list[float]:
    """Return the milliseconds that a call takes with each of some arguments."""
    return [MILLISECONDS * seconds_of(call, argument) for argument in arguments]


def cpu_seconds(call: Callable[[T], object], arguments: Iterable[T]) -> float:
    """Return the processor seconds, of all threads of this process, that a call takes on average."""
    waiting = list(arguments)
    call(waiting[0])
    began = time.process_time()
    for argument in waiting:
        call(argument)
    return (time.process_time() - began) / len(waiting)


def cpu_seconds_of_processes(pid: int) -> float:
    """Return the processor seconds that a process and its children have used."""
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


class Company:
    """Tells how much of the machine other processes used since it was made."""

    def __init__(self) -> None:
        """Begin now."""
        self._began = _machine_and_own_seconds()

    def share(self) -> float:
        """Return the share of all cores' time that others used, 0 to 1; exact once our own children have ended."""
        everything, busy, own = (now - then for now, then in zip(_machine_and_own_seconds(), self._began, strict=True))
        return max(0.0, busy - own) / everything if everything else 0.0  # all shorter than a tick of the clock


def _machine_and_own_seconds() -> tuple[float, float, float]:
    machine, own = psutil.cpu_times(), os.times()
    everything = sum(machine) - machine.guest - machine.guest_nice  # counted as user time already
    return everything, everything - machine.idle - machine.iowait, sum(own[:4])


def resident_bytes(pid: int) -> int:
    """Return a process's resident memory without files (`RssAnon`): those of the vector store do not count."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("RssAnon:"))
    return 1024 * int(line.split()[1])


def percentile(values: Iterable[float], percent: float) -> float:
    """Return a percentile."""
    return float(np.percentile(list(values), percent))
