"""How soon the daemon has its first result and sends an event, and what it costs while nothing happens.

    python -m benchmarks.bars.daemon [--only start,prompt,idle] [--quick] [--json]

All with `edge-runtime run` as a process of its own, the packaged models, a broker (mosquitto, or iotcore where that is
not installed) and a station that acknowledges.

**Start**: from the start of the process to the first photo's commit, less what loading the models takes in a process
that has imported everything. **Prompt**: a camera writes one photo after another; from the moment at which a photo's
gap has passed (`gap_seconds` after its file was closed) to the arrival of its summary at a subscriber on this machine.
**Idle**: processor time over a minute with a known card of 10,000 files, the link up.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import iotcore
import paho.mqtt.client as mqtt
import yaml
from paho.mqtt.enums import CallbackAPIVersion
from tqdm import tqdm

from benchmarks.bars import bar, known_card
from benchmarks.bars.bar import Bar
from edge_runtime import status
from edge_runtime.errors import JournalError
from edge_runtime.journal.journal import FILE_NAME, Journal
from edge_runtime.settings import Broker, Cards, StationSettings, read_device
from edge_runtime.station.ingest import Ingest
from edge_runtime.station.store import Store
from edge_runtime.tryout.ports import free_port
from edge_runtime.uplink import topics

START_S = 2.0
PROMPT_S = 1.0
IDLE_CPU_S = 0.3
IDLE_S = 60.0
GAP_S = 2
_DEVICE = "bench-daemon"
_PATIENCE_S = 120.0
_LOADING = """
import sys, time
import edge_runtime.assembly, edge_runtime.daemon
from edge_runtime.models import loading
started = time.perf_counter()
loading.load_detector("default", threads=1), loading.load_classifier("default", threads=1)
print(time.perf_counter() - started)
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement; exit code 1 where a limit is broken."""
    parts = {"start": start, "prompt": prompt, "idle": idle}
    parser = argparse.ArgumentParser(prog="benchmarks.bars.daemon", description=__doc__.split("\n")[0])
    parser.add_argument("--only", default=",".join(parts), metavar="PART,PART", help=f"of {', '.join(parts)}")
    parser.add_argument("--quick", action="store_true", help="few rounds, ten seconds of idleness")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    chosen = arguments.only.split(",")
    if unknown := set(chosen) - set(parts):
        parser.error(f"--only: no part is called {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    load = os.getloadavg()[0]
    measured: list[Bar] = []
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="camtrap-edge-daemon-") as folder:
            measured += parts[name](Path(folder), quick=arguments.quick)
    return bar.show(measured, as_json=arguments.json, load=load)


def start(work: Path, *, quick: bool) -> list[Bar]:
    """From the start of the process to its first committed photo."""
    folder = work / "card" / "DCIM" / "100MEDIA"
    folder.mkdir(parents=True)
    for number, data in enumerate(known_card.scenes(work)[:3]):
        (folder / f"IMG_{number:04d}.JPG").write_bytes(data)
    first: list[float] = []
    loading: list[float] = []
    with _field(work) as field:
        for _ in range(3 if quick else 7):
            shutil.rmtree(work / "device", ignore_errors=True)
            loaded = subprocess.run([sys.executable, "-c", _LOADING], capture_output=True, text=True, check=True)
            loading.append(float(loaded.stdout))
            began = time.monotonic()
            with field.daemon():
                field.until(lambda: field.photos() >= 1, pause=0.005)
                first.append(time.monotonic() - began)
    own = statistics.median(total - models for total, models in zip(first, loading, strict=True))
    how = f"{statistics.median(first):.2f} s, of these {statistics.median(loading):.2f} s models, {len(first)} starts"
    return [Bar("start to first result beyond loading the models", own, START_S, "s", how)]


def prompt(work: Path, *, quick: bool) -> list[Bar]:
    """From the end of an event to its summary's arrival."""
    card = work / "card" / "DCIM" / "100MEDIA"
    card.mkdir(parents=True)
    photo = _with_animal(work)
    late: list[float] = []
    with _field(work) as field, field.daemon() as daemon:
        field.until(field.is_connected)
        for number in tqdm(range(5 if quick else 30), desc="events", disable=not sys.stderr.isatty()):
            before = len(field.arrivals)
            began = time.monotonic()
            (card / f"IMG_{number:04d}.JPG").write_bytes(known_card.distinct(photo, f"event {number}"))
            over = time.monotonic() + GAP_S
            field.until(lambda count=before: len(field.arrivals) > count)
            if field.arrivals[before] < began + GAP_S:
                raise SystemExit("a summary left before its event was over")
            late.append(field.arrivals[before] - over)
            # The card's report follows its event; it is not the next event's summary.
            time.sleep(0.5 + number % 7 / 10)
        if daemon.poll() is not None:
            raise SystemExit("the daemon ended by itself")
    how = f"median {statistics.median(late):.3f} s, {len(late)} events {GAP_S} s after their last photo"
    return [Bar("a summary after its event's end, the worst", max(late), PROMPT_S, "s", how)]


