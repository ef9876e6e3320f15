from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.errors import PayloadError
from edge_runtime.journal.codes import MOST, Kind
from edge_runtime.journal.journal import Journal
from edge_runtime.uplink import records
from edge_runtime.uplink.bits import BitWriter
from edge_runtime.uplink.payload import EventRecord, Identity, SpeciesCount
from edge_runtime.values import Count, Event


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite", device="ridge")
    yield journal
    journal.close()


def test_an_events_names_get_codes_and_keep_them(journal: Journal) -> None:
    codes = journal.codes
    codes.add("label", ["animal", "leopard"])
    leopards = (Count("leopard", 1, 0.9, "F12", 0.9), Count("leopard", 1, 0.8))
    codes.add_of(Event("waterhole", 0, 0, "exif", 1, leopards))
    codes.add_of(Event("bridge", 0, 0, "exif", 1, (Count("aardwolf", 1, 0.9, "Nala", 0.9), *leopards)))
    assert codes.names("camera") == ("waterhole", "bridge")
    assert codes.names("label") == ("animal", "leopard", "aardwolf")
    assert codes.names("individual") == ("F12", "Nala")


def event_with(kind: Kind, code: int) -> EventRecord:
    codes: dict[Kind, int] = {"camera": 0, "label": 0, "individual": 0, kind: code}
    seen = SpeciesCount(codes["label"], 1, 1.0, Identity(codes["individual"], 1.0))
    return EventRecord(codes["camera"], 0, 0, 1, (seen,))


@pytest.mark.parametrize("kind", MOST)
def test_there_are_as_many_codes_as_the_payload_has_numbers_for(kind: Kind) -> None:
    records.write_event(BitWriter(), event_with(kind, MOST[kind] - 1))
    with pytest.raises(PayloadError, match=f"{MOST[kind]} is not in"):
        records.write_event(BitWriter(), event_with(kind, MOST[kind]))


def test_the_1025th_individual_gets_no_number_and_the_others_keep_theirs(journal: Journal) -> None:
    with journal.transaction():
        journal.codes.add("individual", (f"F{number}" for number in range(1030)))
        journal.codes.add("individual", ["F3", "one more"])
    names = journal.codes.names("individual")
    assert (len(names), names[0], names[-1]) == (1024, "F0", "F1023")
