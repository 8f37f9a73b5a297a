"""Runs what docker-compose.yml says, without containers: `make stack`.

Every service's exact command line, environment and health check, as plain processes. What a container would give it is
put in its place: a loopback address of its own, folders for volumes, files of secrets. Debian's redis-server stands for
Redis, and a stand-in that speaks Qdrant's gRPC for Qdrant. A service without a program here, or without a health check,
is an error. Users, capabilities and read-only file systems are the engine's affair.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
QDRANT = "python -m support.qdrant_server --host 0.0.0.0 --port 6334 --api-key-file /run/secrets/qdrant_api_key"
STAND_INS = {"qdrant/qdrant": QDRANT.split()}
RUNNABLE = ("xmirad/", "redis:")
VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::-([^}]*))?\}")


class StackError(Exception):
    """The stack cannot run as the file says."""


@dataclass(slots=True)
class Part:
    """The process that stands for one container."""

    name: str
    service: Mapping[str, Any]
    command: list[str]
    check: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    is_done: bool = False

    def launch(self) -> None:
        """Start it."""
        options: Any = {"env": self.environment, "stdin": subprocess.DEVNULL, "process_group": 0}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, **options)

    def look(self) -> None:
        """Note whether it is healthy, or has ended well if it is to end; raise StackError if it has ended otherwise."""
        ends, code = self.service.get("restart") == "no", self._exit_code()
        if ends:
            self.is_done = code == 0
        elif not self.is_done:
            options: Any = {"env": self.environment, "timeout": float(self.service["healthcheck"]["timeout"][:-1])}
            with suppress(subprocess.TimeoutExpired):
                self.is_done = subprocess.run(self.check, capture_output=True, check=False, **options).returncode == 0
            self._exit_code()  # a stranger at its address may have answered in the place of one that could not start

    def _exit_code(self) -> int | None:
        """Return how it has ended, if it has; raise StackError if it should not have, or not so."""
        code = self.process.poll() if self.process else None
        if code is not None and not (self.service.get("restart") == "no" and code == 0):
            raise StackError(f"{self.name} has ended with {code} (log: {self.log})")
        return code

    def end(self) -> None:
        """End it within its grace period, with all that it started."""
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(float(self.service.get("stop_grace_period", "10s")[:-1]))
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass(slots=True)
class Stack:
    """The services of some profiles; `network` is three bytes of a loopback address that no other stack has."""

    work: Path
    secrets: Path
    models: Path
    network: str = "127.0.0"
    profiles: Sequence[str] = ()
    scale: Mapping[str, int] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    compose: Path = ROOT / "docker-compose.yml"
    parts: list[Part] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)

    def start(self, *, seconds: float) -> None:
        """Start all in the order of their dependencies; return when they are healthy, or raise StackError."""
        self.parts, deadline = self._parts(), time.monotonic() + seconds
        try:
            while waiting := [part for part in self.parts if not part.is_done]:
                if time.monotonic() > deadline:
                    raise StackError(f"not healthy after {seconds:g} s: {', '.join(part.name for part in waiting)}")
                for part in self.parts:
                    needed = [other for other in waiting if other.service["name"] in part.service.get("depends_on", {})]
                    if part.process is not None:
                        part.look()
                    elif not needed:
                        part.launch()
                time.sleep(0.1)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ask all to end, and wait for the last first."""
        for part in self.parts:
            if part.process is not None:
                part.process.terminate()
        for part in reversed(self.parts):
            part.end()

    def _parts(self) -> list[Part]:
        document = yaml.safe_load(self.compose.read_text())
        services = {
            name: service | {"name": name}
            for name, service in document["services"].items()
            if not service.get("profiles") or set(service["profiles"]) & set(self.profiles)
        }
        names = sorted(services, key=lambda name: name != "retrieval")  # which has the first address
        labels = [(name, number) for name in names for number in range(1, self.scale.get(name, 1) + 1)]
        hosts = {label: f"{self.network}.{host}" for host, label in enumerate(labels, start=1)}
        self.addresses = {name: hosts[name, 1] for name in names}
        files = {name: self.secrets / Path(secret["file"]).name for name, secret in document["secrets"].items()}
        return [self._part(f"{name}-{number}", services[name], hosts[name, number], files) for name, number in labels]

    def _part(self, label: str, service: Mapping[str, Any], address: str, files: Mapping[str, Path]) -> Part:
        name, image, test = service["name"], service["image"], service.get("healthcheck", {}).get("test", [])
        command = STAND_INS.get(image.partition(":")[0]) or (service["command"] if image.startswith(RUNNABLE) else None)
        if command is None:
            raise StackError(f"{name} has no runnable mapping: no process can stand for {image}")
        if not test and service.get("restart") != "no":
            raise StackError(f"{name} has no health check")
        places = self._places(label, service, files)

        def placed(text: object) -> str:
            return self._placed(self._filled(str(text)), places, address)

        own = {"PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "tests")}
        environment = own | {key: placed(value) for key, value in service.get("environment", {}).items()}
        check = ["sh", "-c", *test[1:]] if test[:1] == ["CMD-SHELL"] else test[1:]
        log = self.work / "logs" / f"{label}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        return Part(label, service, list(map(placed, command)), list(map(placed, check)), environment, log)

    def _places(self, label: str, service: Mapping[str, Any], files: Mapping[str, Path]) -> dict[str, Path]:
        """Return where the paths of a container are on this machine."""
        places = {f"/run/secrets/{name}": files[name] for name in service.get("secrets", ())}
        for volume in service.get("volumes", ()):
            source, _, target = self._filled(volume).removesuffix(":ro").rpartition(":")
            places[target] = ROOT / source if source.startswith(".") else self.work / "volumes" / source
        places |= {"/run/xmirad": self.work / "run" / label, "/data/models": self.models}
        for place in [place for place in places.values() if not place.exists()]:
            place.mkdir(parents=True)
        return places

    def _placed(self, text: str, places: Mapping[str, Path], address: str) -> str:
        paths = "|".join(re.escape(path) for path in sorted(places, key=len, reverse=True))
        hosts = rf"(?:(?<=//)|(?<=-h )|(?<=/dev/tcp/)|(?<=address ))(?:{'|'.join(self.addresses)})(?![\w.-])"
        found = re.compile(rf"(?<![\w])(?:{paths})(?![\w-])|{hosts}|0\.0\.0\.0")
        return found.sub(lambda match: str(places.get(match[0]) or self.addresses.get(match[0]) or address), text)

    def _filled(self, text: str) -> str:
        return VARIABLE.sub(lambda match: self.variables.get(match[1], match[2] or "") if match[1] else "$", text)


def main() -> None:
    """Run the stack until Ctrl-C or until one of its processes ends."""
    parser = argparse.ArgumentParser(description="Runs docker-compose.yml as plain processes.")
    for name in ("work", "secrets", "models"):
        parser.add_argument(f"--{name}", type=lambda text: Path(text).absolute(), required=True)
    parser.add_argument("--profile", action="append", default=[])
    parser.add_argument("--scale", action="append", default=[], help="SERVICE=NUMBER")
    given = parser.parse_args()
    scale = {name: int(number) for name, _, number in (each.partition("=") for each in given.scale)}
    stack = Stack(given.work, given.secrets, given.models, profiles=given.profile, scale=scale, variables=os.environ)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        began = time.monotonic()
        stack.start(seconds=60.0)
        print(
            f"healthy after {time.monotonic() - began:.1f} s; retrieval at 127.0.0.1:50051; Ctrl-C ends it", flush=True
        )
        while True:
            time.sleep(1)
            for part in stack.parts:
                part.look()
    except (StackError, KeyboardInterrupt) as error:
        sys.exit(f"stack: {error}" if isinstance(error, StackError) else 0)
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
