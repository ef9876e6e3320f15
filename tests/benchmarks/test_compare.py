"""`edge-bench compare`, and the whole chain behind it on real processes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks import cli
from benchmarks.document import reading, summary
from benchmarks.document.schema import Document
from benchmarks.statistics.comparing import compare, process_medians
from tests.benchmarks import layered, noise
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


@pytest.mark.slow
def test_real_processes_of_one_model_are_alike_and_a_tenth_more_work_is_found(
    small_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sixteen processes each of 20 and of 22 equal layers, in turn; halves of each side are drawn 100 times.

    Where others use the machine a tenth may drown in what they do: it has to be found in one of three measurements.
    """
    names = ("twenty", "twenty-two")
    folders = [layered.build_bundle(tmp_path / name, layers=20 + 2 * place).folder for place, name in enumerate(names)]
    command = ["run", *map(str, folders), "--photos", str(small_photos), "--threads", "1"]
    dice, said = random.Random(1), []
    for attempt in range(3):
        results = tmp_path / f"r{attempt}"
        assert cli.main([*command, "--seconds", "8", "--processes", "16", "-o", str(results)]) == 0
        documents = {told.model.bundle.split()[0]: (file, told) for file, told in reading.read_all([results])[0]}
        for name in names:
            medians = process_medians(documents[name][1])
            assert len(medians) == 16
            halves = (dice.sample(medians, 16) for _ in range(100))
            outcomes = [compare(half[:8], half[8:]).outcome for half in halves]
            assert sum(outcome != "alike" for outcome in outcomes) <= 1, name
        a, b = (str(documents[name][0]) for name in names)
        capsys.readouterr()
        code = cli.main(["compare", a, b, "--gate", "5%", "--even-unsteady"])
        said.append(capsys.readouterr().out)
        if code == 1:
            break
    else:
        noise.skip_where_unquiet()
    assert code == 1 and "B is slower" in said[-1], said
    assert cli.main(["compare", b, a, "--even-unsteady"]) == 0
