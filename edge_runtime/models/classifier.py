"""The classifier: crops of animals in, species out, or nothing where it is not sure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_runtime import engines
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.errors import BundleError
from edge_runtime.models.heads import SCORE_HEADS
from edge_runtime.models.preprocess import prepare
from edge_runtime.values import Crop, Species


class Classifier:
    """A classifier bundle, loaded.

    Raises:
        BundleError: the bundle's head is unknown, or no installed engine runs any of its variants.
        EngineError: the graph cannot be loaded.
    """

    def __init__(self, bundle: Bundle, *, threads: int) -> None:
        self.bundle = bundle
        manifest = bundle.manifest
        if manifest.output.head not in SCORE_HEADS:
            raise BundleError(bundle.folder, f"unknown head '{manifest.output.head}'", hint=", ".join(SCORE_HEADS))
        self._head = SCORE_HEADS[manifest.output.head]
        self._graph = engines.open_graph(bundle, threads=threads)
        self.names: tuple[str, ...] = tuple(
            dict.fromkeys(label.name for label in bundle.labels if label.kind == "animal")
        )
        """The species that this classifier can name, each once."""
        place = {name: index for index, name in enumerate(self.names)}
        # Everything that is no animal shares one last column, so that it competes as a whole.
        self._column = np.array(
            [place[label.name] if label.kind == "animal" else len(self.names) for label in bundle.labels]
        )

    def classify(self, crops: Sequence[Crop]) -> list[Species | None]:
        """The species of each crop; None where no animal species is probable enough (the bundle's `species`).

        Raises:
            EngineError: the inference failed.
        """
        return [self._classify_one(crop) for crop in crops]

    def _classify_one(self, crop: Crop) -> Species | None:
        manifest = self.bundle.manifest
        tensor, _ = prepare(crop.pixels, manifest.input, manifest.preprocess)
        try:
            scores = self._head(self._graph.run(tensor, manifest.output.tensors))[0]
        except ValueError as error:
            raise self._graph.error(f"unexpected output: {error}") from error
        if len(scores) != len(self._column):
            raise self._graph.error(f"{len(scores)} classes, but {len(self._column)} labels")
        if not np.isfinite(scores).all():
            raise self._graph.error("the output holds NaN or infinite values")
        summed = np.bincount(self._column, weights=scores, minlength=len(self.names) + 1)
        best = int(np.argmax(summed))
        if best == len(self.names) or summed[best] < manifest.thresholds.species:
            return None
        return Species(self.names[best], min(float(summed[best]), 1.0))
