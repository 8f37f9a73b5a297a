"""The `xmirad` command as its own process."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.models import models_dir

COMMAND_SECONDS = 110.0


def arguments(home: Path, *words: str) -> list[str]:
    """Return the command line of `xmirad`."""
    return [str(Path(sys.executable).parent / "xmirad"), "--home", str(home), *words]


def environment(**settings: str) -> dict[str, str]:
    """Return an environment that knows the built models and nothing else of X-MIRAD."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("XMIRAD_")}
    return {**clean, "XMIRAD_MODELS_DIR": str(models_dir()), "OMP_NUM_THREADS": "1", **settings}


def run_json(
    home: Path, *words: str, expected_code: int = 0, settings: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a command with `--json` and return what it printed; `settings` are environment variables."""
    done = subprocess.run(
        [*arguments(home, *words), "--json"],
        env=environment(**(settings or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == expected_code, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed
