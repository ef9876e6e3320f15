"""From `engine: auto` (or a name) to the variant, threads and streams that a bundle is opened with."""

from __future__ import annotations

import logging
import platform
from dataclasses import dataclass
from pathlib import Path

from edge_runtime import engines
from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Variant
from edge_runtime.device import memory
from edge_runtime.errors import ConfigError
from edge_runtime.models import allowed as allow_list
from edge_runtime.models import loading
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.models.taxonomy import Taxonomy
from edge_runtime.tuning import machine, plan, stored
from edge_runtime.tuning.plan import Setup

log = logging.getLogger(__name__)

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Models:
    """A device's models, loaded as chosen."""

    detector: Detector
    classifier: Classifier | None
    workers: int
    """Threads that look at photos."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """How a bundle is opened, and why so."""

    bundle: Bundle
    """With one variant only."""
    setup: Setup
    why: str
    tuned: bool
    """It was measured on this machine."""


def choose(bundle: Bundle, engine: str, *, cpus: int, file: Path) -> Chosen:
    """How to open `bundle` here.

    Args:
        engine: `auto`, or the name of a variant or an engine that must be taken.
        cpus: CPU threads that inference may keep busy.
        file: of earlier choices (`stored.file_for`).

    Raises:
        BundleError: nothing here runs it, or not as `engine` says; lists what there is.
    """
    here = engines.available()
    variants = plan.runnable(bundle, here) if engine == AUTO else plan.named(bundle, engine, here)
    measured, why = _tuned(bundle, variants, cpus=cpus, file=file, any_row=engine != AUTO)
    setup = measured
    if setup is None:
        setup = plan.untuned(bundle, variants, cpus=cpus, machine=platform.machine(), ram_bytes=machine.ram_bytes())
    log.info("%s: %s on %s (%s)", bundle.title, setup, setup.engine, why)
    return Chosen(bundle.only(setup.variant), setup, why, tuned=measured is not None)


def load(
    detector_name: str, classifier_name: str, engine: str, *, cpus: int, file: Path, allowed: Path | None = None
) -> Models:
    """Load both models as `detector` and `classifier` choose.

    Args:
        allowed: file of the names that the classifier may answer with (`models.allowed`); None for all.

    Raises:
        BundleError, ConfigError, EngineError: one cannot be used; says why.
    """
    finds = detector(detector_name, engine, cpus=cpus, file=file)
    return opened(finds, classifier(classifier_name, engine, cpus=cpus, file=file), allowed)


def opened(finds: Chosen, names: Chosen | None, allowed: Path | None = None) -> Models:
    """Load a chosen detector and the classifier beside it, which answers with what the file `allowed` names only.

    Raises:
        BundleError, ConfigError, EngineError: one cannot be used; says why.
    """
    if allowed is not None and names is None:
        raise ConfigError(allowed, "is for a classifier, and there is none", hint="leave one of the two out")
    models = Models(
        Detector(finds.bundle, threads=finds.setup.threads, streams=finds.setup.streams),
        _classifier(names, allowed) if names else None,
        finds.setup.workers,
    )
    memory.trim()
    return models


def detector(name: str, engine: str, *, cpus: int, file: Path) -> Chosen:
    """How to open the detector called `name`: `default`, or a bundle's folder.

    Raises:
        BundleError, ConfigError: it cannot be used; says why.
    """
    return choose(find(name), engine, cpus=cpus, file=file)


def find(name: str) -> Bundle:
    """The detector bundle called `name`, checked, with all its variants.

    Raises:
        BundleError, ConfigError: it cannot be used; says why.
    """
    return bundles.load(loading.DEFAULT_DETECTOR if name == "default" else Path(name), task="detector")


def classifier(name: str, engine: str, *, cpus: int, file: Path) -> Chosen | None:
    """How to open the classifier called `name`: `default`, a bundle's folder, or `none` for no classifier.

    Raises:
        BundleError, ConfigError: it cannot be used; says why.
    """
    if name == "none":
        return None
    folder = loading.DEFAULT_CLASSIFIER if name == "default" else Path(name)
    return choose_beside(bundles.load(folder, task="classifier"), engine, cpus=cpus, file=file)


def choose_beside(bundle: Bundle, engine: str, *, cpus: int, file: Path) -> Chosen:
    """As `choose`, for a model that stands beside the one that `engine` was said of: what it has no such variant of,
    or no such engine for, it runs as if nothing had been said."""
    names = {name for variant in bundle.manifest.variants for name in (variant.name, variant.engine)}
    return choose(bundle, engine if engine in names else AUTO, cpus=cpus, file=file)


def _classifier(names: Chosen, allowed: Path | None) -> Classifier:
    known = Taxonomy(names.bundle.labels, names.bundle.taxa).names
    return Classifier(
        names.bundle,
        threads=names.setup.threads,
        streams=names.setup.streams,
        allowed=None if allowed is None else allow_list.read(allowed, known),
    )


def _tuned(
    bundle: Bundle, variants: tuple[Variant, ...], *, cpus: int, file: Path, any_row: bool
) -> tuple[Setup | None, str]:
    """What was measured to be best of `variants`, if that still counts; and why, or why not."""
    try:
        choices = stored.read(file).choices
    except ConfigError as error:
        log.warning("%s; it is ignored", error)
        return None, f"{file} cannot be used"
    mine = [choice for choice in choices if choice.bundle == bundle.id]
    if not mine:
        return None, "not tuned for this bundle"
    choice = next((each for each in mine if each.cpus == cpus), None)
    if choice is None:
        return None, f"tuned for {mine[0].cpus} CPU threads, not {cpus}"
    names = {variant.name for variant in variants}
    setup: Setup | None = choice.setup
    if any_row:
        rows = [row for row in choice.rows if row.variant in names and row.photos_per_s and not row.problem]
        setup = max(rows, key=lambda row: row.photos_per_s or 0.0).setup if rows else None
    if setup is None or setup.variant not in names:
        return None, "tuned, but nothing that may be taken now was chosen then"
    against = machine.difference(choice.machine, machine.this_machine(), setup.engine)
    if against:
        log.warning("%s: the tuned choice is ignored: %s; run edge-runtime tune again", bundle.title, against)
        return None, f"tuned, but {against}"
    return setup, f"tuned {choice.made_utc}"
