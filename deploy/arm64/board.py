"""An arm64 board under QEMU, whole: kernel, systemd, udev and a USB port that cards go into and are pulled out of.

python board.py fill FOLDER --source DISK --type vfat --cards IMAGE
python board.py prove FOLDER --cards FAT_IMAGE EXFAT_IMAGE --files N N --station FOLDER --status FILE

FOLDER has `kernel`, `first` (the initial RAM disk) and `disk`, see board.sh.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edge_runtime.station.store import FILE_NAME, Reader

START_SECONDS = 600
STEP_SECONDS = 600
"""Emulated, everything is slow; nothing here measures how slow."""
CARDS = "/media/edge-cards"
DEVICE = "/opt/edge-runtime/venv/bin/edge-runtime"
# The shell of board.sh, and nobody who is asked anything.
_START = "systemd.wants=shell.service systemd.getty_auto=no systemd.firstboot=off"


class Failed(Exception):
    """The board did not do what it has to."""


class Board:
    """One that is switched on.

    Args:
        folder: with kernel, first and disk.
        line: added to the kernel's command line.
        disk: of the board; the first of its block devices.
        card: that is there from the start, as its second block device, and in no reader.
    """

    def __init__(self, folder: Path, *, line: str, disk: Path, card: Path | None = None) -> None:
        self._folder = folder
        self._sockets = {name: folder / f"{name}.socket" for name in ("shell", "qmp")}
        self.console = folder / "console.log"
        command = ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "2G"]
        command += ["-accel", "tcg,thread=multi", "-display", "none", "-nodefaults", "-no-reboot"]
        command += ["-kernel", str(folder / "kernel"), "-initrd", str(folder / "first")]
        command += ["-append", f"console=ttyAMA0 net.ifnames=0 panic=-1 {line}", "-serial", f"file:{self.console}"]
        command += ["-qmp", f"unix:{self._sockets['qmp']},server=on,wait=off"]
        for place, image in enumerate(filter(None, (disk, card))):
            command += ["-drive", f"if=none,id=disk{place},file={image},format=raw,cache=unsafe"]
            command += ["-device", f"virtio-blk-pci,drive=disk{place}"]
        command += ["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="]
        # A reader for cards, with no card in it.
        command += ["-device", "qemu-xhci,id=usb", "-drive", "if=none,id=reader"]
        command += ["-device", "usb-storage,drive=reader,bus=usb.0,removable=on"]
        command += ["-chardev", f"socket,id=shell,path={self._sockets['shell']},server=on,wait=off"]
        command += ["-device", "virtio-serial-pci", "-device", "virtconsole,chardev=shell"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._control = self._connect("qmp").makefile("rw")
        self._events: list[dict[str, Any]] = []
        self._control.readline()
        self._tell("qmp_capabilities")
        self._line: socket.socket | None = None

    def shell(self, command: str, seconds: float = STEP_SECONDS) -> str:
        """What a command prints that the board runs as root, whatever becomes of it."""
        if self._line is None:
            self._line = self._connect("shell")
            self._line.sendall(b"stty -echo; PS1=; PS2=\n")
        mark = f"end {time.monotonic_ns()}"
        self._line.settimeout(seconds)
        # Typed in two pieces: so that the mark is not found where the line that makes it is echoed.
        self._line.sendall(f"{{ {command}; }} 2>&1; echo '{mark[:3]}''{mark[3:]}'\n".encode())
        heard = b""
        while mark.encode() not in heard:
            try:
                heard += self._line.recv(65536)
            except TimeoutError:
                raise Failed(f"the board does not answer {command!r}: {heard[-500:]!r}") from None
        return heard.decode(errors="replace").replace("\r", "").partition(mark)[0].strip()

    def until(self, holds: Callable[[], bool], what: str, seconds: float = STEP_SECONDS) -> None:
        """Wait for something to hold.

        Raises:
            Failed: it did not, within so many seconds, or the board went off.
        """
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise Failed(f"not within {seconds:.0f} s: {what}")
            if self.process.poll() is not None:
                raise Failed(f"the board went off before: {what}")
            time.sleep(2)

    def plug_stick(self, card: Path) -> None:
        """A USB stick goes in."""
        if not self._events:
            self._tell("blockdev-add", **{"driver": "raw", "node-name": "stick",
                                          "file": {"driver": "file", "filename": str(card)}})  # fmt: skip
        self._tell("device_add", driver="usb-storage", id="stick", drive="stick", bus="usb.0", removable=True)

    def pull_stick(self) -> None:
        """And is torn out, whatever the board is doing with it."""
        self._events.clear()
        self._tell("device_del", id="stick")
        while not any(event["event"] == "DEVICE_DELETED" for event in self._events):
            self._hear()

    def put_into_reader(self, card: Path) -> None:
        """A card goes into the USB reader."""
        self._tell("blockdev-change-medium", device="reader", filename=str(card), format="raw")

    def take_out_of_reader(self) -> None:
        """And out of it; the reader stays where it is."""
        self._tell("eject", device="reader", force=True)

    def off(self) -> None:
        """As `systemctl poweroff` does it, or by its plug where that takes too long."""
        with contextlib.suppress(Failed, OSError):
            self.shell("systemctl --no-block poweroff", 30)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STEP_SECONDS)
        self.process.kill()
        self.process.wait()

    def _tell(self, command: str, **arguments: Any) -> None:
        """Have QEMU do something (QEMU Machine Protocol), and wait until it is done."""
        self._control.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._control.flush()
        while "return" not in (answer := self._hear()):
            if "error" in answer:
                raise Failed(f"QEMU: {command}: {answer['error']['desc']}")

    def _hear(self) -> dict[str, Any]:
        line = self._control.readline()
        if not line:
            raise Failed("QEMU has ended")
        heard: dict[str, Any] = json.loads(line)
        if "event" in heard:
            self._events.append(heard)
        return heard

    def _connect(self, name: str) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 20
        while True:
            try:
                made.connect(str(self._sockets[name]))
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise Failed("QEMU does not start") from None
                time.sleep(0.05)
            else:
                return made


def fill(folder: Path, source: Path, card: Path, kind: str) -> None:
    """Have the board's own kernel write what lies on the disk `source` to a card, as a camera does."""
    board = Board(folder, line=f"quiet edge.fill={kind}", disk=source, card=card)
    try:
        board.process.wait(STEP_SECONDS)
    finally:
        board.process.kill()
    if "edge: card is filled" not in board.console.read_text(errors="replace"):
        raise Failed(f"the card was not filled: {board.console.read_text(errors='replace')[-800:]}")


