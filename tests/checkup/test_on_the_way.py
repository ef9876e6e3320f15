"""Faults planted between the device and the station, with a real mosquitto and a real station."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge_runtime.checkup import station as step
from edge_runtime.checkup.world import World, command_lines
from edge_runtime.settings import Uplink
from edge_runtime.tryout.ports import free_port
from edge_runtime.uplink import link, topics
from edge_runtime.uplink.ack import Ack
from edge_runtime.values import Count, Event
from tests.broker import Mosquitto
from tests.checkup import site
from tests.checkup.authority import Authority
from tests.checkup.claims import are_skipped, is_bad
from tests.checkup.kit import DEVICE, NOW_S, Kit
from tests.station.device import book, eventually


def retained(port: int, topic: str) -> bytes:
    """What stands on a topic of a broker that anybody may read."""
    seen: list[bytes] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: client.subscribe(topic, qos=1)
    client.on_message = lambda _client, _data, message: seen.append(bytes(message.payload))
    client.connect("127.0.0.1", port)
    client.loop_start()
    eventually(lambda: bool(seen), f"something stands on {topic}")
    client.disconnect()
    client.loop_stop()
    return seen[0]


def test_with_a_broker_and_a_station_every_step_of_the_way_is_good(
    kit: Kit, authority: Authority, certificate: tuple[Path, Path]
) -> None:
    with (
        site.broker(kit, authority, certificate) as broker,
        site.station(kit, broker.port, authority) as (_, store),
    ):
        found = kit.look(with_network=True)
        assert {name: each.status for name, each in found.items()} == dict.fromkeys(found, "good"), found
        for name in ("port", "TLS", "login"):
            assert f"localhost:{broker.port}" in found[name].found and " ms" in found[name].found
        eventually(lambda: [each.online for each in store.devices()] == [False], "the device has said goodbye")
        assert store.recent_events(10) == [] and store.totals().bad == 0
        # A second look, at a station that knows the device by now, says the same.
        assert kit.look(with_network=True)["station"].status == "good"


def test_an_unknown_host_name_is_the_fault_of_the_name_and_nothing_after_it_is_tried(kit: Kit) -> None:
    kit.settings["uplink"] = {"host": "station.invalid"}
    kit.save()

    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    kit.change(resolve=unknown)
    found = kit.look(with_network=True)
    is_bad(found["name"], "station.invalid", "not known", next_step="getent hosts station.invalid")
    are_skipped(found, "port", "TLS", "login", "publish", "station")


def test_a_closed_port_is_told_apart_from_an_unknown_name(kit: Kit) -> None:
    port = free_port()
    site.at(kit, port)
    found = kit.look(with_network=True)
    assert found["name"].status == "good"
    is_bad(found["port"], f"localhost:{port}", "nothing listens", next_step="systemctl status mosquitto")
    are_skipped(found, "login", "publish", "station")


def test_a_broker_that_knows_only_mqtt_3_1_1_leaves_the_proof_to_the_station(kit: Kit) -> None:
    iotcore = pytest.importorskip("iotcore")
    port = free_port()
    with iotcore.Broker(port=port, listen="127.0.0.1"):
        site.at(kit, port)
        with site.station(kit, port):
            found = kit.look(with_network=True)
    assert found["login"].status == found["station"].status == "good", found
    assert found["publish"].status == "skipped" and "3.1.1" in found["publish"].found


def test_a_wrong_password_is_told_with_the_account_and_how_to_set_it(
    kit: Kit, authority: Authority, certificate: tuple[Path, Path]
) -> None:
    with site.broker(kit, authority, certificate):
        (kit.folder / "password.txt").write_text("guess")
        found = kit.look(with_network=True)
    assert found["TLS"].status == "good"
    is_bad(found["login"], f"'{DEVICE}'", "wrong password", next_step="mosquitto_passwd")
    are_skipped(found, "publish", "station")


def test_a_password_that_everybody_may_read_is_a_warning(
    kit: Kit, authority: Authority, certificate: tuple[Path, Path]
) -> None:
    kit.answer_seconds = 0.1
    with site.broker(kit, authority, certificate):
        (kit.folder / "password.txt").chmod(0o644)
        finding = kit.look(with_network=True)["login"]
    assert finding.status == "warn" and finding.next_step.startswith("chmod 600")


def test_a_publish_that_the_rules_forbid_is_told_although_the_login_is_good(
    kit: Kit, authority: Authority, certificate: tuple[Path, Path]
) -> None:
    with site.broker(kit, authority, certificate, rules=site.MUTE):
        found = kit.look(with_network=True)
    assert found["login"].status == "good"
    is_bad(found["publish"], "may not write", topics.online(DEVICE), next_step="pattern write ct/1/%u/+")
    are_skipped(found, "station")


def test_without_a_station_it_is_said_that_nobody_has_subscribed(
    kit: Kit, authority: Authority, certificate: tuple[Path, Path]
) -> None:
    kit.answer_seconds = 1.0
    with site.broker(kit, authority, certificate):
        found = kit.look(with_network=True)
    assert found["publish"].status == "good"
    is_bad(found["station"], "nobody has subscribed", next_step="edge-station serve")


def test_a_station_that_is_away_is_told_apart_from_one_that_never_came(kit: Kit, tmp_path: Path) -> None:
    kit.answer_seconds = 1.0
    with Mosquitto(tmp_path / "broker") as broker:
        site.at(kit, broker.port)
        with site.station(kit, broker.port):
            pass  # the broker keeps its subscription
        is_bad(kit.look(with_network=True)["station"], "somebody has subscribed", next_step="edge-station serve")


def test_a_device_that_never_ran_is_told_to_run_once(kit: Kit, tmp_path: Path) -> None:
    kit.journal.unlink()
    with Mosquitto(tmp_path / "broker") as broker:
        site.at(kit, broker.port)
        found = kit.look(with_network=True)
    assert found["publish"].status == "good"
    assert found["station"].status == "skipped" and "--until-idle" in found["station"].next_step
    assert not kit.journal.exists()


def test_afterwards_the_broker_says_that_the_device_is_not_connected(kit: Kit, tmp_path: Path) -> None:
    kit.answer_seconds = 0.5
    with Mosquitto(tmp_path / "broker") as broker:
        site.at(kit, broker.port)
        kit.look(with_network=True)
        assert retained(broker.port, topics.online(DEVICE)) == topics.OFFLINE


def test_the_link_believes_acknowledgements_that_name_what_the_check_up_published(kit: Kit, tmp_path: Path) -> None:
    kit.answer_seconds = 0.5
    with Mosquitto(tmp_path / "broker") as broker:
        site.at(kit, broker.port)
        kit.look(with_network=True)
    digest = book().digest
    assert step.key(digest) == link._codebook_key(digest[:4])
    journal = kit.open_journal()
    try:
        (noted,) = journal._connection.execute("SELECT value FROM meta WHERE key LIKE 'codebook/%'").fetchall()
        assert noted[0] == "published"
    finally:
        journal.close()


def deliver(kit: Kit, port: int, models: dict[str, str]) -> None:
    """What the daemon does with one new summary, until a station has acknowledged it."""
    journal = kit.open_journal()
    uplink = Uplink(host="localhost", port=port, ack_timeout_seconds=1)
    sends = link.Link(uplink, DEVICE, kit.open_journal, models=models, time_zone="Africa/Nairobi")
    try:
        with journal.transaction():
            journal.codes.add_of(event())
            journal.outbox.put(event(), now_s=int(NOW_S))
        sends.start()
        eventually(journal.outbox.empty, "the summary is acknowledged")
    finally:
        sends.stop()
        journal.close()


def test_a_look_between_two_runs_keeps_no_summary_from_being_acknowledged(kit: Kit, tmp_path: Path) -> None:
    # The settings name another model than the daemon used, so that the check-up introduces the device anew.
    with Mosquitto(tmp_path / "broker") as broker:
        site.at(kit, broker.port)
        with site.station(kit, broker.port) as (_, store):
            deliver(kit, broker.port, {"detector": "an earlier one"})
            told = kit.look(with_network=True)["station"]
            assert told.status == "good" and "up to 1" in told.found
            deliver(kit, broker.port, {"detector": "an earlier one"})
            assert [each.sequence for each in store.recent_events(10)] == [2, 1]


def run_beside(kit: Kit) -> Callable[[], list[list[str]]]:
    return lambda: [["/usr/bin/python3", "/opt/edge/bin/edge-runtime", "run", "-c", str(kit.config)]]


def test_a_real_daemon_is_recognised_among_the_processes(kit: Kit) -> None:
    def ours() -> list[Sequence[str]]:
        return [words for words in command_lines() if str(kit.config) in words]

    world = World(command_lines=ours)
    assert not world.daemon_runs()
    daemon = subprocess.Popen([sys.executable, "-m", "edge_runtime.cli", "run", "-c", str(kit.config)])
    try:
        eventually(world.daemon_runs, "the daemon is seen")
    finally:
        daemon.kill()
        daemon.wait()
    assert not world.daemon_runs()


def test_beside_a_running_daemon_nothing_is_sent_and_its_journal_is_asked(kit: Kit, tmp_path: Path) -> None:
    kit.change(command_lines=run_beside(kit))
    with Mosquitto(tmp_path / "broker") as broker:
        site.at(kit, broker.port)
        found = kit.look(with_network=True)
        for name in ("login", "publish", "station"):
            assert found[name].status == "skipped" and "systemctl stop edge-runtime" in found[name].next_step
        journal = kit.open_journal()
        journal.outbox.put(event(), now_s=int(NOW_S) - 7200)
        waits = kit.look(with_network=True)["station"]
        assert waits.status == "warn" and "2.0 h" in waits.found and "journalctl -u edge-runtime" in waits.next_step
        journal.outbox.acknowledge(1, ())
        journal.close()
        told = kit.look(with_network=True)["station"]
        assert told.status == "good" and "all 1" in told.found


def test_a_copied_journal_is_recognised_by_what_its_twin_has_sent(kit: Kit, tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        site.at(kit, broker.port)
        twin = Twin(broker.port)
        found = kit.look(with_network=True)["station"]
        twin.close()
    is_bad(found, "number 7", "a copy of its journal", next_step="set another `device:`")


def event() -> Event:
    return Event("CAM", int(NOW_S), int(NOW_S), "exif", 1, (Count("animal", 1, 0.9),), False)


class Twin:
    """A station that has seven summaries of the device, whatever it says."""

    def __init__(self, port: int) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda *_: self._client.subscribe(topics.codebook(DEVICE), qos=1)
        self._client.on_message = self._answer
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _answer(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        digest = step.Codebook.from_bytes(bytes(message.payload)).digest
        client.publish(topics.ack(DEVICE), Ack.build(digest, 7).encode(), qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
