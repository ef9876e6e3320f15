"""`edge-runtime report` as a person runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.bars import reports as maker
from edge_runtime import cli, settings
from edge_runtime.errors import JournalError
from edge_runtime.journal import journal as journals
from edge_runtime.journal import reading
from edge_runtime.journal.journal import Journal
from edge_runtime.journal.results import Result
from edge_runtime.reports.formats import FORMATS
from edge_runtime.reports.source import Source
from tests.reports import rich_journal
from tests.reports.conftest import Rich, rows

SPOTS = "latitude: -2.33, longitude: 34.83"
DEVICE = """\
device: hill
data: data
cards: {root: /media}
time_zone: Africa/Nairobi
"""


@pytest.fixture
def device(rich: Rich, tmp_path: Path) -> Path:
    """The settings of the device whose journal it is."""
    (tmp_path / "data").mkdir()
    shutil.copy(rich.journal, tmp_path / "data" / journals.FILE_NAME)
    file = tmp_path / "device.yaml"
    file.write_text(DEVICE)
    return file


def test_every_format_is_written_beside_a_running_daemon(device: Path, rich: Rich, tmp_path: Path) -> None:
    running = Journal(tmp_path / "data" / journals.FILE_NAME, device="hill")
    with running.transaction():
        running.put("in the middle", "of something")
        for name in FORMATS:
            given = ["-c", str(device), "--project", str(rich.project), "-o", str(tmp_path / name)]
            assert cli.main(["report", "--format", name, *given]) == 0
            assert (tmp_path / name).exists()
    running.close()


def test_coordinates_stand_with_the_devices_own_cameras(device: Path, tmp_path: Path) -> None:
    names = ", ".join(f"{{folder: 'x{i}', name: '{name}', {SPOTS}}}" for i, name in enumerate(rich_journal.CAMERAS))
    device.write_text(f"{DEVICE}cameras: [{names}]\nproject: {{title: Ours}}\n")
    package = tmp_path / "package"
    assert cli.main(["report", "--format", "camtrap-dp", "-c", str(device), "-o", str(package)]) == 0
    assert json.loads((package / "datapackage.json").read_text())["project"]["title"] == "Ours"
    assert {row["latitude"] for row in rows(package / "deployments.csv")} == {"-2.33"}


def test_only_the_days_that_are_asked_for_are_in_it(rich: Rich, tmp_path: Path) -> None:
    days = {row["time"][:10] for row in rows(rich.report("csv", tmp_path / "all.csv"))}
    assert days == {"", "2026-05-29", "2026-05-30"}
    # By the camera's clock: in UTC its first photos of the 29th belong to the 28th.
    first = rows(rich.report("csv", tmp_path / "first.csv", "--until", "2026-05-29"))
    second = rows(rich.report("csv", tmp_path / "second.csv", "--since", "2026-05-30"))
    assert {row["time"][:10] for row in first} == {"2026-05-29"} and {row["time"][:10] for row in second} == {
        "2026-05-30"
    }
    assert rows(rich.report("csv", tmp_path / "none.csv", "--since", "2026-06-01")) == []


def test_the_summary_counts_what_is_in_and_what_is_left_out(
    rich: Rich, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rich.report("camtrap-dp", tmp_path / "package", "--json")
    said = json.loads(capsys.readouterr().out)
    assert said["files"] == len(rich.paths) == said["photos"] + said["videos"] + said["failed"] + said["duplicates"]
    assert said["left_out"] == {"failed": 3, "same picture as another file": 1, "no credible time": 2}
    assert said["left_out_list"] == str(tmp_path / "package" / "left-out.csv")
    assert said["without_time"] == 2


def test_timelapse_counts_paths_from_its_root_and_shows_nothing_that_is_held(rich: Rich, tmp_path: Path) -> None:
    made = rich.json("timelapse", tmp_path / "t.json", "--root", "burst")
    assert [image["file"] for image in made["images"]] == ["1.JPG", "2.JPG", "3.JPG"]
    assert len(made["images"][1]["detections"]) == 2
    assert not any("held_detections" in image for image in rich.json("timelapse", tmp_path / "t.json")["images"])


def test_a_list_of_an_earlier_report_goes_away(rich: Rich, tmp_path: Path) -> None:
    output = tmp_path / "images.csv"
    rich.report("wildlife-insights", output)
    assert (tmp_path / "images.csv.left-out.csv").exists()
    rich.report("wildlife-insights", output, "--since", "2026-05-30")
    assert not (tmp_path / "images.csv.left-out.csv").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--format", "csv", "--journal", "nowhere.sqlite", "-o", "x"], 1, "does not exist"),
        (["--format", "csv", "--journal", "J", "-o", "nowhere/x"], 1, "make it first"),
        (["--format", "csv", "--journal", "J", "-o", "."], 1, "is a folder"),
        (["--format", "camtrap-dp", "--journal", "J", "-o", "J"], 1, "makes a folder"),
        (["--format", "csv", "--journal", "J", "-o", "x", "--root", "a"], 1, "--root is for --format timelapse"),
        (["--format", "timelapse", "--journal", "J", "-o", "x", "--root", "/a"], 1, "below the watched folder"),
        (["--format", "coco", "--journal", "J", "-o", "x", "--per", "event"], 1, "--per event is for --format csv"),
        (["--format", "csv", "--journal", "J", "-o", "x", "--project", "P"], 2, "project.yaml:1: titel: unknown key"),
        (["--format", "csv", "-c", "nowhere.yaml", "-o", "x"], 2, "nowhere.yaml"),
    ],
)
def test_mistakes_end_in_one_line_and_their_exit_code(
    rich: Rich,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("project.yaml").write_text("titel: x\n")
    named = {"J": str(rich.journal), "P": "project.yaml"}
    assert cli.main(["report", *(named.get(word, word) for word in options)]) == code
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not Path("x").exists()


def test_a_date_that_is_none_is_refused(rich: Rich, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        rich.report("csv", Path("x"), "--since", "yesterday")
    assert ended.value.code == 2 and "like 2026-05-01" in capsys.readouterr().err


@pytest.mark.parametrize("name", FORMATS)
def test_a_journal_that_breaks_in_the_middle_leaves_the_old_report(rich: Rich, tmp_path: Path, name: str) -> None:
    def broken(*, by_event: bool) -> Iterator[Result]:
        for number, result in enumerate(reader.results(by_event=by_event)):
            if passes == FORMATS[name].passes and number == 20:
                raise JournalError(rich.journal, "cannot be read")
            yield result

    def counted(*, by_event: bool) -> Iterator[Result]:
        nonlocal passes
        passes += 1
        return broken(by_event=by_event)

    passes = 0
    output = rich.report(name, tmp_path / "report")
    before = output.read_bytes() if output.is_file() else (output / "media.csv").read_bytes()
    project = settings.read_project(rich.project)
    with reading.reading(rich.journal) as reader:
        source = Source(counted, device="hill", runs=reader.runs(), project=project)
        _ = source.survey  # the command's own first pass
        with pytest.raises(JournalError):
            FORMATS[name].write(source, output)
    assert passes == FORMATS[name].passes
    if output.is_file():
        assert output.read_bytes() == before
    else:
        # Tables without a descriptor are no package.
        assert not (output / "datapackage.json").exists()
    assert list(tmp_path.rglob("*.partial")) == []


_DIFFERENT = ("megadetector", "coco", "camtrap-dp", "csv", "events")
_PEAKS = """
import sys
from pathlib import Path
from edge_runtime import cli
def peak():
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])
peaks = []
for size in sys.argv[2:]:
    for name in sys.argv[1].split(","):
        more = ["--per", "event"] if name == "events" else []
        name = "csv" if name == "events" else name
        given = ["--journal", size + ".sqlite", "--project", "project.yaml", "-o", name, "--json", *more]
        assert cli.main(["report", "--format", name, *given]) == 0
    peaks.append(peak())
print(*peaks, file=sys.stderr)
"""


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process is read from /proc")
    (tmp_path / "project.yaml").write_text(maker.project_text())
    # The small one fills the caches that a large one fills too.
    for size in (5_000, 20_000):
        maker.make(tmp_path / f"{size}.sqlite", size)
    command = [sys.executable, "-c", _PEAKS, ",".join(_DIFFERENT), "5000", "20000"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    small, large = (int(word) for word in done.stderr.split()[-2:])
    # One list of all results would take some 30 MB more.
    assert large - small < 6_000, f"peak {small} kB over 5,000 photos, {large} kB over 20,000"
