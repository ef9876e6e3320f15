"""What tests of measuring share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import layered


@pytest.fixture(scope="session")
def layered_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedder of ten equal layers (tests/benchmarks/layered.py)."""
    return layered.build_bundle(tmp_path_factory.mktemp("layered") / "ten-layers", layers=10).folder


@pytest.fixture(scope="session")
def small_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photos that are read and decoded in no time."""
    return layered.build_photos(tmp_path_factory.mktemp("photos") / "card")
