"""What a device may say and hear at a real mosquitto with this project's rules."""

from __future__ import annotations

import contextlib
import shutil

import msgspec
import pytest

from edge_runtime.station.store import FILE_NAME, Store
from edge_runtime.uplink import codebook, topics
from edge_runtime.uplink.topics import Kind
from tests.station.device import connected, eventually, ingesting
from tests.station.provisioning.house import CONNECTED, House, door, knock
from tests.station.provisioning.people import Device, Visitor


@pytest.fixture
def store(house: House) -> Store:
    return Store(house.folder / "data" / FILE_NAME)


def test_an_event_of_a_provisioned_device_is_stored_and_acknowledged(open_house: House, store: Store) -> None:
    folder = open_house.provision("hut-1")
    with ingesting(store, open_house.station), Device(folder, open_house.folder / "journal") as device:
        device.see()
        assert device.waiting == 1
        eventually(lambda: device.waiting == 0, "the station acknowledges")
    assert [(each.device, each.camera) for each in store.recent_events(10)] == [("hut-1", "CAM01")]


def test_what_waits_on_a_device_goes_out_with_its_next_key(open_house: House, store: Store) -> None:
    folder, journal = open_house.provision("hut-1"), open_house.folder / "journal"
    with ingesting(store, open_house.station) as ingest:
        connected(ingest)
        new = open_house.rotate("hut-1", "--reload")
        with Device(folder, journal) as before:
            before.see()
        assert before.waiting == 1
        for name in ("device.crt", "device.key"):
            shutil.copy(new / name, folder / name)
        with Device(folder, journal) as after:
            eventually(lambda: after.waiting == 0, "the station acknowledges")
    assert len(store.recent_events(10)) == 1


def test_a_device_with_the_certificate_of_another_says_nothing_in_its_place(open_house: House, store: Store) -> None:
    mine, other = open_house.provision("hut-1"), open_house.provision("hut-2")
    for name in ("device.crt", "device.key"):
        shutil.copy(other / name, mine / name)
    with ingesting(store, open_house.station) as ingest, Visitor(open_house.station) as listener:
        connected(ingest)
        listener.subscribe("#")
        # It claims to be hut-1 in every way that MQTT has: by topic, by client id, by user.
        with Device(mine, open_house.folder / "journal", user="hut-1") as liar:
            liar.see()
            eventually(lambda: liar.link.messages_sent >= 2, "it sends, and again for want of an acknowledgement")
            assert liar.waiting == 1
        with Device(other, open_house.folder / "other") as honest:
            honest.see()
            eventually(lambda: honest.waiting == 0, "the other device itself is heard")
        assert {topics.split(topic)[0] for topic, _ in listener.received} == {"hut-2"}
    assert {each.device for each in store.recent_events(10)} == {"hut-2"}


@pytest.mark.parametrize("kind", [*topics.FROM_DEVICE])
def test_a_device_writes_its_own_topics_and_nothing_else(open_house: House, kind: Kind) -> None:
    foreign = [
        topics.topic("hut-2", kind),
        "ct/1/hut-1",
        f"ct/1/hut-1/{kind.value}/x",
        "ct/1/edge-station/e",
        "x",
        "$SYS/x",
    ]
    folder = open_house.provision("hut-1")
    with Visitor(open_house.station, "listener") as listener, Visitor(door(folder)) as device:
        listener.subscribe("#")
        for topic in foreign:
            device.publish(topic, b"wrong")
        device.publish(topics.topic("hut-1", kind), b"right")
        eventually(lambda: listener.received, "its own topic arrives")
        device.publish(topics.topic("hut-1", kind), b"last")
        eventually(lambda: listener.received[-1][1] == b"last", "and once more, after all others")
        assert {payload for _, payload in listener.received} == {b"right", b"last"}


def test_a_device_hears_its_own_acknowledgements_and_commands_and_nothing_else(open_house: House) -> None:
    mine, other = door(open_house.provision("hut-1")), door(open_house.provision("hut-2"))
    with Visitor(open_house.station) as station, Visitor(mine) as curious, Visitor(other) as busy:
        curious.subscribe("#", "ct/1/+/a", "ct/1/hut-2/#", "$SYS/#")
        busy.publish("ct/1/hut-2/e", b"secret")
        for topic in ("ct/1/hut-2/a", "ct/1/hut-2/c", "ct/1/hut-1/e", "homeassistant/x"):
            station.publish(topic, b"secret")
        station.publish("ct/1/hut-1/c", b"for me")
        station.publish("ct/1/hut-1/a", b"for me too")
        eventually(lambda: ("ct/1/hut-1/a", b"for me too") in curious.received, "its own acknowledgement arrives")
        assert set(curious.received) == {("ct/1/hut-1/c", b"for me"), ("ct/1/hut-1/a", b"for me too")}


def test_a_device_cannot_end_the_session_of_another_or_of_the_station(open_house: House) -> None:
    mine, other = door(open_house.provision("hut-1")), door(open_house.provision("hut-2"))
    with Visitor(open_house.station, "edge-station-station") as station, Visitor(other, "edge-runtime-hut-2") as busy:
        for claimed in ("edge-station-station", "edge-runtime-hut-2", "hut-2"):
            assert knock(mine, claimed) == CONNECTED
        station.publish("ct/1/hut-2/a", b"still here")
        assert station.connected
        assert busy.connected


def test_what_is_retained_of_a_device_outlives_a_restart_of_the_broker(open_house: House) -> None:
    with Visitor(door(open_house.provision("hut-1"))) as device:
        device.publish("ct/1/hut-1/s", b"status", retain=True)
    open_house.broker.restart()
    with Visitor(open_house.station) as listener:
        listener.subscribe("ct/1/#")
        eventually(lambda: listener.received == [("ct/1/hut-1/s", b"status")], "the status is still there")


def test_a_message_larger_than_any_of_the_specification_goes_no_further(open_house: House) -> None:
    longest_name = "h" * 32
    device_door, topic = door(open_house.provision(longest_name)), topics.codebook(longest_name)
    with Visitor(open_house.station) as listener:
        listener.subscribe("#")
        with Visitor(device_door) as device:
            with contextlib.suppress(RuntimeError):  # paho's word for a connection that went.
                device.publish(topic, bytes(131_200), seconds=0.5)
            eventually(lambda: not device.connected, "whoever sends it is disconnected")
        with Visitor(device_door) as device:
            device.publish(topic, bytes(codebook.MAX_COMPRESSED))
            eventually(lambda: [len(payload) for _, payload in listener.received] == [131_072], "the longest arrives")


def test_the_password_of_the_station_is_of_no_use_at_the_devices_door(open_house: House) -> None:
    whole, station = door(open_house.provision("hut-1")), open_house.station
    claimed = msgspec.structs.replace(whole, user=station.user, password_file=station.password_file)
    with Visitor(station, "listener") as listener, Visitor(claimed) as device:
        listener.subscribe("#")
        device.publish("ct/1/hut-2/a", b"forged")
        device.publish("ct/1/hut-1/e", b"mine")
        eventually(lambda: listener.received == [("ct/1/hut-1/e", b"mine")], "it is still hut-1")