def prove(folder: Path, cards: Sequence[Path], files: Sequence[int], reader: Reader, status_file: Path) -> None:
    """A FAT stick torn out while it is read and put in again, an exFAT card in a reader; then the board goes off.

    Args:
        cards: the stick's and the reader's.
        files: on each, unreadable ones included.
        reader: of what the station got. Asking the board would cost it more than its work does.

    Raises:
        Failed: something was not as it has to be.
    """
    before = {card: _digest(card) for card in cards}
    board = Board(folder, line=_START, disk=folder / "disk")
    try:
        active = "systemctl is-active edge-runtime"
        board.until(lambda: board.shell(active, START_SECONDS) == "active", "the daemon is ready")
        said(f"the board is up: {board.shell('uname -srm')}")
        _torn_out_while_it_is_read(board, cards[0], files[0], reader)
        _in_a_reader(board, cards[1], sum(files), reader)
        board.until(lambda: status(board)["waiting"] == 0, "everything is acknowledged")
        status_file.write_text(json.dumps(status(board)), encoding="utf-8")
    except Failed as error:
        raise Failed(f"{error}\n{_what_the_board_says(board)}") from None
    finally:
        board.off()
    for card, digest in before.items():
        if _digest(card) != digest:
            raise Failed(f"{card.name} is not what it was")
    said("both cards are what they were, bit by bit")


