"""What the device `ridge` says to its station, and which animals a store then knows."""

from __future__ import annotations

from typing import Any

from edge_runtime.station.store import Reader
from edge_runtime.station.values import Arrival
from edge_runtime.uplink.payload import SpeciesCount
from tests.station.device import NOW_S, arrivals, book, event, message, sighting

BOOK = book()
NAMED = book(individuals=("F12", "Nala"))
EVENTS, STATUS, CODEBOOK, ONLINE = (f"ct/1/ridge/{kind}" for kind in "esmo")


def said(sequence: int, *numbers: int) -> tuple[str, bytes]:
    """A message of events that start at `sequence`."""
    return EVENTS, message(BOOK, sequence, [event(number) for number in numbers])


def told(sequence: int, *entries: SpeciesCount, **how: Any) -> list[Arrival]:
    """An event of the codebook that names individuals."""
    return arrivals((EVENTS, message(NAMED, sequence, [sighting(*entries, **how)])))


def known(store: Reader) -> list[tuple[str, str, int, str, int]]:
    return [(each.label, each.name, each.events, each.camera, each.last_s - NOW_S) for each in store.known_animals(10)]
