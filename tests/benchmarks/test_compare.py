"""`edge-bench compare` on made-up documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks import cli
from benchmarks.document import reading, summary
from benchmarks.document.schema import Document
from tests.benchmarks.made_documents import document


def rewritten(told: Document, folder: Path, name: str) -> Path:
    """A document whose summaries follow from what it says."""
    verdict = msgspec.structs.replace(told.verdict, comparable_key=summary.comparable_key(told))
    file = folder / name
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(told, verdict=verdict)))
    reading.read(file)
    return file


def changed(told: Document, part: str, **changes: Any) -> Document:
    return msgspec.structs.replace(told, **{part: msgspec.structs.replace(getattr(told, part), **changes)})


@pytest.fixture
def plain() -> Document:
    return document()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda told: changed(told, "run", scenario="offline"), "different scenarios: single and offline"),
        (lambda told: changed(told, "model", precision="fp32"), "different precision: int8 and fp32"),
        (lambda told: changed(told, "model", input_shape=(1, 3, 64, 64)), "different input shape"),
        (lambda told: changed(told, "model", threads=9), "different threads"),
        (lambda told: changed(told, "photos", sha256="0" * 64), "different photos"),
        (
            lambda told: msgspec.structs.replace(told, boundary=(*told.boundary, "journal")),
            "different timing bound",
        ),
    ],
)
def test_what_measured_something_else_is_refused(
    change: Callable[[Document], Document],
    reason: str,
    plain: Document,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a, b = rewritten(plain, tmp_path, "a.json"), rewritten(change(plain), tmp_path, "b.json")
    assert cli.main(["compare", str(a), str(b)]) == 2
    said = capsys.readouterr().out
    assert "refused" in said and reason in said
    assert cli.main(["compare", str(a), str(b), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["outcome"] == "refused" and told["comparison"] is None


def test_two_boards_are_compared_under_a_label(
    plain: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = document(board="Jetson Orin Nano")
    assert other.device.fingerprint != plain.device.fingerprint
    a, b = rewritten(plain, tmp_path, "a.json"), rewritten(other, tmp_path, "b.json")
    assert cli.main(["compare", str(a), str(b), "--json"]) == 0
    labels = json.loads(capsys.readouterr().out)["labels"]
    assert any(label.startswith("cross-device: Raspberry Pi 5") for label in labels)


def test_nothing_is_concluded_from_an_unsteady_measurement_unless_one_insists(
    plain: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doubtful = changed(plain, "verdict", status="throttled", reasons=("under-voltage",))
    a, b = rewritten(plain, tmp_path, "a.json"), rewritten(doubtful, tmp_path, "b.json")
    assert cli.main(["compare", str(a), str(b)]) == 3
    assert "B is throttled: under-voltage" in capsys.readouterr().out
    assert cli.main(["compare", str(a), str(b), "--even-unsteady"]) == 0


def test_too_few_processes_conclude_nothing(
    plain: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    processes = plain.processes[:6]
    few = msgspec.structs.replace(
        plain,
        processes=processes,
        stats=summary.summarised(processes),
        throughput_measured_ips=summary.throughput(processes),
    )
    a, b = rewritten(plain, tmp_path, "a.json"), rewritten(few, tmp_path, "b.json")
    assert cli.main(["compare", str(a), str(b)]) == 3
    assert "B has 6 processes; 7 are the least" in capsys.readouterr().out


def test_a_file_that_cannot_be_used_is_named(
    plain: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = rewritten(plain, tmp_path, "a.json"), tmp_path / "b.json"
    b.write_bytes(a.read_bytes()[:500])
    assert cli.main(["compare", str(a), str(b)]) == 2
    assert str(b) in capsys.readouterr().err


def test_a_gate_is_a_share(plain: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = rewritten(plain, tmp_path, "a.json")
    for gate in ("5%", "0.05"):
        assert cli.main(["compare", str(a), str(a), "--gate", gate]) == 0
    with pytest.raises(SystemExit):
        cli.main(["compare", str(a), str(a), "--gate", "5"])
    assert "'5' is no share" in capsys.readouterr().err
