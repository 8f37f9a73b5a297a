"""A worker's signs of life: files in its home that it writes anew every two seconds while it can do its work."""

import json
import os
import time
from pathlib import Path

from xmirad.errors import BackendUnavailableError
from xmirad.home import PRIVATE_FILE

STALE_SECONDS = 15.0


def beat(file: Path) -> None:
    """Give a sign of life of this process; several may do so in one file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps({"pid": os.getpid()}), "utf-8")
    temporary.chmod(PRIVATE_FILE)
    temporary.replace(file)


def check_heartbeat(file: Path, *, worker: str) -> int:
    """Return the process id of a worker that lives.

    Raises:
        BackendUnavailableError: If it gave no sign of life lately, or its process is gone.
    """
    metadata = {"backend": worker}
    try:
        age = time.time() - file.stat().st_mtime
        pid = int(json.loads(file.read_text("utf-8"))["pid"])
        os.kill(pid, 0)
    except FileNotFoundError:
        message = f"the {worker} of this home has given no sign of life: it starts, ends or has no connection"
        raise BackendUnavailableError(message, metadata=metadata) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackendUnavailableError(f"the {worker} of this home is gone", metadata=metadata) from error
    if age > STALE_SECONDS:
        message = f"the {worker} has given no sign of life for {age:.0f} s: it hangs, or the queue does not answer"
        raise BackendUnavailableError(message, metadata=metadata)
    return pid
