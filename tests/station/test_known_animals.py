"""Individuals: who an event says was seen, and where each known animal was last."""

from __future__ import annotations

from contextlib import closing

from edge_runtime.database import open_read_only
from edge_runtime.station import animals, queries
from edge_runtime.station.store import Store
from edge_runtime.values import Count
from tests.station.device import NOW_S, arrivals, book, introduction, message, seen, sighting
from tests.station.ridge import BOOK, EVENTS, NAMED, known, told


def test_an_event_says_who_was_seen_and_that_a_person_should_look(store: Store) -> None:
    committed = store.commit([*introduction(NAMED), *told(1, seen(1, 0), seen(1), review=True)])
    (stored,) = store.recent_events(10)
    assert stored == committed.events[0]
    assert stored.counts == (Count("leopard", 1, 0.8, "F12", 6 / 7), Count("leopard", 1, 0.8))
    assert stored.review


def test_a_number_without_a_name_is_told_with_its_device(store: Store) -> None:
    ford = book("ford")
    payload = message(ford, 1, [sighting(seen(1, 7))])
    store.commit([*introduction(BOOK), *arrivals((EVENTS, message(BOOK, 1, [sighting(seen(1, 7))])))])
    store.commit([*introduction(ford), *arrivals(("ct/1/ford/e", payload))])
    assert [each.counts[0].individual for each in store.recent_events(10)] == ["ford #7", "ridge #7"]
    assert {each.name for each in store.known_animals(10)} == {"ford #7", "ridge #7"}


def test_a_known_animal_is_where_it_was_last_whatever_came_last(store: Store) -> None:
    store.commit([*introduction(NAMED), *told(1, seen(1, 0), camera=1), *told(2, seen(1, 1), at=NOW_S - 50)])
    store.commit(told(3, seen(1, 0), at=NOW_S - 900))
    assert known(store) == [("leopard", "F12", 2, "waterhole", 0), ("leopard", "Nala", 1, "cam7", -50)]
    store.commit(told(4, seen(1, 1), at=NOW_S + 60))
    assert known(store) == [("leopard", "Nala", 2, "cam7", 60), ("leopard", "F12", 2, "waterhole", 0)]
    assert [each.name for each in store.known_animals(1)] == ["Nala"]


def test_a_wrong_clock_does_not_make_a_known_animal_seen_in_the_future(store: Store) -> None:
    store.commit([*introduction(NAMED), *told(1, seen(1, 0), at=NOW_S + 10**7)])
    assert [(each.last_s, each.timed) for each in store.known_animals(9)] == [(NOW_S, False)]
    store.commit(told(2, seen(1, 0)))
    assert [(each.last_s, each.timed) for each in store.known_animals(9)] == [(NOW_S, True)]


def test_a_repetition_or_a_contradiction_is_no_sighting(store: Store) -> None:
    store.commit([*introduction(NAMED), *told(1, seen(1, 0)), *told(1, seen(1, 0)), *told(1, seen(1, 1))])
    assert known(store) == [("leopard", "F12", 1, "cam7", 0)]


def test_an_animal_that_an_event_names_twice_was_seen_in_one_event(store: Store) -> None:
    store.commit([*introduction(NAMED), *told(1, seen(1, 0), seen(1, 0))])
    assert known(store) == [("leopard", "F12", 1, "cam7", 0)]


def test_animals_of_two_species_may_share_a_name_and_devices_share_an_animal(store: Store) -> None:
    ford = book("ford", individuals=("Nala", "F12"))
    store.commit([*introduction(NAMED), *told(1, seen(0, 0), seen(1, 0))])
    payload = message(ford, 1, [sighting(seen(1, 1), at=NOW_S + 5)])
    store.commit([*introduction(ford), *arrivals(("ct/1/ford/e", payload))])
    assert known(store) == [("leopard", "F12", 2, "cam7", 5), ("animal", "F12", 1, "cam7", 0)]
    assert store.known_animals(1)[0].device == "ford"


def test_the_events_of_a_known_animal_can_be_asked_for(store: Store) -> None:
    store.commit([*introduction(NAMED), *told(1, seen(1, 0)), *told(2, seen(1, 1)), *told(3, seen(1, 0), seen(1, 1))])
    found = store.recent_events(10, animal=("leopard", "F12"))
    assert [each.sequence for each in found] == [3, 1]
    assert [each.sequence for each in store.recent_events(10, found[1].id, animal=("leopard", "F12"))] == [3]
    assert store.recent_events(10, device="ford", animal=("leopard", "F12")) == []
    assert store.recent_events(10, animal=("lion", "F12")) == []


def test_known_animals_and_their_events_are_told_without_walking_through_all_events(store: Store) -> None:
    def steps() -> list[int]:
        counts = []
        with closing(open_read_only(store.file)) as connection:
            for question in (
                lambda: animals.latest(connection, 6),
                lambda: queries.recent_events(connection, 5, None, None, ("leopard", "Nala")),
            ):
                done = [0]
                connection.set_progress_handler(lambda done=done: done.__setitem__(0, done[0] + 1), 1)
                assert question()
                counts.append(done[0])
        return counts

    store.commit([*introduction(NAMED), *told(1, seen(1, 0), at=NOW_S), *told(2, seen(1, 1), at=NOW_S)])
    few = steps()
    for number in range(3, 1003):
        store.commit(told(number, seen(1, 0), at=NOW_S + number))
    assert steps() == few
