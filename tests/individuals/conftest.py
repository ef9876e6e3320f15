"""An empty gallery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.individuals.gallery import Gallery
from tests.individuals.animals import open_gallery


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    made = open_gallery(tmp_path)
    yield made
    made.close()
