"""Runs the cells one after the other, each in processes of its own, and writes its figures down at once."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.scale.cells import Cell, Json, Places
from benchmarks.scale.fitting import Fitted, fit
from xmirad.models.registry import ModelRegistry
from xmirad.settings import Settings


class Runner:
    """Measures cells."""

    def __init__(self, places: Places, *, limit_seconds: float) -> None:
        """Measure into some places; a step that takes longer than the limit is given up, which is a figure too."""
        self._places = places
        self._limit_seconds = limit_seconds

    def prepared(self, settings: Settings, data: Path | None, *, images: int) -> Json:
        """Fit the mixture, unless it is there, and return what it was fitted to."""
        self._places.work.mkdir(parents=True, exist_ok=True)
        (self._places.output / "cells").mkdir(parents=True, exist_ok=True)
        wanted = {"data": str(data or ""), "images_asked": images}
        if self._places.fitted.exists():
            known: Json = json.loads(self._places.fitted.read_text("utf-8"))
            if known["asked"] == wanted:
                return known
        artifact = ModelRegistry(settings.models_dir).find(settings.default_model)
        fitted = fit(artifact, data, images=images, threads=len(os.sched_getaffinity(0)))
        fitted.mixture.save(self._places.mixture)
        for stale in self._places.work.glob("answers-*.npz"):
            stale.unlink()
        description = {"asked": wanted, **_described(fitted, artifact.name, artifact.digest)}
        self._places.fitted.write_text(json.dumps(description, indent=2), "utf-8")
        return description

    def run(self, cells: Iterable[Cell], mixture: Json) -> Iterator[Json]:
        """Yield the figures of each cell, measured now or before with the same mixture."""
        for cell in cells:
            path = self._places.figures(cell)
            if path.exists():
                known: Json = json.loads(path.read_text("utf-8"))
                if known["mixture"] == mixture["digest"]:
                    yield known
                    continue
            figures = self._measured(cell, mixture["digest"])
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(figures, indent=2), "utf-8")
            fresh.replace(path)
            yield figures

    def images(self, *, quick: bool) -> Json:
        """Return what images cost, measured now or before, in a process of its own."""
        path = self._places.output / "cells" / "images.json"
        if not path.exists():
            figures = _child(["images", "quick" if quick else "full"], self._limit_seconds)
            path.write_text(json.dumps(figures, indent=2), "utf-8")
        known: Json = json.loads(path.read_text("utf-8"))
        return known

    def _measured(self, cell: Cell, digest: str) -> Json:
        figures: Json = {
            "items": cell.items,
            "embedding_size": cell.embedding_size,
            "index": cell.index.value,
            "mixture": digest,
            "cores": len(os.sched_getaffinity(0)),
            "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        folder = self._places.store(cell)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            if not self._places.answers(cell).exists():
                self._step("answers", cell)
            figures["built"] = self._step("build", cell)
            figures["asked"] = self._step("ask", cell)
        except subprocess.TimeoutExpired as expired:
            figures["given_up"] = f"a step took more than {expired.timeout:.0f} s"
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return figures

    def _step(self, step: str, cell: Cell) -> Json:
        places, numbers = self._places, (str(cell.items), str(cell.embedding_size))
        arguments = [step, str(places.output), str(places.work), *numbers, cell.index.value]
        return _child(arguments, self._limit_seconds)


def _child(arguments: Sequence[str], limit_seconds: float) -> Json:
    command = [sys.executable, "-m", "benchmarks.scale.child", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=limit_seconds)
    result: Json = json.loads(done.stdout)
    return result


def _described(fitted: Fitted, model: str, model_digest: str) -> Json:
    return {
        "source": fitted.source,
        "images": fitted.images,
        "components": fitted.mixture.components,
        "digest": fitted.mixture.digest,
        "likeness": asdict(fitted.likeness),
        "model": model,
        "model_digest": model_digest,
    }
