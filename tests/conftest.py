"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of real camera-trap photos, truth and weights; tests that need it skip where it is missing."""
    folder = Path(os.environ.get("CAMTRAP_EDGE_ASSETS") or ROOT.parent / "shared" / "assets")
    if not folder.is_absolute():
        folder = ROOT / folder
    if not (folder / "photos").is_dir():
        pytest.skip(f"no test photos: {folder} is missing (set CAMTRAP_EDGE_ASSETS)")
    return folder
