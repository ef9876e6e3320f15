"""What is measured: one variant of a bundle, with the threads and the inferences at once that it is given."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.document.schema import Model, Scenario
from benchmarks.scenarios import WHOLE_WAY
from edge_runtime import engines
from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.errors import BundleError
from edge_runtime.models import loading
from edge_runtime.tuning import machine, plan
from edge_runtime.tuning.plan import Setup

PACKAGED = {"default": loading.DEFAULT_DETECTOR, "default-classifier": loading.DEFAULT_CLASSIFIER}


@dataclass(frozen=True, slots=True)
class Subject:
    """One way to run one bundle."""

    bundle: Bundle
    """With all its variants."""
    setup: Setup

    def __str__(self) -> str:
        return f"{self.bundle.manifest.name} {self.setup}"

    def model(self) -> Model:
        """As the result document tells it."""
        manifest = self.bundle.only(self.setup.variant).manifest
        size = (3, manifest.input.height, manifest.input.width)
        return Model(
            task=manifest.task,
            bundle=f"{manifest.name} {manifest.version}",
            bundle_id=self.bundle.id,
            variant=self.setup.variant,
            engine=self.setup.engine,
            sha256=manifest.variants[0].sha256,
            precision=manifest.variants[0].precision,
            input_shape=(1, *(size if manifest.input.layout == "nchw" else (*size[1:], size[0]))),
            batch=1,
            threads=self.setup.threads,
            streams=self.setup.streams,
        )


def find(
    name: str, *, scenario: Scenario, cpus: int, only: Sequence[str], threads: int | None, streams: int | None
) -> list[Subject]:
    """Every variant of the bundle called `name` that runs here.

    Unless told otherwise `single` gets all threads for its one inference, the others what a device takes untuned.

    Args:
        name: `default`, `default-classifier`, or a bundle's folder.
        only: variants or engines; all where it is empty.

    Raises:
        BundleError, ConfigError: it cannot be used here; lists what there is.
    """
    bundle = bundles.load(PACKAGED.get(name, Path(name)), task=None)
    if scenario in WHOLE_WAY and bundle.manifest.task != "detector":
        raise BundleError(bundle.folder, f"scenario '{scenario}' is for detectors", hint="single, multi or offline")
    here = engines.available()
    taken = [each for word in only for each in plan.named(bundle, word, here)] or plan.runnable(bundle, here)
    subjects = []
    for variant in dict.fromkeys(taken):
        usual = Setup(variant.name, variant.engine, cpus, 1)
        if scenario != "single":
            told = {"machine": platform.machine(), "ram_bytes": machine.ram_bytes()}
            usual = plan.untuned(bundle, (variant,), cpus=cpus, **told)  # type: ignore[arg-type]
        subjects.append(
            Subject(bundle, Setup(variant.name, variant.engine, threads or usual.threads, streams or usual.streams))
        )
    return subjects
