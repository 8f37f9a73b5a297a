"""A tiny program for the supervisor: `fake_program.py FOLDER MODE [--child]`.

A mode that is not one of those below serves.

Writes its process id to `FOLDER/ready` when it serves. Counts its starts in `FOLDER/starts`. Ends on SIGTERM after
writing `FOLDER/drained`, unless it is stubborn.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType


def main() -> None:
    folder, mode = Path(sys.argv[1]), sys.argv[2]
    starts = folder / "starts"
    starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
    if mode == "refuse":
        print("the site key is missing")
        sys.exit(78)
    if mode == "refuse-setting":
        print("xmirad: no tokens are asked for [FIELD_INVALID, security.tokens]")
        sys.exit(78)
    if mode == "crash-silently":
        sys.exit(3)
    if mode == "crash" or (mode == "crash-once" and len(starts.read_text()) == 1):
        print("line one\nboom")
        sys.exit(3)

    def drain(_signal: int, _frame: FrameType | None) -> None:
        (folder / "drained").touch()
        sys.exit(0)

    signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "stubborn" else drain)
    if "--child" in sys.argv:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        (folder / "child").write_text(str(child.pid))
    (folder / "ready").write_text(str(os.getpid()))
    time.sleep(60)


if __name__ == "__main__":
    main()
