"""Configuration of Flower: `celery flower --conf=/full/path/of/flowerconfig.py`.

Flower runs this file. The broker is the one of the settings (`XMIRAD_QUEUE__URL`, `XMIRAD_QUEUE__PASSWORD_FILE`), so
that no password stands in a command line. Who may look is in a file, one `name:password` a line, named by
`FLOWER_AUTH_FILE`; without one Flower does not start.

Flower itself tells the workers to send events, which they otherwise do not. Arguments of tasks are not in them. Nothing
can be changed through its pages (`read_only`): `xmirad queue` is for that. `/metrics` and `/healthcheck` ask for no
password and show names of workers and tasks; do not publish the port to strangers.
"""

import os
from pathlib import Path

from celery.app import app_or_default

from xmirad.errors import XmiradError
from xmirad.queue.address import queue_url
from xmirad.queue.app import celery_app
from xmirad.settings_sources import load_settings

AUTH_FILE = "/run/secrets/flower_auth"


def credentials() -> list[str]:
    """Return who may look, as `name:password`; end the program if that is nobody.

    Flower goes on after some errors of its configuration, and would then let everybody in.
    """
    file = Path(os.environ.get("FLOWER_AUTH_FILE") or AUTH_FILE)
    try:
        lines = [line.strip() for line in file.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"flower: {file}, which says who may look, cannot be read: {type(error).__name__}") from None
    given = [line for line in lines if line and not line.startswith("#")]
    if not given or not all(name and password for name, _, password in (line.partition(":") for line in given)):
        raise SystemExit(f"flower: {file} must have lines of name:password, and nothing else")
    return given


def use_broker() -> None:
    """Have the program's own Celery application speak to the broker of the settings."""
    own = app_or_default()  # before another one is made, which takes its place
    try:
        settings = load_settings()
        url = queue_url(settings)
        if url is None:
            raise SystemExit("flower: there is no queue: set queue.url (XMIRAD_QUEUE__URL)")
        conf = celery_app(url, settings.queue).conf
    except XmiradError as error:
        raise SystemExit(f"flower: {error.message} [{error.reason}]") from None
    options = ("broker_url", "broker_transport_options", "broker_use_ssl", "task_queues", "task_default_queue")
    own.conf.update({name: conf[name] for name in options})


basic_auth = credentials()
read_only = True
persistent = False
max_tasks = 10_000
purge_offline_workers = 600
use_broker()
