"""Works on the queue of imports: `python -m xmirad_indexer`."""

import sys

from xmirad.errors import BackendUnavailableError, XmiradError
from xmirad.settings_sources import load_settings
from xmirad.supervisor.process import EXIT_NOT_RESTARTABLE
from xmirad_indexer.worker import run_worker


def main() -> int:
    """Work until told to stop; return the exit code, which tells a supervisor whether trying again can help."""
    try:
        run_worker(load_settings())
    except XmiradError as error:
        sys.stderr.write(f"xmirad: {error.message} [{error.reason}]\n")
        return 1 if isinstance(error, BackendUnavailableError) else EXIT_NOT_RESTARTABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
