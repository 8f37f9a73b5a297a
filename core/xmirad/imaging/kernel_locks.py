"""What the kernel keeps a decoder child from, whatever code an image makes it run.

Landlock (landlock(7)) leaves it the libraries that decoders load, to read, and nothing else of the file system, no TCP,
and no signals to others. seccomp (seccomp(2)) leaves it the system calls below. Both work for every user and inside
containers, where `unshare` is refused, and cannot be taken off. They are made by ctypes: no package for them is kept.
"""

import ctypes
import errno
import os
import platform
import struct
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")

# landlock(7); the system calls have these numbers everywhere.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_BENEATH_PATH = 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_FILE_RIGHTS_OF_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NETWORK_ABI, _SCOPES_ABI = 4, 6
_TCP_RIGHTS = 0b11
_SCOPES = 0b11  # abstract Unix sockets, signals

# seccomp(2) and linux/filter.h
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X32 = 0x40000000
_CLONE_THREAD = 0x00010000
_LOOKED_INTO = ("clone", "clone3", "prlimit64", "tgkill")
"""Calls that are allowed by their arguments."""


class Lock(StrEnum):
    """Something that the kernel may refuse to take from a process."""

    FILES = "Landlock"
    CALLS = "seccomp"
    NETWORK = "network namespace"


@dataclass(frozen=True, slots=True)
class _Architecture:
    audit: int
    numbers: dict[str, int]


def _numbers(text: str) -> dict[str, int]:
    pairs = (word.split("=") for word in text.split())
    return {name: int(number) for name, number in pairs}


_ARCHITECTURES = {
    "x86_64": _Architecture(
        0xC000003E,
        _numbers(
            "read=0 write=1 open=2 close=3 stat=4 fstat=5 lstat=6 poll=7 lseek=8 mmap=9 mprotect=10 munmap=11 brk=12 "
            "rt_sigaction=13 rt_sigprocmask=14 rt_sigreturn=15 pread64=17 readv=19 writev=20 access=21 select=23 "
            "sched_yield=24 mremap=25 madvise=28 dup=32 dup2=33 nanosleep=35 getitimer=36 setitimer=38 getpid=39 "
            "sendto=44 recvfrom=45 sendmsg=46 recvmsg=47 clone=56 exit=60 uname=63 fcntl=72 getcwd=79 readlink=89 "
            "gettimeofday=96 getrlimit=97 getrusage=98 sysinfo=99 times=100 getuid=102 getgid=104 geteuid=107 "
            "getegid=108 sigaltstack=131 gettid=186 futex=202 sched_getaffinity=204 getdents64=217 restart_syscall=219 "
            "clock_gettime=228 clock_getres=229 clock_nanosleep=230 exit_group=231 tgkill=234 openat=257 "
            "newfstatat=262 readlinkat=267 faccessat=269 pselect6=270 ppoll=271 set_robust_list=273 prlimit64=302 "
            "getrandom=318 statx=332 rseq=334 clone3=435 faccessat2=439"
        ),
    ),
    "aarch64": _Architecture(
        0xC00000B7,
        _numbers(
            "getcwd=17 dup=23 fcntl=25 faccessat=48 openat=56 close=57 getdents64=61 lseek=62 read=63 write=64 "
            "readv=65 writev=66 pread64=67 pselect6=72 ppoll=73 readlinkat=78 newfstatat=79 fstat=80 exit=93 "
            "exit_group=94 futex=98 set_robust_list=99 nanosleep=101 getitimer=102 setitimer=103 clock_gettime=113 "
            "clock_getres=114 clock_nanosleep=115 sched_getaffinity=123 sched_yield=124 restart_syscall=128 "
            "tgkill=131 sigaltstack=132 rt_sigaction=134 rt_sigprocmask=135 rt_sigreturn=139 times=153 uname=160 "
            "getrusage=165 gettimeofday=169 getpid=172 getuid=174 geteuid=175 getgid=176 getegid=177 gettid=178 "
            "sysinfo=179 sendto=206 recvfrom=207 sendmsg=211 recvmsg=212 brk=214 munmap=215 mremap=216 clone=220 "
            "mmap=222 mprotect=226 madvise=233 prlimit64=261 getrandom=278 statx=291 rseq=293 clone3=435 faccessat2=439"
        ),
    ),
}


