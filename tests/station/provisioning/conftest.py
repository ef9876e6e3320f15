"""Fixtures of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.station.provisioning.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A station that is set up; its broker does not run."""
    made = House(tmp_path / "house")
    yield made
    made.broker.kill()


@pytest.fixture
def open_house(house: House) -> House:
    """A station whose broker runs."""
    house.broker.start()
    return house
