"""Who was seen, from a device's journal over a real broker to the ranger's page."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_runtime.journal.journal import Journal
from edge_runtime.settings import StationSettings, Uplink, Web
from edge_runtime.station.store import FILE_NAME, Store
from edge_runtime.station.web import PageServer, create_app
from edge_runtime.uplink.link import Link
from edge_runtime.values import Count, Event
from tests.broker import Mosquitto
from tests.station.device import eventually, ingesting

START = 1_780_000_000


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


class Ridge:
    """A device with a real journal and a real link."""

    def __init__(self, folder: Path, port: int) -> None:
        self.journal = self._open(folder)
        settings = Uplink(port=port, reconnect_min_seconds=0.1, reconnect_max_seconds=0.5, ack_timeout_seconds=1)
        self.link = Link(settings, "ridge", lambda: self._open(folder), models={"detector": "test"}, time_zone="UTC")
        self.link.start()

    def see(self, *counts: Count, at: int, camera: str = "waterhole", review: bool = False) -> None:
        event = Event(camera, at, at + 12, "exif", 5, counts, review)
        with self.journal.transaction():
            self.journal.codes.add_of(event)
            self.journal.outbox.put(event, now_s=at)
        self.link.wake()

    def close(self) -> None:
        self.link.stop()
        self.journal.close()

    @staticmethod
    def _open(folder: Path) -> Journal:
        return Journal(folder / "journal.sqlite", device="ridge")


def test_a_ranger_reads_who_was_seen_and_what_to_look_at(tmp_path: Path, broker: Mosquitto) -> None:
    settings = StationSettings(data=str(tmp_path), time_zone="UTC", broker=broker.settings, web=Web(port=0))
    with (
        closing(Store(tmp_path / FILE_NAME)) as store,
        ingesting(store, broker.settings) as ingest,
        closing(Ridge(tmp_path, broker.port)) as ridge,
    ):
        ridge.see(Count("leopard", 1, 0.93, "F12", 0.9), Count("leopard", 1, 0.8), at=START, review=True)
        eventually(ridge.journal.outbox.empty, "the first event is acknowledged")
        ridge.see(Count("lion", 1, 0.93, "F12", 0.9), at=START + 900, camera="bridge")
        ridge.see(Count("leopard", 1, 0.93, "F12", 0.97), at=START + 1800, camera="bridge")
        eventually(ridge.journal.outbox.empty, "all are acknowledged")
        page = PageServer(create_app(store, settings, ingest.health, clock=lambda: START + 2000), "127.0.0.1", 0)
        page.start()
        try:
            with urllib.request.urlopen(page.url, timeout=10) as answer:
                said = answer.read().decode()
        finally:
            page.stop()
        last, _, first = store.recent_events(10)
        assert (first.counts[0].individual, first.review) == ("F12", True)
        assert (last.counts, last.review) == ((Count("leopard", 1, 14 / 15, "F12", 1.0),), False)
        assert [(each.label, each.name, each.camera, each.events) for each in store.known_animals(9)] == [
            ("leopard", "F12", "bridge", 2),
            ("lion", "F12", "bridge", 1),
        ]
        assert ridge.journal.codes.names("individual") == ("F12",)
    text = " ".join(said.replace("<strong>", "").replace("</strong>", "").split())
    assert "one of them" in text and "to review" in text
    assert text.index("Known animals</h2>") < text.index("last at bridge")
