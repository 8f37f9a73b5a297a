"""What a decoder child may not do, tried in a child of the same kind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from xmirad.imaging.limits import DecodeLimits
from xmirad.imaging.sandbox import DecoderPool

PATIENCE_SECONDS = 20.0


def run_confined(code: str, *, memory_bytes: int = 1 << 30) -> str:
    program = f"""
        import os, resource, socket
        from xmirad.imaging.confinement import ProcessorTime, confine
        time = ProcessorTime()
        confine(memory_bytes={memory_bytes}, parent=os.getppid())
    """
    whole = textwrap.dedent(program) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, timeout=60, check=False)
    return f"{done.returncode} {done.stdout.strip()}{done.stderr.strip()[-200:]}"


def test_memory_is_bounded() -> None:
    assert "MemoryError" in run_confined("bytes(400 << 20)", memory_bytes=300 << 20)


def test_no_file_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert "File too large" in run_confined(f"open({str(path)!r}, 'wb', 0).write(b'content')")
    assert path.read_bytes() == b""


def test_there_is_no_network() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may always leave the network")
    assert run_confined("print(socket.if_nameindex())").startswith("0 [(1, 'lo')]")
    assert "Network is unreachable" in run_confined("socket.create_connection(('192.0.2.1', 80), timeout=5)")


def run_shut_in(code: str, *, before: str = "pass") -> str:
    """Return what code prints, or the end of its error, in a process that is shut in as a decoder child is."""
    whole = f"""
        import ctypes, socket, threading
        parent = os.getppid()
        from xmirad.imaging.confinement import shut_in
        {before}
        assert not shut_in(), "this kernel refuses some of it"
    """
    return run_confined(textwrap.dedent(whole) + textwrap.dedent(code)).partition(" ")[2]


@pytest.mark.parametrize(
    "code",
    [
        "open({secret!r}).read()",
        "os.listdir({folder!r})",
        "os.open({folder!r} + '/new', os.O_CREAT | os.O_WRONLY)",
        "os.unlink({secret!r})",
        "os.rename({secret!r}, {secret!r} + '2')",
        "os.symlink('/etc/passwd', {folder!r} + '/link')",
        "open('/proc/' + str(parent) + '/environ', 'rb').read()",
        "open('/etc/passwd').read()",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {{}})",
        "os.kill(parent, 0)",
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "socket.socketpair()",
        "resource.prlimit(parent, resource.RLIMIT_CPU, (1, 1))",
        "os.memfd_create('code')",
        "os.chdir('/')",
        "os.setuid(0)",
    ],
)
def test_a_child_that_is_shut_in_reaches_no_file_process_or_network(tmp_path: Path, code: str) -> None:
    secret = tmp_path / "site.key"
    secret.write_text("secret")
    answer = run_shut_in(code.format(secret=str(secret), folder=str(tmp_path)))
    assert any(word in answer for word in ("Permission denied", "Operation not permitted", "PermissionError")), answer
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site.key"]


def test_a_child_that_is_shut_in_can_neither_trace_nor_read_another_process() -> None:
    code = """
        libc = ctypes.CDLL(None, use_errno=True)
        for number, *arguments in ((101, 16, parent, 0, 0), (310, parent, 0, 0, 0, 0, 0), (272, 0)):
            print(libc.syscall(number, *arguments), ctypes.get_errno())
    """
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers are those of x86_64")
    assert run_shut_in(code) == "-1 1\n" * 2 + "-1 1"  # ptrace, process_vm_readv, unshare: EPERM


def test_a_child_that_is_shut_in_still_has_libraries_threads_and_what_was_open(tmp_path: Path) -> None:
    (tmp_path / "open").write_text("read before")
    code = """
        import decimal, json.tool, numpy.fft, PIL.WebPImagePlugin
        thread = threading.Thread(target=lambda: print("thread"))
        thread.start()
        thread.join()
        print(opened.read(), len(bytearray(100 << 20)))
    """
    answer = run_shut_in(code, before=f"opened = open({str(tmp_path / 'open')!r})")
    assert answer == f"thread\nread before {100 << 20}"


def test_processor_time_is_bounded() -> None:
    endless = "time.begin(0.1, most=0.2)\nwhile True: pass"
    assert run_confined(endless) == f"{-signal.SIGPROF} "


def test_processor_time_is_bounded_even_if_the_timer_is_disarmed() -> None:
    endless = "time.begin(0.1, most=0.0)\ntime.end()\nwhile True: pass"
    assert run_confined(endless) == f"{-signal.SIGXCPU} "


def test_processor_time_is_bounded_where_the_system_bounds_it_already() -> None:
    code = """
        resource.setrlimit(resource.RLIMIT_CPU, (100, 100))
        time.begin(0.1, most=0.2)
        time.begin(0.1, most=1000.0)
        print(resource.getrlimit(resource.RLIMIT_CPU))
    """
    assert run_confined(f"os.setuid(65534) if os.geteuid() == 0 else None\n{textwrap.dedent(code)}") == "0 (100, 100)"


def test_processor_time_may_be_extended_but_never_cut() -> None:
    code = """
        from time import process_time
        time.begin(0.05, most=10.0)
        time.grant(5.0)
        time.grant(0.01)
        end = process_time() + 0.2
        while process_time() < end: pass
        time.end()
        print(time.granted)
    """
    assert run_confined(code) == "0 5.0"


def test_no_core_is_dumped() -> None:
    assert run_confined("print(resource.getrlimit(resource.RLIMIT_CORE))") == "0 (0, 0)"


def test_a_child_of_another_parent_does_not_start() -> None:
    code = "from xmirad.imaging.confinement import confine; confine(memory_bytes=1 << 30, parent=1)"
    if os.getpid() == 1:
        pytest.skip("this process is everybody's parent")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "the parent process is gone" in done.stderr


def test_children_see_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XMIRAD_STORE__API_KEY", "planted-secret")
    pool = DecoderPool(DecodeLimits(), children=1)
    pool.start()
    try:
        pid = min(pool.process_ids())
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:
        pytest.skip("only root may read it")
    finally:
        pool.close()
    assert b"OMP_NUM_THREADS=1" in environment
    assert b"XMIRAD" not in environment


def test_children_hold_no_file_but_their_own_socket_and_memory() -> None:
    pool = DecoderPool(DecodeLimits(), children=1)
    pool.start()
    try:
        first = min(pool.process_ids())  # the other one may be starting
        links = [os.readlink(link) for link in Path(f"/proc/{first}/fd").iterdir()]
    except PermissionError:
        pytest.skip("only root may read it")
    finally:
        pool.close()
    assert {link.partition(":")[0] for link in links} == {"/dev/null", "/memfd", "socket"}


def test_children_die_with_a_killed_parent() -> None:
    code = textwrap.dedent(
        """
        import time
        from xmirad.imaging.limits import DecodeLimits
        from xmirad.imaging.sandbox import DecoderPool
        pool = DecoderPool(DecodeLimits(), children=2)
        pool.start()
        print(*pool.process_ids(), flush=True)
        time.sleep(60)
        """
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(children) >= 2
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(is_alive(pid) for pid in children):
        assert time.monotonic() < deadline, "children outlive their parent"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def test_children_end_when_their_interpreter_exits_without_closing() -> None:
    code = textwrap.dedent(
        """
        from xmirad.imaging.limits import DecodeLimits
        from xmirad.imaging.sandbox import DecoderPool
        pool = DecoderPool(DecodeLimits(), children=1)
        pool.start()
        print(*pool.process_ids())
        """
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    children = [int(text) for text in done.stdout.split()]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(is_alive(pid) for pid in children):
        assert time.monotonic() < deadline, "the child outlives its parent"
        time.sleep(0.02)


def test_an_interrupt_from_the_keyboard_does_not_reach_children() -> None:
    pool = DecoderPool(DecodeLimits(), children=1)
    pool.start()
    try:
        for pid in pool.process_ids():
            assert os.getpgid(pid) != os.getpgid(0)
    finally:
        pool.close()
