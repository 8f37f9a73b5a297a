"""Makes the graph or codes of an archive in a child: `python -m xmirad_services.retrieval.optimizing_child CREATION`.

The child has the settings of the service that starts it, and ends with it. It takes the processor only when nobody else
wants it.
"""

import asyncio
import os
import sys

from xmirad.catalog.records import ArchiveRecord
from xmirad.catalog.stored import binding_of
from xmirad.composition import archive_store, catalog
from xmirad.errors import BackendUnavailableError, XmiradError
from xmirad.indexing.optimizing import fill_and_optimize
from xmirad.settings import Settings
from xmirad.settings_sources import load_settings
from xmirad.supervisor import leash
from xmirad.supervisor.exits import report_failed_start

LEAST_PRIORITY = 19


async def make_beside_in_child(record: ArchiveRecord) -> None:
    """Start the child and return when it has done its work; it is killed if the caller is cancelled.

    Raises:
        BackendUnavailableError: If it has failed; the service's log says why.
    """
    leashed = (sys.executable, "-I", "-S", leash.__file__, str(os.getpid()))
    child = await asyncio.create_subprocess_exec(*leashed, sys.executable, "-m", __name__, record.creation)
    try:
        code = await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if code:
        message = "the process that makes the archive's graph has failed"
        raise BackendUnavailableError(message, metadata={"backend": "edge", "archive": record.archive})


def main() -> int:
    """Do the child's work; return its exit code."""
    os.nice(LEAST_PRIORITY)
    try:
        _optimize(load_settings(), sys.argv[1])
    except (XmiradError, OSError) as error:
        return report_failed_start(error)
    return 0


def _optimize(settings: Settings, creation: str) -> None:
    records, beside = catalog(settings), archive_store(settings).beside
    for record in records.archives():
        if beside is not None and record.creation == creation:
            fill_and_optimize(record, beside.create_beside(binding_of(record)), records)
    records.database.close()


if __name__ == "__main__":
    sys.exit(main())