def idle(work: Path, *, quick: bool) -> list[Bar]:
    """Processor time while nothing happens."""
    files, seconds = 10_000, 10.0 if quick else IDLE_S
    known_card.fill(work / "card", files)
    journal = Journal(work / "device" / FILE_NAME, device=_DEVICE)
    known_card.remember(journal, work / "card")
    journal.close()
    with _field(work) as field, field.daemon() as daemon:
        field.until(field.is_connected)
        time.sleep(5)  # the first pass and what it says to the station are over
        before = _processor_seconds(daemon.pid)
        time.sleep(seconds)
        used = _processor_seconds(daemon.pid) - before
        if daemon.poll() is not None or field.photos() != files:
            raise SystemExit("the daemon should know all of the card and wait")
    how = f"{files:,} known files, link up, looked at every {Cards(root='').rescan_seconds:.0f} s"
    return [Bar(f"processor time of {seconds:.0f} idle seconds", used, IDLE_CPU_S * seconds / IDLE_S, "s", how)]


class _Field:
    """A broker, a station and a subscriber for one device."""

    def __init__(self, work: Path, port: int) -> None:
        self._config = work / "device.yaml"
        self._settings = read_device(self._config)
        self.arrivals: list[float] = []
        self._online = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._arrived
        self._client.on_connect = lambda client, *_: client.subscribe(f"ct/1/{_DEVICE}/#", qos=1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _arrived(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        if message.topic == topics.events(_DEVICE):
            self.arrivals.append(time.monotonic())
        elif message.topic == topics.online(_DEVICE) and message.payload == topics.ONLINE:
            self._online.set()

    def is_connected(self) -> bool:
        return self._online.is_set()

    def photos(self) -> int:
        try:
            return status.read(self._settings).photos
        except JournalError:
            return 0

    def until(self, condition: Callable[[], bool], *, pause: float = 0.02) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit(f"not within {_PATIENCE_S:.0f} s; by hand: edge-runtime run -c {self._config}")
            time.sleep(pause)

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "edge_runtime.cli", "run", "-c", str(self._config)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


@contextmanager
def _field(work: Path) -> Iterator[_Field]:
    port = free_port()
    document = {
        "device": _DEVICE,
        "data": "device",
        "cards": {"root": "card"},
        "time_zone": "UTC",
        "events": {"gap_seconds": GAP_S},
        "repeats": "off",  # the same pictures come again and again
        "uplink": {"port": port},
    }
    (work / "device.yaml").write_text(yaml.safe_dump(document))
    settings = StationSettings(data=str(work / "station"), broker=Broker(port=port))
    with ExitStack() as stack:
        stack.enter_context(_broker(work, port))
        store = Store(work / "station" / "station.sqlite")
        stack.callback(store.close)
        ingest = Ingest(settings, store)
        ingest.start()
        stack.callback(ingest.stop)
        field = _Field(work, port)
        stack.callback(field.close)
        yield field


@contextmanager
def _broker(work: Path, port: int) -> Iterator[None]:
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        with iotcore.Broker(port=port, listen="127.0.0.1"):
            yield
        return
    config = work / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for_port(port)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            client = mqtt.Client(CallbackAPIVersion.VERSION2)
            client.connect("127.0.0.1", port)
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit(f"no broker on port {port}") from None
            time.sleep(0.05)
        else:
            client.disconnect()
            return


def _with_animal(work: Path) -> bytes:
    """A photo of the sample card in which the packaged detector finds something."""
    (work / "trial").mkdir()
    for number, data in enumerate(known_card.scenes(work)):
        (work / "trial" / f"{number}.JPG").write_bytes(data)
    output = work / "trial.json"
    command = [sys.executable, "-m", "edge_runtime.cli", "process", str(work / "trial"), "-o", str(output), "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for image in json.loads(output.read_text())["images"]:
        if any(found["conf"] >= 0.6 for found in image.get("detections") or ()):
            return (work / "trial" / image["file"]).read_bytes()
    raise SystemExit("the packaged detector finds nothing on the sample card")


def _processor_seconds(pid: int) -> float:
    """User and system time of a process and all its threads, from /proc/PID/stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
