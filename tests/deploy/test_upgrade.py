"""From one version of the program to the next and back: real old code out of the repository's history."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from edge_runtime.journal.journal import FILE_NAME, Journal
from edge_runtime.journal.schema import MIGRATIONS
from edge_runtime.station.schema import MIGRATIONS as STATION_MIGRATIONS
from edge_runtime.station.store import FILE_NAME as STATION_FILE
from edge_runtime.station.store import Store
from tests import card_plan
from tests.e2e.conftest import Field

ROOT = Path(__file__).resolve().parents[2]
DEVICES = {1: "6615e7c", 2: "2f5202f", 3: "d15f578"}
"""The last commit of each earlier schema of the journal."""
STATIONS = {1: "100534b"}


class OldProgram:
    """The program as it was, run by today's Python and today's libraries."""

    def __init__(self, folder: Path, commit: str) -> None:
        made = subprocess.run(
            ["git", "archive", commit, "edge_runtime", "export_tools", "tests"],
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
        if made.returncode != 0:
            pytest.skip(f"no commit {commit} here (a shallow clone?): {made.stderr.decode()[-200:]}")
        with tarfile.open(fileobj=BytesIO(made.stdout)) as archive:
            archive.extractall(folder, filter="data")
        self.folder = folder

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or ended.returncode == 0, ended.stderr[-3000:]
        return ended

    def detector(self, folder: Path) -> Path:
        folder.parent.mkdir()
        code = "import sys, pathlib; from tests import colour_detector as c; c.build_bundle(pathlib.Path(sys.argv[1]))"
        self.run("-c", code, str(folder))
        return folder


def version_of(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def rows(database: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return [tuple(row) for row in connection.execute(query)]


def read_by_old_device(field: Field, commit: str) -> OldProgram:
    """The old device reads the whole card while there is neither broker nor station: all of it waits in its outbox."""
    old = OldProgram(field.folder / "old", commit)
    bundle = old.detector(field.folder / "old-bundle" / "colour-detector")
    settings = yaml.safe_load(field.device_file.read_text())
    settings["models"]["detector"] = str(bundle)
    settings["uplink"]["drain_seconds"] = 1
    del settings["repeats"]  # not known then
    file = field.folder / "old-device.yaml"
    file.write_text(yaml.safe_dump(settings))
    ended = old.run("-m", "edge_runtime.cli", "run", "-c", str(file), "--until-idle", check=False)
    assert ended.returncode == 3, ended.stderr[-3000:]
    return old


@pytest.fixture
def field(tmp_path: Path, colour_bundle: Path) -> Field:
    return Field(tmp_path, colour_bundle)


@pytest.mark.parametrize("schema", sorted(DEVICES))
def test_what_an_older_device_read_and_had_not_sent_arrives_whole_and_once_after_the_upgrade(
    field: Field, schema: int
) -> None:
    plan = card_plan.build(field.card, bursts=5)
    read_by_old_device(field, DEVICES[schema])
    journal = field.folder / "device" / FILE_NAME
    assert version_of(journal) == schema
    waited = rows(journal, "SELECT sequence FROM outbox ORDER BY sequence")
    pictures = rows(journal, "SELECT sha256 FROM photo ORDER BY id")
    assert len(waited) > len(plan.events)
    try:
        field.broker.start()
        field.station.start()
        daemon = field.daemon("--until-idle").start()
        assert daemon.wait(60) == 0, daemon.log()
        assert field.events() == plan.events
        assert [report.photos for report in field.store.recent_card_reports(10)] == [plan.photos]
        assert field.store.totals().duplicates == 0
    finally:
        field.close()
    assert version_of(journal) == len(MIGRATIONS)
    assert rows(journal, "SELECT sequence FROM outbox") == []
    assert rows(journal, "SELECT sha256 FROM photo ORDER BY id") == pictures
    numbered = rows(journal, "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")
    assert numbered == [waited[-1]]


def test_an_older_program_refuses_a_newer_journal_says_why_and_leaves_it_alone(field: Field) -> None:
    card_plan.build(field.card, bursts=2)
    newest = max(DEVICES)
    old = read_by_old_device(field, DEVICES[newest])
    journal = field.folder / "device" / FILE_NAME
    Journal(journal, device="field-1").close()
    before = rows(journal, "SELECT * FROM outbox")
    ended = old.run(
        "-m", "edge_runtime.cli", "run", "-c", str(field.folder / "old-device.yaml"), "--until-idle", check=False
    )
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert last.endswith(f"has schema version {len(MIGRATIONS)}, this program knows {newest} (update the program)"), (
        ended.stderr
    )
    assert version_of(journal) == len(MIGRATIONS)
    assert rows(journal, "SELECT * FROM outbox") == before


def test_this_program_refuses_a_journal_of_the_future_in_the_same_way(field: Field) -> None:
    journal = field.folder / "device" / FILE_NAME
    journal.parent.mkdir()
    Journal(journal, device="field-1").close()
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    daemon = field.daemon("--until-idle").start()
    assert daemon.wait(60) == 1
    assert f"has schema version {len(MIGRATIONS) + 1}, this program knows {len(MIGRATIONS)}" in daemon.log()
    assert version_of(journal) == len(MIGRATIONS) + 1


@pytest.mark.parametrize("schema", sorted(STATIONS))
def test_what_an_older_station_received_is_shown_by_this_one_and_it_goes_on_receiving(
    field: Field, schema: int
) -> None:
    plan = card_plan.build(field.card, bursts=4)
    old = OldProgram(field.folder / "old", STATIONS[schema])
    store = field.folder / "station" / STATION_FILE
    field.broker.start()
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_runtime.station.cli", "serve", "-c", str(field.station_file)],
        cwd=old.folder,
        env={**os.environ, "PYTHONPATH": str(old.folder)},
        stderr=subprocess.DEVNULL,
    )
    try:
        daemon = field.daemon("--until-idle").start()
        assert daemon.wait(60) == 0, daemon.log()
        process.terminate()
        process.wait(timeout=20)
        assert version_of(store) == schema
        Store(store).close()
        assert version_of(store) == len(STATION_MIGRATIONS)
        assert field.events() == plan.events
        more = card_plan.build(field.folder / "more", bursts=2, seed=2, cameras=1, broken=0)
        shutil.copytree(more.folder, field.card / "SECOND")
        field.station.start()
        daemon = field.daemon("--until-idle").start()
        assert daemon.wait(60) == 0, daemon.log()
        later = [(f"SECOND/{camera}", *rest) for camera, *rest in more.events]
        assert field.events() == sorted([*plan.events, *later], key=lambda event: event[0])
    finally:
        process.kill()
        process.wait(timeout=10)
        field.close()


@pytest.fixture(scope="module")
def keeper() -> ModuleType:
    file = ROOT / "deploy" / "install" / "keep_journal.py"
    spec = importlib.util.spec_from_file_location("keep_journal", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NUMBERS = "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'"


def test_a_journal_that_an_upgrade_changed_is_put_back_for_the_old_program(field: Field, keeper: ModuleType) -> None:
    card_plan.build(field.card, bursts=2)
    newest = max(DEVICES)
    old = read_by_old_device(field, DEVICES[newest])
    journal, copy = field.folder / "device" / FILE_NAME, field.folder / "device" / "before-upgrade.sqlite"
    before = rows(journal, "SELECT * FROM outbox")
    assert f"schema {newest} becomes {len(MIGRATIONS)}" in keeper.keep(journal, MIGRATIONS, copy)
    Journal(journal, device="field-1").close()
    keeper.put_back(journal, copy, NUMBERS)
    assert not copy.exists()
    assert version_of(journal) == newest
    assert rows(journal, "SELECT * FROM outbox") == before
    ended = old.run(
        "-m", "edge_runtime.cli", "run", "-c", str(field.folder / "old-device.yaml"), "--until-idle", check=False
    )
    assert ended.returncode == 3, ended.stderr[-2000:]


def test_a_journal_that_numbered_something_since_is_not_put_back(field: Field, keeper: ModuleType) -> None:
    card_plan.build(field.card, bursts=2)
    read_by_old_device(field, DEVICES[max(DEVICES)])
    journal, copy = field.folder / "device" / FILE_NAME, field.folder / "device" / "before-upgrade.sqlite"
    keeper.keep(journal, MIGRATIONS, copy)
    Journal(journal, device="field-1").close()
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute("INSERT INTO outbox (kind, body, created_s) VALUES ('event', x'00', 0)")
    with pytest.raises(keeper.KeepError, match="has gone on since the upgrade"):
        keeper.put_back(journal, copy, NUMBERS)
    assert version_of(journal) == len(MIGRATIONS)
    assert copy.exists()


def test_where_the_schema_stays_nothing_is_copied_and_nothing_is_put_back(tmp_path: Path, keeper: ModuleType) -> None:
    journal, copy = tmp_path / FILE_NAME, tmp_path / "before-upgrade.sqlite"
    Journal(journal, device="field-1").close()
    copy.write_bytes(b"of an upgrade long ago")
    assert "no copy is needed" in keeper.keep(journal, MIGRATIONS, copy)
    assert not copy.exists()
    assert "nothing to put back" in keeper.put_back(journal, copy, NUMBERS)
    assert version_of(journal) == len(MIGRATIONS)


def test_a_disk_without_room_for_the_copy_stops_the_upgrade(
    tmp_path: Path, keeper: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, copy = tmp_path / FILE_NAME, tmp_path / "before-upgrade.sqlite"
    Journal(journal, device="field-1").close()
    monkeypatch.setattr(keeper, "MARGIN", 1 << 60)
    with pytest.raises(keeper.KeepError, match="cannot be copied"):
        keeper.keep(journal, (*MIGRATIONS, "SELECT 1;"), copy)
    assert not copy.exists()
