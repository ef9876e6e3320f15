"""Putting a device together from its settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_runtime.daemon import Daemon, OnOutcome, ignore_outcome
from edge_runtime.device import courtesy
from edge_runtime.device.notify import Supervisor
from edge_runtime.individuals import gallery
from edge_runtime.individuals.recogniser import Recogniser
from edge_runtime.individuals.records import MadeBy
from edge_runtime.journal.journal import FILE_NAME, Journal
from edge_runtime.models import loading
from edge_runtime.models.detector import Detector
from edge_runtime.pipeline import Pipeline
from edge_runtime.rules import Rules
from edge_runtime.settings import DeviceSettings
from edge_runtime.tuning import choice, stored
from edge_runtime.uplink.link import Link
from edge_runtime.values import CATEGORIES


@dataclass(frozen=True)
class Device:
    """A device, ready to run."""

    daemon: Daemon
    journal: Journal
    link: Link

    def run(self, *, until_idle: bool = False) -> None:
        """Run the daemon with its uplink; leaves both stopped and the journal closed. As `Daemon.run`."""
        self.link.start()
        try:
            self.daemon.run(until_idle=until_idle)
        finally:
            self.link.stop()
            self.journal.close()


def assemble(
    settings: DeviceSettings, *, on_outcome: OnOutcome = ignore_outcome, supervisor: Supervisor | None = None
) -> Device:
    """Open the journal, load the models and put the stages together.

    Args:
        supervisor: told how the work goes; nobody by default.

    Raises:
        ConfigError, BundleError, EngineError, JournalError: whatever cannot be used, and why.
    """
    supervisor = Supervisor() if supervisor is None else supervisor
    # Before any thread starts: each has the priority of the one that started it.
    courtesy.step_back(nice=settings.power.nice, disk=settings.power.disk)
    file = Path(settings.data) / FILE_NAME
    models = settings.models
    tuned = stored.file_for(Path(settings.data))
    loaded = choice.load(
        models.detector,
        models.classifier,
        models.engine,
        cpus=models.threads,
        file=tuned,
        allowed=None if models.allowed is None else Path(models.allowed),
    )
    detector, classifier = loaded.detector, loaded.classifier
    embedder = recogniser = None
    if models.embedder != "none":
        embedder = loading.load_embedder(models.embedder, threads=1, streams=loaded.workers)
        recogniser = Recogniser(
            Path(settings.data) / gallery.FILE_NAME,
            MadeBy(embedder.bundle.title, embedder.dimensions),
            classified=classifier is not None,
            threads=models.threads,
        )
        recogniser.warn_of_strangers(classifier.names if classifier else ())
    journal = Journal(file, device=settings.device)
    with journal.transaction():
        journal.codes.add("label", [*CATEGORIES, *(classifier.names if classifier else ())])
    link = Link(
        settings.uplink,
        settings.device,
        lambda: Journal(file, device=settings.device),
        models=loading.titles(detector, classifier),
        time_zone=settings.time_zone,
    )
    supervisor.requires(link.goes_on)
    pipeline = Pipeline(
        journal,
        detector,
        classifier,
        rules(settings, detector),
        workers=loaded.workers,
        embedder=embedder,
        recogniser=recogniser,
        supervisor=supervisor,
    )
    daemon = Daemon(settings, journal, pipeline, link, on_outcome=on_outcome, supervisor=supervisor)
    return Device(daemon, journal, link)


def rules(settings: DeviceSettings, detector: Detector) -> Rules:
    """How this device reads and groups photos."""
    chosen = settings.models.confidence
    return Rules(
        zone=ZoneInfo(settings.time_zone),
        cameras=settings.cameras,
        max_pixels=int(settings.cards.max_megapixels * 1_000_000),
        gap_s=settings.events.gap_seconds,
        confident=detector.bundle.manifest.thresholds.confident if chosen is None else chosen,
        decode=settings.models.decode,
        videos=settings.videos,
        prefilter=settings.prefilter,
        rule=settings.events.rule,
        repeats=None if settings.repeats == "off" else settings.repeats,
    )
