"""What is looked at, in the order in which it is begun and reported: first what costs little, last what costs most."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec

from xmirad.doctor.findings import Finding
from xmirad.settings import Settings

IMPORTING = threading.RLock()
"""Held by whoever imports: modules that import each other are not safe to import by several threads at once."""

Check = Callable[[Settings], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the system.

    Attributes:
        name: Its name in findings about the check as a whole.
        load: Imports the check. Raises ModuleNotFoundError where a package that it needs is not installed.
    """

    name: str
    load: Callable[[], Check]


def _settings() -> Check:
    from xmirad.doctor.configuration import check_configuration

    return check_configuration


def _disk() -> Check:
    from xmirad.doctor.disk import check_disk

    return check_disk


def _broker() -> Check:
    from xmirad.doctor.broker import check_queue

    return check_queue


def _service() -> Check:
    from xmirad.doctor.service import check_service

    return check_service


def _credentials() -> Check:
    from xmirad.doctor.credentials import check_credentials

    return check_credentials


def _certificates() -> Check:
    from xmirad.doctor.certificates import check_certificates

    return check_certificates


def _catalog() -> Check:
    from xmirad.doctor.archives import check_catalog

    return check_catalog


def _archives() -> Check:
    from xmirad.doctor.archives import check_archives

    return check_archives


def _store() -> Check:
    from xmirad.doctor.store import check_store

    return check_store


def _decoder() -> Check:
    from xmirad.doctor.decoder import check_decoder

    return check_decoder


def _model() -> Check:
    if find_spec("openvino") is None:  # which is imported by a process of its own
        raise ModuleNotFoundError("no OpenVINO", name="openvino")
    from xmirad.doctor.model import check_model

    return check_model


PARTS = (
    Part("settings", _settings),
    Part("disk", _disk),
    Part("broker", _broker),
    Part("service", _service),
    Part("credentials", _credentials),
    Part("certificates", _certificates),
    Part("catalog", _catalog),
    Part("archives", _archives),
    Part("store", _store),
    Part("decoder", _decoder),
    Part("model", _model),
)
