"""From a device's events to records: who was seen, and whether a person should look."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from edge_runtime.journal.outbox import Waiting
from edge_runtime.uplink import codec
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.packing import MAX_SPECIES, event_record, pack
from edge_runtime.uplink.payload import EventRecord, Identity
from edge_runtime.values import Count, Event
from tests.uplink import strategies as some

START = 1_780_000_000
BOOK = Codebook("ridge", "0" * 16, some.CAMERAS, some.LABELS, individuals=some.INDIVIDUALS)
LEOPARDS = Event(
    *("waterhole", START, START + 12, "exif", 5),
    counts=(Count("leopard", 1, 0.93, "F12", 0.86), Count("leopard", 1, 0.8)),
    review=True,
)


def sent(event: Event, codebook: Codebook = BOOK) -> EventRecord:
    """What a reader gets of it."""
    payload, number = pack([Waiting(1, event, START)], codebook, limit=1000)
    (record,) = codec.decode(payload, received_s=START).records
    assert number == 1 and isinstance(record, EventRecord)
    return record


def test_a_known_animal_and_the_review_flag_travel() -> None:
    record = sent(LEOPARDS)
    assert record.review
    assert [(BOOK.label_name(entry.code), entry.count) for entry in record.species] == [("leopard", 1)] * 2
    assert [entry.identity for entry in record.species] == [Identity(11, 6 / 7), None]
    assert BOOK.individual_name(11) == "F12"
    assert not sent(replace(LEOPARDS, review=False)).review


@given(some.summaries)
def test_whatever_a_device_says_of_who_it_saw_is_what_a_reader_gets(event: Event) -> None:
    record = sent(event)
    assert record == codec.quantized(event_record(event, BOOK))
    assert record.review == event.review
    assert BOOK.camera_name(record.camera) == event.camera
    assert len(record.species) == min(len(event.counts), MAX_SPECIES)
    for entry, count in zip(record.species, event.counts, strict=False):
        assert (BOOK.label_name(entry.code), entry.count) == (count.label, count.count)
        named = count.individual if count.individual in BOOK.individuals else None
        assert (entry.identity and BOOK.individual_name(entry.identity.individual)) == named
        if entry.identity:
            assert entry.identity.score == pytest.approx(count.score, abs=1 / 14)


def test_an_individual_without_a_number_travels_as_one_of_its_label() -> None:
    stranger = replace(LEOPARDS, counts=(Count("leopard", 1, 0.93, "F1025", 0.86),))
    for codebook in (BOOK, replace(BOOK, individuals=(), body=b"")):
        (entry,) = sent(stranger, codebook).species
        assert (codebook.label_name(entry.code), entry.count, entry.identity) == ("leopard", 1, None)


def test_animals_of_two_labels_may_share_a_name() -> None:
    counts = (Count("leopard", 1, 0.9, "F1", 0.9), Count("lion", 1, 0.9, "F1", 0.9))
    record = sent(replace(LEOPARDS, counts=counts))
    assert [(entry.code, entry.identity and entry.identity.individual) for entry in record.species] == [(1, 0), (2, 0)]
