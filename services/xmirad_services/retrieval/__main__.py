"""Runs the retrieval service in the foreground: `python -m xmirad_services.retrieval`."""

import sys

from xmirad.errors import XmiradError
from xmirad.settings_sources import load_settings
from xmirad_services.retrieval.app import serve


def main() -> int:
    """Serve until told to stop; return the exit code."""
    try:
        serve(load_settings())
    except XmiradError as error:
        sys.stderr.write(f"xmirad: {error.message} [{error.reason}]\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