def _torn_out_while_it_is_read(board: Board, card: Path, files: int, reader: Reader) -> None:
    board.plug_stick(card)
    _until_mounted(board, "vfat")
    board.until(lambda: reader.recent_events(1) != [], "the first event")
    board.pull_stick()
    known = status(board)
    done = known["photos"] + known["failed"]
    if done >= files:
        raise Failed(f"all {files} files were read when the stick was gone: it proves nothing")
    said(f"the stick was torn out after {done} of {files} files")
    board.until(lambda: mounted(board) == "", "the mount goes with its stick")
    board.plug_stick(card)
    board.until(lambda: _reported(reader) == files, "the rest of the stick is read")


def _in_a_reader(board: Board, card: Path, files: int, reader: Reader) -> None:
    board.put_into_reader(card)
    _until_mounted(board, "exfat")
    board.until(lambda: _reported(reader) == files, "the card in the reader is read")
    board.take_out_of_reader()
    board.until(lambda: "exfat" not in mounted(board), "the mount goes with its card, though the reader stays")


def _reported(reader: Reader) -> int:
    """Files that the board's reports of cards speak of."""
    return sum(report.photos + report.failed for report in reader.recent_card_reports(100))


def _until_mounted(board: Board, kind: str) -> None:
    board.until(lambda: f" {kind} " in mounted(board), f"a {kind} is mounted by udev and systemd")
    (line,) = [line for line in mounted(board).splitlines() if f" {kind} " in line]
    missing = {"ro", "nosuid", "nodev", "noexec"} - set(line.split()[-1].split(","))
    if missing:
        raise Failed(f"mounted without {', '.join(sorted(missing))}: {line}")
    said(line)


def mounted(board: Board) -> str:
    """The cards' mounts: place, type and options, one a line."""
    return board.shell(f"findmnt --noheadings --raw --output TARGET,FSTYPE,OPTIONS | grep ^{CARDS}/")


def status(board: Board) -> dict[str, Any]:
    """What `edge-runtime status --json` says on the board."""
    asked = f"{DEVICE} status -c /etc/edge-runtime/device.yaml --json"
    text = board.shell(f"setpriv --reuid edge-runtime --regid edge-runtime --clear-groups {asked}")
    try:
        told: dict[str, Any] = json.loads(text)
    except ValueError:
        raise Failed(f"edge-runtime status: {text[-800:]}") from None
    return told


def said(what: str) -> None:
    """Tell whoever waits."""
    sys.stdout.write(f"board: {what}\n")
    sys.stdout.flush()


def _what_the_board_says(board: Board) -> str:
    with contextlib.suppress(Failed, OSError):
        return board.shell("journalctl --no-pager --lines 60 --output cat", 60)
    return board.console.read_text(errors="replace")[-3000:]


def _digest(card: Path) -> str:
    return hashlib.sha256(card.read_bytes()).hexdigest()


def main(arguments: list[str]) -> int:
    """Run one step; returns the exit code."""
    parser = argparse.ArgumentParser(description="The board of prove.sh.")
    parser.add_argument("action", choices=("fill", "prove"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=Path, help="a disk with what goes on the card")
    parser.add_argument("--type", help="of the card's file system")
    parser.add_argument("--cards", type=Path, nargs="+", required=True)
    parser.add_argument("--files", type=int, nargs="+")
    parser.add_argument("--station", type=Path)
    parser.add_argument("--status", type=Path)
    given = parser.parse_args(arguments)
    try:
        if given.action == "fill":
            fill(given.folder, given.source, given.cards[0], given.type)
        else:
            prove(given.folder, given.cards, given.files, Reader(given.station / FILE_NAME), given.status)
    except Failed as error:
        sys.stderr.write(f"board: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
