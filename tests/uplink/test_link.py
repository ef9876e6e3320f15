"""The link against a real mosquitto: login, TLS, last will, codebook on demand, and a wire that goes silent."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge_runtime.errors import ConfigError
from edge_runtime.journal.codes import Codes, Kind
from edge_runtime.journal.journal import Journal
from edge_runtime.settings import Tls, Uplink
from edge_runtime.uplink import codec, topics
from edge_runtime.uplink.ack import Ack
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.link import Link
from edge_runtime.uplink.status import DeviceStatus
from edge_runtime.values import Count, Event
from tests.broker import Mosquitto

START = 1_780_000_000


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.02)


class Station:
    """Just enough of a station to see what a device sends, and to answer by hand."""

    def __init__(self, port: int) -> None:
        self.received: list[tuple[str, bytes, bool]] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("ct/1/#", qos=1)
        ready = threading.Event()
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = lambda _, __, m: self.received.append((m.topic, m.payload, m.retain))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert ready.wait(10)

    def on(self, topic: str) -> list[bytes]:
        return [payload for name, payload, _ in list(self.received) if name == topic]

    def acknowledge(self, ack: Ack) -> None:
        self._client.publish(topics.ack("dev"), ack.encode(), qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Desk:
    """A link over a real journal."""

    def __init__(self, folder: Path, port: int, **settings: object) -> None:
        self._open = lambda: Journal(folder / "journal.sqlite", device="dev")
        self.journal = self._open()
        self.journal.codes.add("camera", ["CAM01"])
        self.journal.codes.add("label", ["animal"])
        chosen = {"reconnect_min_seconds": 0.1, "reconnect_max_seconds": 0.5, "ack_timeout_seconds": 1, **settings}
        self.link = Link(Uplink(port=port, **chosen), "dev", self._open, models={"detector": "test"}, time_zone="UTC")

    @property
    def codebook(self) -> Codebook:
        names = self.journal.codes.names
        return Codebook("dev", self.journal.epoch, names("camera"), names("label"), {"detector": "test"}, "UTC")

    def add(self, number: int = 1) -> None:
        for index in range(number):
            time_s = START + 700 * index
            self.journal.outbox.put(Event("CAM01", time_s, time_s, "exif", 1, (Count("animal", 1, 0.9),)), now_s=0)
        self.link.wake()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker", options="persistence false") as broker:
        yield broker


@pytest.fixture
def station(broker: Mosquitto) -> Iterator[Station]:
    station = Station(broker.port)
    yield station
    station.close()


@pytest.fixture
def desk(tmp_path: Path, broker: Mosquitto) -> Iterator[Desk]:
    desk = Desk(tmp_path, broker.port)
    desk.link.start()
    yield desk
    desk.link.stop()


def test_an_event_stays_in_the_outbox_until_a_station_has_committed_it(desk: Desk, station: Station) -> None:
    desk.add()
    until(lambda: station.on(topics.events("dev")))
    time.sleep(0.3)  # the broker's own PUBACK is long here
    assert desk.journal.outbox.waiting() == 1
    station.acknowledge(Ack.build(desk.codebook.digest, 1))
    until(lambda: desk.journal.outbox.waiting() == 0)


def test_a_camera_that_appears_while_a_message_is_made_is_named_in_it(
    tmp_path: Path, broker: Mosquitto, station: Station
) -> None:
    desk = Desk(tmp_path, broker.port)

    class Busy(Codes):
        """Between the reading of the names and that of the outbox, the card's thread commits a new camera's event."""

        committed = False

        def names(self, kind: Kind) -> tuple[str, ...]:
            names = super().names(kind)
            if kind == "label" and not Busy.committed:
                Busy.committed = True
                with desk.journal.transaction():
                    desk.journal.codes.add("camera", ["CAM02"])
                    event = Event("CAM02", START, START, "exif", 1, (Count("animal", 1, 0.9),))
                    desk.journal.outbox.put(event, now_s=0)
            return names

    def open_journal() -> Journal:
        journal = Journal(tmp_path / "journal.sqlite", device="dev")
        journal.codes = Busy(journal._connection)
        return journal

    link = Link(Uplink(port=broker.port), "dev", open_journal, models={"detector": "test"}, time_zone="UTC")
    desk.add()
    link.start()
    try:
        until(lambda: station.on(topics.events("dev")))
        link.wake()
        until(lambda: len(station.on(topics.events("dev"))) == 2)
    finally:
        link.stop()
    messages = [codec.decode(payload, received_s=START) for payload in station.on(topics.events("dev"))]
    assert [record.camera for message in messages for record in message.records] == [0, 1]


def test_an_unacknowledged_event_is_said_again(desk: Desk, station: Station) -> None:
    desk.add()
    until(lambda: len(station.on(topics.events("dev"))) >= 2)
    first, second = station.on(topics.events("dev"))[:2]
    assert first == second


def test_the_codebook_comes_before_the_first_event_and_again_when_it_is_asked_for(desk: Desk, station: Station) -> None:
    desk.add()
    until(lambda: station.on(topics.events("dev")))
    names = [topic for topic, _, _ in station.received]
    assert names.index(topics.codebook("dev")) < names.index(topics.events("dev"))
    book = Codebook.from_bytes(station.on(topics.codebook("dev"))[0])
    message = codec.decode(station.on(topics.events("dev"))[0], received_s=START)
    assert book.matches(message) and book.label_name(message.records[0].species[0].code) == "animal"
    station.acknowledge(Ack.asking(book.wire_id))
    until(lambda: len(station.on(topics.codebook("dev"))) == 2)
    assert desk.journal.outbox.waiting() == 1


def test_a_codebook_that_a_station_has_shown_to_have_is_not_sent_again(
    tmp_path: Path, broker: Mosquitto, desk: Desk, station: Station
) -> None:
    desk.add()
    until(lambda: station.on(topics.events("dev")))
    station.acknowledge(Ack.build(desk.codebook.digest, 1))
    until(lambda: desk.journal.outbox.waiting() == 0)
    desk.link.stop()
    again = Desk(tmp_path, broker.port)
    again.link.start()
    again.add()
    until(lambda: len(station.on(topics.events("dev"))) >= 2)
    again.link.stop()
    assert len(station.on(topics.codebook("dev"))) == 1


@pytest.mark.parametrize("digest", [b"\xaa\xbb\xcc\xdd", b"\0\0\0\0"])
def test_an_ack_of_another_epoch_removes_nothing(desk: Desk, station: Station, digest: bytes) -> None:
    desk.add(3)
    until(lambda: station.on(topics.events("dev")))
    station.acknowledge(Ack(digest, 3))
    station.acknowledge(Ack.build(desk.codebook.digest, 1))
    until(lambda: desk.journal.outbox.waiting() == 2)


def test_garbage_on_the_ack_topic_disturbs_nothing(desk: Desk, station: Station) -> None:
    desk.add()
    until(lambda: station.on(topics.events("dev")))
    for junk in (b"", b"\xff" * 40, b"\x10", b"\x11" + bytes(20)):
        station._client.publish(topics.ack("dev"), junk, qos=1)
    station.acknowledge(Ack.build(desk.codebook.digest, 1))
    until(lambda: desk.journal.outbox.waiting() == 0)


def test_the_status_tells_what_the_device_still_holds(desk: Desk, station: Station) -> None:
    desk.add(2)
    until(lambda: station.on(topics.events("dev")))
    station.acknowledge(Ack.build(desk.codebook.digest, 2))
    until(lambda: any(DeviceStatus.from_bytes(raw).first == 3 for raw in station.on(topics.status("dev"))))


def test_a_device_says_that_it_is_there_and_says_goodbye(desk: Desk, station: Station) -> None:
    until(lambda: station.on(topics.online("dev")) == [b"1"])
    desk.link.stop()
    until(lambda: station.on(topics.online("dev")) == [b"1", b"0"])


def test_a_device_that_drops_dead_is_reported_by_its_last_will(desk: Desk, station: Station) -> None:
    until(lambda: station.on(topics.online("dev")) == [b"1"])
    client = desk.link._connection.client
    assert client is not None
    client.socket().shutdown(socket.SHUT_RDWR)  # no DISCONNECT packet: as after a power cut
    until(lambda: b"0" in station.on(topics.online("dev")))
    until(lambda: station.on(topics.online("dev"))[-1] == b"1")  # and it comes back by itself


def test_a_broker_that_comes_late_is_found(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker", options="persistence false")
    desk = Desk(tmp_path, broker.port)
    desk.add()
    desk.link.start()
    time.sleep(1.0)
    broker.start()
    try:
        station = Station(broker.port)
        until(lambda: station.on(topics.events("dev")))
        station.close()
    finally:
        desk.link.stop()
        broker.kill()


def test_the_kernel_counts_more_bytes_than_the_payload_alone(desk: Desk, station: Station) -> None:
    desk.add()
    until(lambda: station.on(topics.events("dev")))
    until(lambda: desk.link.traffic().received > 0)
    assert desk.link.payload_bytes_sent % 13 == 0 and desk.link.traffic().sent > desk.link.payload_bytes_sent


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Mosquitto, Path]]:
    """A broker with TLS and a password, and the folder of its certificate."""
    if shutil.which("openssl") is None or shutil.which("mosquitto_passwd") is None:
        pytest.skip("openssl or mosquitto_passwd is not installed")
    folder = tmp_path / "tls"
    folder.mkdir()
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [*made, "-keyout", str(folder / "key.pem"), "-out", str(folder / "ca.pem")], check=True, capture_output=True
    )
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(folder / "users"), "dev", "secret"], check=True)
    options = f"persistence false\nallow_anonymous false\npassword_file {folder}/users\n"
    options += f"certfile {folder}/ca.pem\nkeyfile {folder}/key.pem\n"
    with Mosquitto(tmp_path / "broker", options=options) as broker:
        yield broker, folder


def test_tls_and_a_password_let_the_device_in(secured: tuple[Mosquitto, Path], tmp_path: Path) -> None:
    broker, folder = secured
    (tmp_path / "password.txt").write_text("secret\n")
    desk = Desk(
        tmp_path,
        broker.port,
        host="localhost",
        user="dev",
        password_file=str(tmp_path / "password.txt"),
        tls=Tls(ca=str(folder / "ca.pem")),
    )
    desk.link.start()
    try:
        until(lambda: desk.link._connection.connected)
    finally:
        desk.link.stop()


def test_a_wrong_password_is_said_and_tried_again(
    secured: tuple[Mosquitto, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker, folder = secured
    (tmp_path / "password.txt").write_text("wrong")
    tls = Tls(ca=str(folder / "ca.pem"))
    desk = Desk(tmp_path, broker.port, user="dev", password_file=str(tmp_path / "password.txt"), tls=tls)
    desk.link.start()
    try:
        until(lambda: caplog.text.count("Not authorized") >= 2)
    finally:
        desk.link.stop()


def test_a_broker_with_another_certificate_is_refused(
    secured: tuple[Mosquitto, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker, _ = secured
    other = tmp_path / "other.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other"]
    subprocess.run([*made, "-keyout", str(tmp_path / "k"), "-out", str(other)], check=True, capture_output=True)
    desk = Desk(tmp_path, broker.port, tls=Tls(ca=str(other)))
    desk.link.start()
    try:
        until(lambda: "CERTIFICATE_VERIFY_FAILED" in caplog.text)
        assert not desk.link._connection.connected
    finally:
        desk.link.stop()


def test_a_missing_password_file_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        Desk(tmp_path, 1883, user="dev", password_file=str(tmp_path / "nowhere.txt"))


class SilentProxy:
    """A wire between device and broker that can go dead without a word: no packet, no reset."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.open = threading.Event()
        self.open.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            self.open.wait()
            far = socket.create_connection(("127.0.0.1", self._target))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if not self.open.is_set():
                    return  # swallowed, and the sockets stay as they are: nobody is told
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        self._server.close()


@pytest.mark.slow
def test_a_wire_that_goes_silent_in_mid_drain_loses_nothing_and_the_drain_resumes(
    tmp_path: Path, broker: Mosquitto, station: Station
) -> None:
    proxy = SilentProxy(broker.port)
    desk = Desk(tmp_path, proxy.port, keepalive_seconds=5, max_payload=51, window=2)
    desk.add(60)
    desk.link.start()
    seen: set[int] = set()

    def answer() -> bool:
        for raw in station.on(topics.events("dev")):
            message = codec.decode(raw, received_s=START)
            seen.update(message.sequence + index for index in range(len(message.records)))
        upto = next(number for number in range(1, 100) if number not in seen) - 1
        station.acknowledge(Ack.build(desk.codebook.digest, upto, seen))
        return desk.journal.outbox.waiting() == 0

    try:
        until(lambda: answer() or desk.journal.outbox.waiting() < 50)
        proxy.open.clear()
        time.sleep(12)  # longer than one and a half keepalives: both ends must notice by themselves
        assert desk.journal.outbox.waiting() > 0
        proxy.open.set()
        until(answer, 60)
        assert seen == set(range(1, 61))
    finally:
        desk.link.stop()
        proxy.close()
