from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from edge_runtime.intake.scan import scan
from edge_runtime.intake.watch import Watcher

WAIT_S = 10.0


def test_a_new_photo_in_a_new_folder_gives_a_hint(tmp_path: Path) -> None:
    hint = threading.Event()
    with Watcher(tmp_path, hint.set) as watcher:
        assert watcher.watching
        (tmp_path / "DCIM").mkdir()
        assert hint.wait(WAIT_S)
        hint.clear()
        (tmp_path / "DCIM" / "1.jpg").write_bytes(b"x")
        assert hint.wait(WAIT_S)


def test_our_own_reading_gives_no_hint(tmp_path: Path) -> None:
    photo = tmp_path / "1.jpg"
    photo.write_bytes(b"x" * 1000)
    hints: list[int] = []
    told = threading.Event()

    def on_hint() -> None:
        hints.append(1)
        told.set()

    with Watcher(tmp_path, on_hint):
        for _ in range(20):
            scan(tmp_path)
            photo.read_bytes()
        # Events come in order: once this one has come, all of the reading before it has been passed over.
        before = len(hints)
        (tmp_path / "end").mkdir()
        assert told.wait(WAIT_S)
        assert before == 0
        assert len(hints) <= 2  # the new folder, and the change of the one that it stands in


def test_no_hint_comes_after_the_end(tmp_path: Path) -> None:
    hints: list[int] = []
    with Watcher(tmp_path, lambda: hints.append(1)) as watcher:
        pass
    (tmp_path / "late.jpg").write_bytes(b"x")
    assert not watcher.watching
    assert hints == []


def test_a_folder_that_is_not_there_is_not_watched_and_nothing_is_raised(tmp_path: Path) -> None:
    with Watcher(tmp_path / "nowhere", lambda: None) as watcher:
        assert not watcher.watching


def test_a_system_without_watches_left_is_no_error(tmp_path: Path) -> None:
    # A process that may open no more files gets no inotify instance: a real limit, in a process of its own.
    program = """
import resource, sys
from pathlib import Path
from edge_runtime.intake.watch import Watcher
held = []
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True:
        held.append(open("/dev/null"))
except OSError:
    pass
with Watcher(Path(sys.argv[1]), lambda: None) as watcher:
    state = watcher.watching
for file in held:
    file.close()
sys.stdout.write(str(state))
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "False"), done.stderr
