"""bridge.conf.example between two real brokers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.tryout.ports import free_port
from tests.broker import Mosquitto
from tests.station.device import eventually
from tests.station.provisioning.house import DEPLOYED, House, door
from tests.station.provisioning.people import Visitor


def bridged(house: House, port: int) -> None:
    """Put the example into the house, for a distant broker at this port that knows the house's authority."""
    folder = house.folder / "mosquitto" / "bridge"
    house.provision("station-1").rename(folder)
    text = (DEPLOYED / "bridge.conf.example").read_text()
    for own, here in (
        ("mqtt.example.org:8883", f"127.0.0.1:{port}"),
        ("/etc/mosquitto/bridge/client.", f"{folder}/device."),
        ("/etc/mosquitto/bridge/", f"{folder}/"),
        ("restart_timeout 10 300", "restart_timeout 1 2"),
    ):
        assert own in text
        text = text.replace(own, here)
    (house.folder / "mosquitto" / "conf.d" / "bridge.conf").write_text(text)


@pytest.fixture
def distant(house: House, tmp_path: Path) -> Iterator[Mosquitto]:
    """A distant broker that trusts the house's authority, and a bridge to it in the house."""
    port, folder = free_port(), house.broker_folder
    bridged(house, port)
    options = f"allow_anonymous true\nlistener {port} 127.0.0.1\nrequire_certificate true\ncafile {folder}/ca.crt\n"
    options += f"certfile {folder}/broker.pem\nkeyfile {folder}/broker.pem"
    with Mosquitto(tmp_path / "distant", options=options) as running:
        yield running


def test_the_bridge_carries_what_devices_say_and_brings_nothing_back(house: House, distant: Mosquitto) -> None:
    device_door = door(house.provision("hut-1"))
    with house.broker, Visitor(device_door) as device, Visitor(house.station) as station:
        station.subscribe("#")
        with Visitor(distant.settings) as headquarters:
            headquarters.subscribe("#")
            device.publish("ct/1/hut-1/s", b"status", retain=True)
            eventually(lambda: ("ct/1/hut-1/s", b"status") in headquarters.received, "the bridge stands")
            station.publish("ct/1/hut-1/a", b"our acknowledgement")
            headquarters.publish("ct/1/hut-1/a", b"their acknowledgement")
            headquarters.publish("ct/1/hut-1/e", b"forged")
            device.publish("ct/1/hut-1/e", b"last")
            eventually(lambda: ("ct/1/hut-1/e", b"last") in headquarters.received, "the last arrives")
            eventually(lambda: ("ct/1/hut-1/e", b"last") in station.received, "at both ends")
            assert ("ct/1/hut-1/a", b"our acknowledgement") not in headquarters.received
            assert not {b"their acknowledgement", b"forged"} & {payload for _, payload in station.received}


def test_what_devices_say_while_there_is_no_way_goes_over_the_bridge_later(house: House, distant: Mosquitto) -> None:
    with house.broker, Visitor(door(house.provision("hut-1"))) as device:
        # Remembered by the distant broker, so that nothing is missed where the bridge is back first.
        with Visitor(distant.settings, remembered=True) as headquarters:
            headquarters.subscribe("#")
            device.publish("ct/1/hut-1/s", b"status", retain=True)
            eventually(lambda: ("ct/1/hut-1/s", b"status") in headquarters.received, "the bridge stands")
        distant.stop()
        device.publish("ct/1/hut-1/e", b"while there was no way")
        distant.start()
        with Visitor(distant.settings, remembered=True) as headquarters:
            eventually(lambda: ("ct/1/hut-1/e", b"while there was no way") in headquarters.received, "it waited")
