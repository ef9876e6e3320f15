"""Fixtures of the check-up's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checkup import site
from tests.checkup.authority import Authority
from tests.checkup.kit import Kit, build


@pytest.fixture
def kit(tmp_path: Path, colour_bundle: Path) -> Kit:
    """A device that is well, without a broker."""
    return build(tmp_path, colour_bundle)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the broker's certificate."""
    return Authority(tmp_path_factory.mktemp("authority"), "the station's authority")


@pytest.fixture
def certificate(authority: Authority) -> tuple[Path, Path]:
    """The broker's own, and its key."""
    return authority.sign("localhost", site.NAMES)
