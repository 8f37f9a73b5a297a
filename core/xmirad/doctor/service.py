"""Whether the retrieval service serves, and where it does not, who is at its address instead."""

from collections.abc import Iterator

from xmirad.addresses import callable_address
from xmirad.client.serving import serving_services
from xmirad.doctor.findings import Finding, failed, ok, warning
from xmirad.errors import BackendUnavailableError, InvalidRequestError
from xmirad.home import Home
from xmirad.settings import DEFAULT_HOME, ServerSettings, Settings
from xmirad.settings_base import absolute
from xmirad.supervisor.announcement import find_service
from xmirad.supervisor.programs import credentials_of, listens

ANSWER_SECONDS = 1.5
NOT_SERVING = {
    "ExplanationService": "see `broker` and `workers`: it is not served while the queue does not answer",
}
STORE_AWAY = (
    "see `store`: nothing is served while the vector store does not answer, or while the service starts or stops"
)


def check_service(settings: Settings) -> Iterator[Finding]:
    """Yield whether each service is served: by the home's own process if one runs, else at the configured address."""
    announced = find_service(Home(settings.home))
    address = callable_address(settings.server.address) if announced is None else announced.reachable_at
    if not listens(address):
        yield failed("service", f"nothing answers at {address}", "start it: `xmirad up`, or correct server.address")
        return
    try:
        services = serving_services(address, credentials_of(settings.client), timeout_seconds=ANSWER_SECONDS)
    except InvalidRequestError as error:
        yield failed("service", error.message, f"correct {error.field}")
    except BackendUnavailableError:
        yield _taken(address) if announced is None else _hangs(address, announced.pid)
    else:
        own = announced is not None or settings.home == absolute(DEFAULT_HOME)
        yield from _told(address, services, is_ours=own or settings.server.address != ServerSettings().address)


def _told(address: str, services: dict[str, bool], *, is_ours: bool) -> Iterator[Finding]:
    if not is_ours:
        found = f"the service that answers at {address} is not that of this home, which does not run"
        yield warning("service", found, "give this home's another server.address, or call that one with --address")
        return
    if all(services.values()):
        yield ok("service", f"all {len(services)} services are served at {address}")
        return
    if any(services.values()):
        yield ok("service", f"answers at {address}")
    for name in sorted(name for name, is_served in services.items() if not is_served):
        yield failed(f"service {name}", f"NOT_SERVING at {address}", NOT_SERVING.get(name, STORE_AWAY))


def _taken(address: str) -> Finding:
    found = f"the port of {address} is taken, but what listens there is no X-MIRAD service that answers"
    remedy = "stop that program or set server.address to a free port; for a service behind TLS set client.ca_file"
    return failed("service", found, remedy)


def _hangs(address: str, pid: int) -> Finding:
    found = f"the service of this home (process {pid}) listens at {address} and does not answer"
    return failed("service", found, "see its log in the home's `run` folder, and start it again")
