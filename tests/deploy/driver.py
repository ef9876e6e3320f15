"""Runs inside the board (board.py), as root: does what a person would with the daemon and cards, notes what happens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

UNIT = "edge-runtime.service"
CARDS, STOCK = Path("/media/edge-cards"), Path("/stock")
findings: dict[str, object] = {}


def show(name: str) -> str:
    """A property of the unit."""
    return subprocess.run(
        ["systemctl", "show", f"--property={name}", "--value", UNIT], capture_output=True, text=True, check=True
    ).stdout.strip()


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds} s: {what}; status {show('StatusText')!r}, {show('ActiveState')}")
        time.sleep(0.05)


def told(text: str) -> bool:
    return text in show("StatusText")


def may_write(place: str) -> bool:
    """Whether the daemon's own view of the files lets anybody write there."""
    view = ["nsenter", f"--target={show('MainPID')}", "--mount", "touch", f"{place}/written"]
    return subprocess.run(view, capture_output=True).returncode == 0


def put(card: str) -> None:
    """Put a card in, all at once."""
    shutil.move(STOCK / card, CARDS / card)


def start() -> None:
    begun = time.monotonic()
    subprocess.run(["systemctl", "start", UNIT], check=True)
    findings["seconds_to_ready"] = time.monotonic() - begun
    findings["state_after_start"] = show("ActiveState")
    until(lambda: told("idle: "), 20, "the first card")


def look_around() -> None:
    process = Path("/proc") / show("MainPID")
    facts = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
    findings["capabilities"], findings["no_new_privileges"] = facts["CapEff"], facts["NoNewPrivs"]
    findings["nice"] = os.getpriority(os.PRIO_PROCESS, int(show("MainPID")))
    places = ("/media/edge-cards/ONE", "/etc", "/opt", "/usr", "/var/lib/edge-runtime", "/tmp")
    findings["writes"] = {place: may_write(place) for place in places}


def bring_a_card_while_it_runs() -> None:
    reader = next(Path("/dev").glob("loop[0-9]*")).name
    late, view = CARDS / "LATE", Path("/proc") / show("MainPID") / "mounts"
    before = files_done()
    subprocess.run(["systemctl", "start", f"edge-card@{reader}.service"], check=True)
    findings["card_options"] = [line.split()[3] for line in view.read_text().splitlines() if str(late) in line]
    until(lambda: told("idle: ") and files_done() > before, 20, "the late card")
    findings["photos_on_late_card"] = files_done() - before
    subprocess.run(["systemctl", "stop", f"edge-card@{reader}.service"], check=True)
    findings["late_card_is_gone"] = not late.exists() and str(late) not in view.read_text()


def files_done() -> int:
    words = show("StatusText").split()
    return int(words[words.index("files") - 1]) if "files" in words else 0


def kill_in_the_middle() -> None:
    put("TWO")
    for kills in range(1, 4):
        until(lambda: "reading: " in show("StatusText"), 20, "reading")
        subprocess.run(["systemctl", "kill", "--signal=KILL", "--kill-whom=main", UNIT], check=True)
        until(lambda count=kills: int(show("NRestarts")) == count, 20, "a restart")
        until(lambda: show("ActiveState") == "active", 20, "readiness")
    until(lambda: told("idle: "), 60, "the second card")


def hang() -> None:
    before = int(show("NRestarts"))
    put("HANGS")
    until(lambda: int(show("NRestarts")) == before + 3, 60, "three restarts by the watchdog")
    until(lambda: told("idle: ") and show("ActiveState") == "active", 30, "that it goes on without that photo")
    time.sleep(4)
    findings["restarts_by_watchdog"] = int(show("NRestarts")) - before


def stop() -> None:
    begun = time.monotonic()
    subprocess.run(["systemctl", "stop", UNIT], check=True)
    findings["seconds_to_stop"], findings["result"] = time.monotonic() - begun, show("Result")


if __name__ == "__main__":
    for step in (start, look_around, bring_a_card_while_it_runs, kill_in_the_middle, hang, stop):
        print(f"{time.monotonic():.1f} {step.__name__}", flush=True)
        step()
    Path("/findings.json").write_text(json.dumps(findings))
    subprocess.run(["systemctl", "--no-block", "poweroff"], check=True)
