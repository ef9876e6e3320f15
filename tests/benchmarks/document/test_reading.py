"""Documents of every version stay readable, and no doubtful file gives a row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.document import reading, store
from benchmarks.document.errors import ResultError
from benchmarks.document.schema import Document

KEPT = Path(__file__).parent / "kept"
"""One folder a schema version, of documents that `edge-bench run` of that version wrote. Never to be changed."""
OLD = sorted(KEPT.glob("schema-*/*.json"))
ONE = KEPT / "schema-1" / "single.json"


@pytest.mark.parametrize("file", OLD, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_document_of_every_version_that_there_was_is_read(file: Path) -> None:
    document = reading.read(file)
    assert document.run.scenario == file.stem and document.stats["whole"].n >= 1


def test_every_version_and_scenario_has_a_document_that_was_kept() -> None:
    assert {file.parent.name for file in OLD} == {f"schema-{known.rpartition('/')[2]}" for known in reading._READERS}
    assert {file.stem for file in OLD} == {"single", "multi", "offline", "trap", "card"}


def edited(change: Callable[[dict[str, Any]], object], folder: Path) -> Path:
    told = json.loads(ONE.read_text())
    change(told)
    file = folder / "edited.json"
    file.write_text(json.dumps(told))
    return file


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda told: told["processes"][0]["samples_ns"]["whole"].__setitem__(0, 1), r"stats\.whole does not follow"),
        (lambda told: told["processes"].pop(), "does not follow"),
        (lambda told: told["stats"]["whole"]["p50"].update(value_ns=5), r"stats\.whole does not follow"),
        (lambda told: told["stats"]["infer"].update(mean_ns=5.0), r"stats\.infer does not follow"),
        (lambda told: told.update(throughput_measured_ips=9e9), "throughput_measured_ips does not follow"),
        (lambda told: told["model"].update(precision="fp32"), "comparable_key does not follow"),
        (lambda told: told["processes"][0]["photo"].pop(), "process 1: its lists have"),
        (lambda told: told["stats"].pop("whole"), r"stats\.whole does not follow"),
        (lambda told: told["processes"][0]["samples_ns"].pop("infer"), "timed different stages"),
        (lambda told: told.update(model_name="x"), "does not follow schema 1.*unknown field"),
        (lambda told: told.pop("verdict"), "does not follow schema 1.*verdict"),
        (lambda told: told["verdict"].update(status="fine"), "does not follow schema 1.*fine"),
        (lambda told: told["device"].update(cores="two"), r"does not follow schema 1.*device\.cores"),
        (lambda told: told.update(schema="camtrap-edge-benchmark/2"), "of schema 'camtrap-edge-benchmark/2'.*newer"),
        (lambda told: told.update(schema="pyperf"), "another program's file"),
        (lambda told: told.pop("schema"), "names no schema"),
    ],
)
def test_what_was_edited_or_is_foreign_is_refused_by_name(
    change: Callable[[dict[str, Any]], object], problem: str, tmp_path: Path
) -> None:
    file = edited(change, tmp_path)
    with pytest.raises(ResultError, match=problem) as told:
        reading.read(file)
    assert told.value.file == file


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_a_file_whose_writing_was_cut_off_is_refused(share: float, tmp_path: Path) -> None:
    data = ONE.read_bytes()
    file = tmp_path / "cut.json"
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ResultError, match=r"is empty|no whole JSON document"):
        reading.read(file)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"[1, 2]", b"null", b"{" * 100_000, b'{"schema": 3}', b"\x00" * 50])
def test_what_is_no_document_at_all_is_refused(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(data)
    with pytest.raises(ResultError):
        reading.read(file)


def test_good_ones_are_read_though_others_are_bad_and_each_bad_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "measured" / "board").mkdir(parents=True)
    good = tmp_path / "measured" / "board" / "good.json"
    good.write_bytes(ONE.read_bytes())
    bad = tmp_path / "measured" / "board" / "bad.json"
    bad.write_bytes(ONE.read_bytes()[:1000])
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "others.json").write_text("{}")
    documents, problems = reading.read_all([tmp_path, good, tmp_path / "nowhere"])
    assert [file for file, _ in documents] == [good]
    assert {each.file for each in problems} == {bad, tmp_path / "nowhere"}


def test_a_folder_that_is_itself_called_published_is_not_passed_over_silently(tmp_path: Path) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "one.json").write_bytes(ONE.read_bytes())
    assert len(reading.read_all([folder])[0]) == 1


def test_what_is_written_is_read_back_the_same_and_never_over_another(tmp_path: Path) -> None:
    document = reading.read(ONE)
    first, second = store.write(document, tmp_path), store.write(document, tmp_path)
    assert first != second and first.parent == second.parent == tmp_path / "measured" / store.slug(
        document.device.board
    )
    assert reading.read(first) == reading.read(second) == document
    assert not list(tmp_path.rglob("*.partial"))


def test_a_results_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "measured").write_text("in the way")
    with pytest.raises(ResultError, match=r"measured.*cannot be written"):
        store.write(reading.read(ONE), tmp_path)


def test_numbers_that_json_has_not_are_never_written() -> None:
    document = reading.read(ONE)
    assert b"NaN" not in msgspec.json.encode(document)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({**msgspec.to_builtins(document), "stats": None}), type=Document)
