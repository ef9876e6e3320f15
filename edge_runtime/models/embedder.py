"""The embedder: crops in, vectors out whose angle says how alike two crops look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_runtime import engines
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.errors import BundleError
from edge_runtime.laps import Lap, no_lap
from edge_runtime.models.preprocess import prepare
from edge_runtime.values import Crop, Embedding


class Embedder:
    """A bundle with an `embedding` part, loaded: an embedder's, or a classifier's features.

    Raises:
        BundleError: it has no such part, or no installed engine runs any of its variants.
        EngineError: the graph cannot be loaded.
    """

    def __init__(self, bundle: Bundle, *, threads: int, streams: int = 1) -> None:
        if bundle.manifest.embedding is None:
            raise BundleError(bundle.folder, "has no 'embedding' part", hint="name an embedder's bundle")
        self.bundle = bundle
        self._output = bundle.manifest.embedding
        self._graph = engines.open_graph(bundle, threads=threads, streams=streams)

    @property
    def dimensions(self) -> int:
        """D of each embedding."""
        return self._output.dimensions

    def embed(self, crops: Sequence[Crop]) -> list[Embedding]:
        """The embedding of each crop; two are compared by their cosine, which is their dot product.

        Raises:
            EngineError: the inference failed, or gave something without a direction.
        """
        return [self.embed_one(crop) for crop in crops]

    def embed_one(self, crop: Crop, lap: Lap = no_lap) -> Embedding:
        """As `embed`.

        Args:
            lap: called at the end of `prepare`, and as `Session.run` does.
        """
        manifest = self.bundle.manifest
        tensor, _ = prepare(crop.pixels, manifest.input, manifest.preprocess)
        lap("prepare")
        (features,) = self._graph.run(tensor, (self._output.tensor,), lap)
        if features.shape != (1, self._output.dimensions):
            raise self._graph.error(f"gives embeddings of shape {features.shape}, not (1, {self._output.dimensions})")
        vector = features[0].astype(np.float64)
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0:
            raise self._graph.error("the embedding holds NaN or infinite values, or only zeros")
        return Embedding(np.asarray(vector / length, np.float32))
