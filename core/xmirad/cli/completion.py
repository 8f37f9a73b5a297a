"""Completes names in the shell from what is there; never starts a service and never fails."""

import typer

from xmirad.cli.session import GlobalFlags
from xmirad.errors import XmiradError

ANSWER_SECONDS = 1.0


def archive_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the archives of the running service that begin with what was typed."""
    from xmirad.client.client import Client
    from xmirad.settings_sources import load_settings
    from xmirad.supervisor.connection import running_service

    try:
        found = running_service(load_settings(_flags(context).as_settings()))
        if found is None:
            return []
        with Client(found.address, timeout_seconds=ANSWER_SECONDS, credentials=found.credentials) as client:
            return [info.archive for info in client.list_archives() if info.archive.startswith(incomplete)]
    except (XmiradError, TimeoutError):
        return []


def model_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the models of the home that begin with what was typed."""
    try:
        from xmirad.models.registry import ModelRegistry
        from xmirad.settings_sources import load_settings

        models = ModelRegistry(load_settings(_flags(context).as_settings()).models_dir).list()
    except (XmiradError, ImportError):
        return []
    return [model.name for model in models if model.name.startswith(incomplete)]


def _flags(context: typer.Context) -> GlobalFlags:
    given = context.find_root().params
    return GlobalFlags(home=given.get("home"), address=given.get("address"))
