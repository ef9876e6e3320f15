"""What the one who supervises is told, and when its watchdog is fed; with real sockets, and the real program."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import yaml

from edge_runtime import overlap, status
from edge_runtime.daemon import Daemon
from edge_runtime.device import notify
from edge_runtime.device.notify import Supervisor, Systemd
from edge_runtime.intake import scan
from edge_runtime.journal.journal import Journal
from edge_runtime.pipeline import Pipeline
from edge_runtime.settings import read_device
from edge_runtime.uplink.link import Link
from edge_runtime.values import FailureKind
from tests import card_plan, videos
from tests.colour_detector import photo
from tests.deploy import hanging_detector
from tests.deploy.listening import Listener, longest_silence
from tests.device.conftest import RULES, Bench
from tests.device.test_daemon import SETTINGS

WATCHDOG_S = 3.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@camtrap-edge-test-{os.getpid()}"
    with Listener(address) as made:
        yield made


def test_what_is_told_arrives_word_for_word_over_both_kinds_of_sockets(listener: Listener) -> None:
    told = notify.supervisor({"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "30000000"})
    told.ready()
    told.status("reading\nphotos \udcff")
    told.stopping()
    listener.until(lambda: len(listener.heard) == 3, 5, "three messages")
    assert listener.messages() == ["READY=1", "STATUS=reading photos \\udcff", "STOPPING=1"]
    assert told.longest_wait == 10


def test_a_fast_model_feeds_the_watchdog_once_a_second_and_not_a_thousand_times(tmp_path: Path) -> None:
    clock = Clock()
    with Listener(str(tmp_path / "notify")) as listener:
        told = Systemd(listener.address, 300, monotonic=clock)
        told.ready()
        for _ in range(1000):
            clock.now += 0.01
            told.progress()
            told.status("reading", lasting=False)
        told.stopping()
        listener.until(lambda: "STOPPING=1" in listener.messages(), 5, "the end")
    assert 9 <= listener.messages().count("WATCHDOG=1") <= 11
    assert 9 <= listener.messages().count("STATUS=reading") <= 11


def test_it_starves_after_half_of_the_watchdogs_time_and_never_without_one() -> None:
    clock = Clock()
    fed, free = Systemd("@nobody", 300, monotonic=clock), Systemd("@nobody", None, monotonic=clock)
    for told in (fed, free):
        told.ready()
    clock.now += 149
    assert not fed.is_starving()
    clock.now += 2
    assert fed.is_starving() and not free.is_starving() and not Supervisor().is_starving()
    fed.progress()
    assert not fed.is_starving()


def test_what_else_must_not_hang_holds_the_watchdogs_food_back_and_leaves_the_work_without_blame(
    tmp_path: Path,
) -> None:
    clock, others = Clock(), {"go on": True}
    with Listener(str(tmp_path / "notify")) as listener:
        told = Systemd(listener.address, 300, monotonic=clock)
        told.requires(lambda: others["go on"])
        told.ready()
        for they_do in (True, False, False, True):
            others["go on"] = they_do
            clock.now += 200
            told.progress()
            assert not told.is_starving()
        told.stopping()
        listener.until(lambda: "STOPPING=1" in listener.messages(), 5, "the end")
    assert listener.messages().count("WATCHDOG=1") == 2


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "vsock:2:1234", "WATCHDOG_USEC": "1000000"},
        {"WATCHDOG_USEC": "1000000"},
    ],
)
def test_by_hand_nobody_is_told_and_nothing_waits_shorter(environment: dict[str, str]) -> None:
    told = notify.supervisor(environment)
    assert type(told) is Supervisor and told.longest_wait == float("inf")
    told.ready()
    told.progress()
    told.status("idle")
    told.stopping()


def test_a_watchdog_that_waits_for_another_process_is_not_fed(tmp_path: Path) -> None:
    with Listener(str(tmp_path / "notify")) as listener:
        environment = {"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "1000000"}
        told = notify.supervisor({**environment, "WATCHDOG_PID": str(os.getpid() + 1)})
        told.progress()
        told.stopping()
        mine = notify.supervisor({**environment, "WATCHDOG_PID": str(os.getpid())})
        mine.progress()
        listener.until(lambda: len(listener.heard) == 2, 5, "two messages")
    assert listener.messages() == ["STOPPING=1", "WATCHDOG=1"]


def test_that_nobody_listens_any_more_stops_no_work(tmp_path: Path) -> None:
    told = notify.supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1000000"})
    told.ready()
    told.progress()
    told.status("idle")


class Counting(Supervisor):
    """Counts what it is told."""

    def __init__(self, longest_wait: float) -> None:
        self.longest_wait = longest_wait
        self.told: list[str] = []
        self.fed = 0

    def ready(self) -> None:
        self.told.append("ready")

    def progress(self) -> None:
        self.fed += 1

    def status(self, text: str, *, lasting: bool = True) -> None:
        self.told.append(text)

    def stopping(self) -> None:
        self.told.append("stopping")


def test_an_hours_wait_is_told_of_in_parts_and_a_photo_still_ends_it_at_once(bench: Bench) -> None:
    counting = Counting(longest_wait=0.2)
    settings = msgspec.structs.replace(SETTINGS, cards=msgspec.structs.replace(SETTINGS.cards, root=str(bench.card)))
    link = Link(
        settings.uplink, "bench", lambda: Journal(bench.journal.file, device="bench"), models={}, time_zone="UTC"
    )
    daemon = Daemon(settings, bench.journal, bench.pipeline, link, supervisor=counting)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        time.sleep(3)
        idle = counting.fed
        assert idle >= 10
        states = [text for text in counting.told if text.startswith("idle")]
        made = bench.shoot("../made/1.JPG", {(1, 1): "animal"})
        shutil.move(made, bench.card)
        deadline = time.monotonic() + 10
        while not any("1 files done" in text for text in counting.told):
            assert time.monotonic() < deadline, counting.told
            time.sleep(0.05)
    finally:
        daemon.stop()
        thread.join(20)
    # Waiting in parts is no looking in parts: the card was not scanned again meanwhile.
    assert len(states) <= 2
    assert counting.told[0] == "ready" and counting.told[-1] == "stopping"
    assert "reading: 1 files done, 0 waiting" in counting.told


def test_a_long_video_feeds_it_all_the_way_through(bench: Bench) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    videos.write(bench.card / "V.MP4", frames=200)
    counting = Counting(longest_wait=1)
    bench.pipeline = Pipeline(bench.journal, bench.detector, None, RULES, supervisor=counting)
    (video,) = scan.scan(bench.card).videos
    bench.take_stamp(video)
    # Twice each packet: once when they are listed, once when they are decoded; and each block that is hashed.
    assert counting.fed >= 200


def test_whoever_waits_for_one_that_comes_to_no_end_is_asked_again_and_again() -> None:
    release = threading.Event()
    asked: list[int] = []

    def on_waiting(item: int) -> None:
        asked.append(item)
        if len(asked) == 3:
            release.set()

    def slow(item: int) -> int:
        if item == 1:
            release.wait(20)
        return item

    taken = overlap.in_order(range(4), slow, workers=2, ahead=4, on_waiting=on_waiting, patience=0.05)
    with closing(taken):
        results = [result for ready in taken for _, result in ready]
    assert results == [0, 1, 2, 3] and set(asked) == {1} and len(asked) >= 3


@pytest.fixture(scope="module")
def hanging_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hanging_detector.build_bundle(tmp_path_factory.mktemp("bundles") / "hanging").folder


class Device:
    """The real program, started as systemd would, with a watchdog of 3 s."""

    def __init__(self, folder: Path, bundle: Path) -> None:
        self._folder = folder
        self.card = folder / "card"
        self.card.mkdir()
        self.config = folder / "device.yaml"
        self.config.write_text(
            yaml.safe_dump(
                {
                    "device": "hut-1",
                    "data": "data",
                    "cards": {"root": "card", "settle_seconds": 0.2, "rescan_seconds": 3600},
                    "time_zone": "UTC",
                    "models": {"detector": str(bundle), "classifier": "none", "threads": 2},
                    "repeats": "off",
                    "events": {"gap_seconds": 1},
                    "uplink": {"port": 1},
                }
            )
        )
        self.log = folder / "device.log"

    def start(self, listener: Listener) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": listener.address,
            "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)),
            "PYTHONFAULTHANDLER": "1",  # as in the unit
        }
        command = [sys.executable, "-m", "edge_runtime.cli", "run", "-c", str(self.config)]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def wait_for_silence(listener: Listener) -> None:
    """Until nothing that feeds the watchdog has come for longer than systemd would wait."""

    def silence() -> float:
        return time.monotonic() - max(listener.times("WATCHDOG=1") + listener.times("READY=1"))

    listener.until(lambda: silence() > 1.2 * WATCHDOG_S, 20, "silence")


@pytest.mark.slow
def test_a_photo_that_hangs_starves_the_watchdog_and_is_given_up_after_three_restarts(
    tmp_path: Path, hanging_bundle: Path
) -> None:
    device = Device(tmp_path, hanging_bundle)
    plan = card_plan.build(device.card / "SD", bursts=4, cameras=1, broken=0)
    # No vehicles but in the one that hangs.
    for file in sorted(device.card.rglob("*.JPG")):
        number = int(file.stem[-4:])
        file.write_bytes(photo({(1, 1): "animal"} if number % 2 else {}, taken=card_plan.START, seed=number))
    for round_ in range(3):
        with Listener(str(tmp_path / "notify")) as listener:
            process = device.start(listener)
            try:
                listener.until(lambda heard=listener: "READY=1" in heard.messages(), 30, "ready")
                if round_ == 0:
                    # Healthy: it reads and then waits for an hour, and is heard all the while.
                    began = time.monotonic()
                    time.sleep(2.5 * WATCHDOG_S)
                    fed = listener.times("WATCHDOG=1")
                    assert longest_silence(fed, start=began, end=time.monotonic()) < WATCHDOG_S / 2
                    made = tmp_path / "HANGS.JPG"
                    made.write_bytes(photo(hanging_detector.HANGS, taken=card_plan.START, seed=7777))
                    shutil.move(made, device.card / "SD" / "HANGS.JPG")
                    for number in range(3):
                        later = photo({(2, 2): "animal"}, taken=card_plan.START, seed=8000 + number)
                        (device.card / "SD" / f"LATER_{number}.JPG").write_bytes(later)
                wait_for_silence(listener)
                assert process.poll() is None
            finally:
                process.send_signal(signal.SIGABRT)  # systemd's WatchdogSignal
                assert process.wait(10) == -signal.SIGABRT
    text = device.log.read_text()
    assert text.count("Fatal Python error: Aborted") == 3 and "onnxruntime_engine.py" in text
    with Listener(str(tmp_path / "notify")) as listener:
        process = device.start(listener)
        try:
            listener.until(lambda: "3 files done" in listener.status, 30, "the photos behind it")
            began = time.monotonic()
            time.sleep(2 * WATCHDOG_S)
            assert longest_silence(listener.times("WATCHDOG=1"), start=began, end=time.monotonic()) < WATCHDOG_S / 2
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
    assert listener.messages()[-1] == "STOPPING=1"
    known = status.read(read_device(device.config))
    assert (known.photos, known.failed, known.duplicates) == (plan.photos + 3, 1, 0)
    assert known.failures == (("SD/HANGS.JPG", "it comes to no end"),)
    with closing(Journal(tmp_path / "data" / "journal.sqlite", device="hut-1")) as journal:
        failed = [result for result in journal.ledger.results() if result.failure]
        assert [result.failure for result in failed] == [FailureKind.INFERENCE]