def close_files(libc: ctypes.CDLL) -> bool:
    """Leave this process of the file system only the libraries, to read; return False if the kernel has no Landlock.

    `PR_SET_NO_NEW_PRIVS` must be set.
    """
    abi = libc.syscall(_CREATE_RULESET, None, 0, _VERSION)
    if abi < 1:
        return False
    handled = (1 << _FILE_RIGHTS_OF_ABI.get(abi, 16)) - 1
    attributes = struct.pack("Q", handled)
    if abi >= _NETWORK_ABI:
        attributes += struct.pack("Q", _TCP_RIGHTS)
    if abi >= _SCOPES_ABI:
        attributes += struct.pack("Q", _SCOPES)
    rules = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return False
    try:
        for folder in sorted({*_LIBRARIES, *sysconfig.get_paths().values(), str(_PACKAGE)}):
            _allow_reading(libc, rules, folder)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow_reading(libc: ctypes.CDLL, rules: int, folder: str) -> None:
    try:
        descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # it is not there on this system
        return
    rule = struct.pack("=Qi", _READ_FILE | _READ_FOLDER, descriptor)
    libc.syscall(_ADD_RULE, rules, _BENEATH_PATH, rule, 0)
    os.close(descriptor)


def close_calls(libc: ctypes.CDLL) -> bool:
    """Leave this process the system calls that decoding takes; return False if the kernel, or its kind, has no filters.

    What is refused fails with EPERM. Threads can be started, processes not. `PR_SET_NO_NEW_PRIVS` must be set.
    """
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return False
    program = b"".join(_program(architecture, pid=os.getpid()))
    filters = ctypes.create_string_buffer(program, len(program))
    length = len(program) // 8
    descriptor = struct.pack("HxxxxxxP", length, ctypes.addressof(filters))
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, descriptor, 0, 0) == 0)


def _program(architecture: _Architecture, *, pid: int) -> Iterator[bytes]:
    numbers, refuse = architecture.numbers, _REFUSE | errno.EPERM
    yield _step(_LOAD, _ARCHITECTURE)
    yield _step(_EQUAL, architecture.audit, then=1)
    yield _step(_RETURN, _KILL)
    yield _step(_LOAD, _NUMBER)
    yield _step(_AT_LEAST, _X32, otherwise=1)  # other numbers for the same calls
    yield _step(_RETURN, refuse)
    for name, number in numbers.items():
        if name not in _LOOKED_INTO:
            yield _step(_EQUAL, number, otherwise=1)
            yield _step(_RETURN, _ALLOW)
    # What clone3 is asked for lies in memory, where no filter sees it; without it clone is called.
    yield _step(_EQUAL, numbers["clone3"], otherwise=1)
    yield _step(_RETURN, _REFUSE | errno.ENOSYS)
    yield from _if_argument(numbers["clone"], _ANY_BIT, _CLONE_THREAD)
    yield from _if_argument(numbers["prlimit64"], _EQUAL, 0)  # of this process only
    yield from _if_argument(numbers["tgkill"], _EQUAL, pid)
    yield _step(_RETURN, refuse)


def _if_argument(number: int, test: int, value: int) -> Iterator[bytes]:
    """Allow a call whose first argument passes a test, else refuse it."""
    yield _step(_EQUAL, number, otherwise=4)
    yield _step(_LOAD, _FIRST_ARGUMENT)
    yield _step(test, value, otherwise=1)
    yield _step(_RETURN, _ALLOW)
    yield _step(_RETURN, _REFUSE | errno.EPERM)


def _step(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """Return an instruction of the filter, with how many to skip after a test that holds, or does not."""
    return struct.pack("HBBI", code, then, otherwise, value)
