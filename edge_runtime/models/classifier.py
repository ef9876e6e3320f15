"""The classifier: crops of animals in, species out; a coarser group, or nothing, where it is not sure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime import engines
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.errors import BundleError
from edge_runtime.events.evidence import Naming
from edge_runtime.laps import Lap, no_lap
from edge_runtime.models.heads import SCORE_HEADS
from edge_runtime.models.preprocess import prepare
from edge_runtime.models.taxonomy import Taxonomy
from edge_runtime.values import Crop, Scores, Species


class Classifier:
    """A classifier bundle, loaded.

    Args:
        threads: CPU threads of one inference.
        streams: inferences at once.
        allowed: names of labels and taxa that it may answer with, as `Taxonomy`; None for all.

    Raises:
        BundleError: the bundle's head is unknown, or no installed engine runs any of its variants.
        EngineError: the graph cannot be loaded.
    """

    def __init__(
        self, bundle: Bundle, *, threads: int, streams: int = 1, allowed: Collection[str] | None = None
    ) -> None:
        self.bundle = bundle
        manifest = bundle.manifest
        if manifest.output.head not in SCORE_HEADS:
            raise BundleError(bundle.folder, f"unknown head '{manifest.output.head}'", hint=", ".join(SCORE_HEADS))
        if bundle.taxa and manifest.output.head != "softmax":
            raise BundleError(bundle.folder, f"has taxa, but sums of '{manifest.output.head}' scores mean nothing")
        self._head = SCORE_HEADS[manifest.output.head]
        self._graph = engines.open_graph(bundle, threads=threads, streams=streams)
        self.taxonomy = Taxonomy(bundle.labels, bundle.taxa, allowed)
        self.allowed = None if allowed is None else tuple(sorted(allowed))
        """What it may answer with; None for everything."""
        self.names = self.taxonomy.names
        """Every name that this classifier can say, each once: species first, then the groups that hold them."""

    @property
    def naming(self) -> Naming:
        """How its probabilities become names."""
        return Naming(
            answer=self._answer_scores,
            coarser=self.taxonomy.coarser,
            groups=self.taxonomy.groups,
            exclusive=self.bundle.manifest.output.head == "softmax",
            sure=self.bundle.manifest.thresholds.review,
        )

    def classify(self, crops: Sequence[Crop]) -> list[Species | None]:
        """The answer for each crop: a label, a coarser taxon, or None (`Taxonomy.answer`, by the bundle's thresholds).

        Raises:
            EngineError: the inference failed.
        """
        return [self.answer(crop)[0] for crop in crops]

    def answer(self, crop: Crop, lap: Lap = no_lap) -> tuple[Species | None, Scores]:
        """The answer for one crop as `classify` gives it, and the probabilities that it comes from.

        Args:
            lap: called at the end of `prepare`, and as `Session.run` does.

        Raises:
            EngineError: the inference failed.
        """
        summed = self.probabilities(crop, lap)
        return self._answer(summed), self.taxonomy.scores(summed)

    def probabilities(self, crop: Crop, lap: Lap = no_lap) -> NDArray[np.float64]:
        """Probability of each label, as `Taxonomy.summed` orders them: [labels + 1], the last is "no animal".

        Raises:
            EngineError: the inference failed.
        """
        manifest = self.bundle.manifest
        tensor, _ = prepare(crop.pixels, manifest.input, manifest.preprocess)
        lap("prepare")
        try:
            scores = self._head(self._graph.run(tensor, manifest.output.tensors, lap))[0]
        except ValueError as error:
            raise self._graph.error(f"unexpected output: {error}") from error
        if len(scores) != self.taxonomy.classes:
            raise self._graph.error(f"{len(scores)} classes, but {self.taxonomy.classes} labels")
        if not np.isfinite(scores).all():
            raise self._graph.error("the output holds NaN or infinite values")
        return self.taxonomy.summed(scores)

    def _answer_scores(self, scores: Mapping[str, float]) -> Species | None:
        return self._answer(self.taxonomy.unnamed(scores))

    def _answer(self, summed: NDArray[np.float64]) -> Species | None:
        thresholds = self.bundle.manifest.thresholds
        return self.taxonomy.answer(summed, species=thresholds.species, rollup=thresholds.rollup)
