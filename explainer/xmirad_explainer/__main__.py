"""Works on the explanation queue: `python -m xmirad_explainer`."""

import sys

from xmirad.errors import XmiradError
from xmirad.settings_sources import load_settings
from xmirad.supervisor.exits import report_failed_start
from xmirad_explainer.worker import run_worker


def main() -> int:
    """Work until told to stop; return the exit code, which tells a supervisor whether trying again can help."""
    try:
        run_worker(load_settings())
    except (XmiradError, OSError) as error:
        return report_failed_start(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
