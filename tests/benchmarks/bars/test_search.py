from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.bars import search
from benchmarks.bars.search import QUERIES
from edge_runtime.individuals import matching
from edge_runtime.individuals.gallery import Gallery


def test_the_questions_are_about_animals_of_the_gallery(tmp_path: Path) -> None:
    search.make(tmp_path, 60)
    group = Gallery(tmp_path / "gallery.sqlite").group("leopard")
    assert group is not None and group.matrix.shape == (60, search.DIMENSIONS) and len(group.names) == 12
    np.testing.assert_array_equal(group.matrix, np.load(tmp_path / "vectors.npy"))
    found = matching.nearest(group.matrix, np.load(tmp_path / "queries.npy"), threads=1)
    assert found.cosines[:, 0].min() > 0.7


def test_without_faiss_the_devices_own_figures_are_told(tmp_path: Path) -> None:
    told = search.compare(tmp_path, 60, 2, None)
    assert len(told) >= len(QUERIES) and all(bar.measured > 0 and bar.limit is None for bar in told)
