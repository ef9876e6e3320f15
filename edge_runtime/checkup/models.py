"""Whether the bundles are whole, what will run them here, and whether they answer here as they did where made."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge_runtime import engines
from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Task
from edge_runtime.checkup.step import Finding, Step, bad, good, skipped
from edge_runtime.checkup.visit import Visit
from edge_runtime.errors import BundleError, CamtrapEdgeError, ConfigError, EngineError
from edge_runtime.models import allowed, loading, selftest
from edge_runtime.models.detector import Detector
from edge_runtime.models.taxonomy import Taxonomy
from edge_runtime.settings import Models
from edge_runtime.tuning import choice, stored
from edge_runtime.values import Frame

_DEFAULTS: dict[Task, Path] = {
    "detector": loading.DEFAULT_DETECTOR,
    "classifier": loading.DEFAULT_CLASSIFIER,
    "embedder": loading.DEFAULT_EMBEDDER,
}


def hashes(visit: Visit) -> Finding:
    """Every listed file of every bundle, and the list of allowed names."""
    settings = visit.settings.models
    for task, name in _named(settings):
        folder = _DEFAULTS[task] if name == "default" else Path(name)
        try:
            visit.bundles[task] = bundles.load(folder, task=task)
        except (BundleError, ConfigError) as error:
            return bad(f"{task}: {error}", _replace(visit, name, folder))
        except OSError as error:
            return bad(f"{task}: {folder}: {error.strerror}", f"ls -l {shlex.quote(str(folder))}")
    finding = _allowed(visit)
    if finding is not None:
        return finding
    return good("; ".join(f"{task} {bundle.title}" for task, bundle in visit.bundles.items()) + "; every hash is right")


def engine(visit: Visit) -> Finding:
    """What will run, threads x inferences at once, why, and that the detector does run: on one grey picture."""
    models, file = visit.settings.models, stored.file_for(Path(visit.settings.data))
    told = []
    try:
        for task, bundle in visit.bundles.items():
            choose = choice.choose if task == "detector" else choice.choose_beside
            if task == "embedder":
                continue  # it takes its bundle's first variant that runs here
            chosen = visit.chosen[task] = choose(bundle, models.engine, cpus=models.threads, file=file)
            setup = chosen.setup
            told.append(f"{task} {setup.variant} by {setup.engine}, {setup.threads}x{setup.streams} ({chosen.why})")
        milliseconds = _one_picture(visit.chosen["detector"].bundle)
    except (BundleError, ConfigError) as error:
        return bad(str(error), f"set `engine: auto` under `models:` in {visit.config}; here are: {_here()}")
    except EngineError as error:
        return bad(str(error), f"set another `engine:` under `models:` in {visit.config}; here are: {_here()}")
    return good("; ".join(told) + f"; the first picture took {milliseconds:.0f} ms")


def golden(visit: Visit) -> Finding:
    """The bundles' golden samples, by the variants that will run."""
    replayed, without = 0, []
    for task, bundle in visit.bundles.items():
        chosen = visit.chosen[task].bundle if task in visit.chosen else bundle
        try:
            results = selftest.replay(chosen)
        except (CamtrapEdgeError, OSError) as error:
            return bad(f"{task}: its golden samples cannot be used: {error}", "copy the bundle again")
        wrong = [each for each in results if each.problem]
        if wrong:
            first = wrong[0]
            return bad(
                f"{task} {bundle.title}: {len(wrong)} of {len(results)} golden samples are answered otherwise here, "
                f"{first.file} by {first.variant}: {first.problem}",
                _otherwise(visit, bundle, first.variant),
            )
        replayed += len(results)
        if not results:
            without.append(task)
    if not replayed:
        return skipped("these bundles bring none")
    told = f"{replayed} answered here as they were where the bundle was made"
    return good(told + "".join(f"; the {task} brings none" for task in without))


def _named(models: Models) -> Iterator[tuple[Task, str]]:
    yield "detector", models.detector
    if models.classifier != "none":
        yield "classifier", models.classifier
    if models.embedder != "none":
        yield "embedder", models.embedder


def _allowed(visit: Visit) -> Finding | None:
    name = visit.settings.models.allowed
    if name is None:
        return None
    bundle = visit.bundles.get("classifier")
    if bundle is None:
        return bad("`allowed` is for a classifier, and there is none", f"take `allowed:` out of {visit.config}")
    try:
        allowed.read(Path(name), Taxonomy(bundle.labels, bundle.taxa).names)
    except ConfigError as error:
        line = f"+{error.line} " if error.line is not None else ""
        return bad(str(error), f"nano {line}{shlex.quote(name)}")
    return None


def _replace(visit: Visit, name: str, folder: Path) -> str:
    if name == "default":
        return "pip install --force-reinstall --no-deps camtrap-edge"
    quoted = shlex.quote(str(folder))
    return f"copy it anew from where it was made: rsync -a --delete WORKSTATION:{folder.name}/ {quoted}/"


def _one_picture(bundle: Bundle) -> float:
    """Milliseconds that the loaded detector takes for its first picture."""
    loaded = Detector(bundle, threads=1)
    frame = Frame(np.full((480, 640, 3), 114, np.uint8))
    started = time.monotonic()
    loaded.detect(frame)
    return (time.monotonic() - started) * 1000


def _otherwise(visit: Visit, bundle: Bundle, variant: str) -> str:
    here = engines.available()
    others = [each.name for each in bundle.manifest.variants if each.engine in here and each.name != variant]
    if others:
        return f"set `engine: {others[0]}` under `models:` in {visit.config} (or one of: {', '.join(others)})"
    return f"do not use this bundle on this board; on the workstation: edge-export inspect {bundle.folder.name}"


def _here() -> str:
    return ", ".join(sorted(engines.available())) or "none"


STEPS = (
    Step("models", ("configuration",), hashes),
    Step("engine", ("models",), engine),
    Step("golden samples", ("engine",), golden),
)
