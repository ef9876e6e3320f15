"""What people are asked, and what becomes of their answers, with the real pipeline."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.database import open_read_only
from edge_runtime.journal.results import Result
from edge_runtime.pipeline import Outcome
from edge_runtime.values import Event, Species
from tests.colour_detector import photo
from tests.conftest import ROOT
from tests.device.conftest import START
from tests.review.conftest import BETWEEN, COUGAR, LYNX, Ranger, rows


def fill(ranger: Ranger) -> None:
    """A card with events of one photo each, ten minutes apart; two of them nobody is sure of."""
    for number, cells in enumerate([LYNX, BETWEEN, COUGAR, BETWEEN, {}, {(0, 0): "person"}]):
        ranger.bench.shoot(f"CAM/DCIM/{number}.JPG", cells, seconds=number * 600)


def changed(before: dict[str, Result], after: dict[str, Result]) -> set[str]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def named(result: Result, species: str) -> Result:
    """The result as it is when a person said this of its only animal."""
    (found,) = result.detections
    said = replace(found, species=Species(species, 1.0, by="human"))
    return replace(result, detections=(said,), answer=species, review="")


def test_the_sheet_asks_about_what_the_machine_is_not_sure_of_and_says_why(ranger: Ranger) -> None:
    fill(ranger)
    ranger.read()
    lines = ranger.export()
    assert list(lines[0]) == ["File", "RelativePath", "Selected", "Species", "Reason", "Answer", "Confidence"]
    assert [(line["RelativePath"], line["File"], line["Selected"], line["Species"]) for line in lines] == [
        ("CAM/DCIM", "1.JPG", "True", ""),
        ("CAM/DCIM", "3.JPG", "True", ""),
    ]
    assert {line["Answer"] for line in lines} == {"cat family"}
    assert all("cat family" in line["Reason"] and 0.8 <= float(line["Confidence"]) <= 1 for line in lines)
    told = ranger.say("review", "list", "-n", "1")
    assert "CAM/DCIM/1.JPG" in told and "CAM/DCIM/3.JPG" not in told
    assert told.splitlines()[-1] == "2 photos and videos wait for a person, 1 of them not shown"


def test_an_answer_changes_its_photo_and_nothing_else_and_given_twice_nothing(ranger: Ranger) -> None:
    fill(ranger)
    ranger.read()
    before, sent = ranger.results(), ranger.table("outbox")
    told = ranger.answer({"CAM/DCIM/1.JPG": "lynx"})
    assert (told["new"], told["late"], told["open"]) == (1, 1, 0)
    after = ranger.results()
    assert after == {**before, "CAM/DCIM/1.JPG": named(before["CAM/DCIM/1.JPG"], "lynx")}
    assert ranger.table("outbox") == sent  # a record is for ever
    stored = ranger.table("answer")
    told = ranger.answer({"CAM/DCIM/1.JPG": "lynx"})
    assert (told["new"], told["unchanged"], told["late"]) == (0, 1, 0)
    assert ranger.results() == after and ranger.table("answer") == stored
    assert [line["File"] for line in ranger.export()] == ["3.JPG"]


def test_a_changed_answer_takes_the_place_of_the_older_and_says_so(ranger: Ranger) -> None:
    fill(ranger)
    ranger.read()
    before = ranger.results()
    ranger.answer({"CAM/DCIM/1.JPG": "lynx", "CAM/DCIM/3.JPG": "lynx"})
    told = ranger.answer({"CAM/DCIM/1.JPG": "cougar", "CAM/DCIM/3.JPG": "lynx"})
    assert told["changed"] == {"CAM/DCIM/1.JPG": ["lynx", "cougar"]} and told["unchanged"] == 1
    third = named(before["CAM/DCIM/3.JPG"], "lynx")
    assert ranger.results() == {
        **before,
        "CAM/DCIM/1.JPG": named(before["CAM/DCIM/1.JPG"], "cougar"),
        "CAM/DCIM/3.JPG": third,
    }
    sheet = ranger.sheet([{"File": "1.JPG", "RelativePath": "CAM/DCIM", "Species": "empty"}])
    assert "CAM/DCIM/1.JPG: empty, was cougar" in ranger.say("review", "import", sheet)
    (found,) = ranger.results()["CAM/DCIM/1.JPG"].detections
    assert found.held == "refuted"


def test_an_answer_before_the_event_is_closed_is_sent_with_it(ranger: Ranger) -> None:
    ranger.bench.shoot("CAM/1.JPG", BETWEEN)
    ranger.bench.shoot("CAM/2.JPG", {(1, 1): "between"}, seconds=1)
    ranger.read(close=False)
    told = ranger.answer({"CAM/1.JPG": "lynx"})
    assert (told["open"], told["late"]) == (1, 0)
    ranger.bench.pipeline.close_events()
    (event,) = ranger.bench.sent()
    assert isinstance(event, Event) and {count.label: count.count for count in event.counts} == {"lynx": 1}


def test_a_copy_of_an_answered_photo_has_the_answer_too_wherever_it_is_read(ranger: Ranger) -> None:
    fill(ranger)
    ranger.read()
    ranger.answer({"CAM/DCIM/1.JPG": "lynx"})
    before = ranger.results()
    shutil.copytree(ranger.bench.card / "CAM", ranger.bench.card / "AGAIN")
    assert set(ranger.bench.take_all()) == {Outcome.DUPLICATE}
    after = ranger.results()
    assert changed(before, after) == {path.replace("CAM", "AGAIN") for path in before}
    copy = after["AGAIN/DCIM/1.JPG"]
    assert copy == replace(before["CAM/DCIM/1.JPG"], path=copy.path, duplicate=True)
    told = ranger.answer({"AGAIN/DCIM/1.JPG": "cougar", "CAM/DCIM/1.JPG": "cougar"})
    assert (told["answers"], told["repeated"], len(told["changed"])) == (1, 1, 1)
    assert {result.answer for path, result in ranger.results().items() if path.endswith("/1.JPG")} == {"cougar"}


def test_a_journal_that_is_made_again_from_the_card_believes_the_same_sheet_the_same(
    ranger: Ranger, tmp_path: Path
) -> None:
    fill(ranger)
    ranger.read()
    ranger.export()
    answers = {"CAM/DCIM/1.JPG": "lynx", "CAM/DCIM/3.JPG": "empty"}
    ranger.answer(answers)
    before = {path: replace(result, processed_s=0) for path, result in ranger.results().items()}
    classifier = ranger.bench.pipeline._classifier
    ranger.bench.journal.close()
    for file in (tmp_path / "data").glob("journal.sqlite*"):
        file.unlink()
    ranger.bench.restart(tmp_path / "data")
    ranger.bench.rebuild(classifier=classifier)
    # The pictures are known from the question, so it does not matter whether the card was read yet.
    told = ranger.answer({"CAM/DCIM/1.JPG": "lynx"}, "--partial")
    assert (told["new"], told["unread"]) == (1, 1)
    ranger.read()
    ranger.answer(answers)
    assert {path: replace(result, processed_s=0) for path, result in ranger.results().items()} == before


def test_an_answer_to_a_picture_whose_name_has_passed_to_another_one_is_about_the_picture(ranger: Ranger) -> None:
    fill(ranger)
    ranger.read()
    ranger.export()
    before = ranger.results()
    kept = (ranger.bench.card / "CAM/DCIM/1.JPG").read_bytes()
    # Another card: the same names, other pictures.
    for number in range(6):
        ranger.bench.journal.ledger.forget(ranger.bench.stamp(f"CAM/DCIM/{number}.JPG").path)
        ranger.bench.shoot(f"CAM/DCIM/{number}.JPG", BETWEEN, seconds=100_000 + number * 600)
    ranger.read()
    other = ranger.results()
    assert set(other) == set(before) and len(changed(before, other)) == 6
    told = ranger.answer({"CAM/DCIM/1.JPG": "lynx", "CAM/DCIM/3.JPG": "lynx"})
    assert told["new"] == 2
    assert ranger.results() == other
    (ranger.bench.card / "BACK.JPG").write_bytes(kept)
    assert ranger.bench.take("BACK.JPG") == Outcome.DUPLICATE
    back = ranger.results()["BACK.JPG"]
    assert back.answer == "lynx" and back.detections == named(before["CAM/DCIM/1.JPG"], "lynx").detections


def test_answers_arrive_while_the_daemon_is_reading(ranger: Ranger) -> None:
    fill(ranger)
    ranger.read()
    before, sent = ranger.results(), ranger.table("outbox")
    command = [sys.executable, "-m", "edge_runtime.cli", "run", "-c", str(ranger.config)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as daemon:
        try:
            for number in range(40):
                ranger.bench.shoot(f"NEW/{number}.JPG", BETWEEN, seconds=50_000 + number * 600)
            deadline = time.monotonic() + 60
            given = 0
            while (read := len(ranger.results())) < len(before) + 40 or given < 4:
                assert time.monotonic() < deadline and daemon.poll() is None
                if read > len(before):
                    species = ("lynx", "cougar")[given % 2]
                    told = ranger.answer({"CAM/DCIM/1.JPG": species, "CAM/DCIM/3.JPG": "lynx"})
                    assert told["new"] + len(told["changed"]) + told["unchanged"] == 2
                    given += 1
                time.sleep(0.05)
        finally:
            daemon.terminate()
            daemon.communicate(timeout=30)
    after = ranger.results()
    last = ("lynx", "cougar")[(given - 1) % 2]
    expected = {"CAM/DCIM/1.JPG": last, "CAM/DCIM/3.JPG": "lynx"}
    for path, result in before.items():
        assert after[path] == (named(result, expected[path]) if path in expected else result)
    assert all(after[f"NEW/{number}.JPG"].answer is None for number in range(40))
    assert ranger.table("outbox")[: len(sent)] == sent


def test_a_person_beside_the_animal_stays_a_person(ranger: Ranger) -> None:
    ranger.bench.shoot("1.JPG", {(1, 1): "between", (3, 3): "person"})
    ranger.read()
    ranger.answer({"1.JPG": "lynx"})
    assert sorted(found.label for found in ranger.results()["1.JPG"].detections) == ["lynx", "person"]


def test_all_that_is_wrong_with_a_sheet_is_told_with_line_and_column_and_nothing_is_taken(ranger: Ranger) -> None:
    fill(ranger)
    (ranger.bench.card / "CAM/DCIM/BAD.JPG").write_bytes(b"no picture")
    shutil.copyfile(ranger.bench.card / "CAM/DCIM/1.JPG", ranger.bench.card / "CAM/DCIM/COPY.JPG")
    ranger.read()
    before = ranger.results()

    def line(name: str, species: str, folder: str = "CAM/DCIM", selected: str = "True") -> dict[str, str]:
        return {"File": name, "RelativePath": folder, "Selected": selected, "Species": species}

    sheet = ranger.sheet(
        [
            line("0.JPG", "lynx"),  # right
            line("1.JPG", "Lynks"),
            line("2.JPG", "pangolin"),
            line("9.JPG", "lynx"),
            line("BAD.JPG", "lynx"),
            line("3.JPG", ""),
            line("1.JPG", "lynx"),
            line("COPY.JPG", "cougar"),
            line("0.JPG", "empty"),
            line("0.JPG", "lynx"),  # said twice: fine
            line("4.JPG", "", selected="False"),  # not asked
        ]
    )
    error = ranger.say("review", "import", sheet, code=1)
    assert error.splitlines()[1:] == [
        f"  {sheet}:3: Species: 'Lynks' is no class here; did you mean 'lynx'?",
        f"  {sheet}:4: Species: 'pangolin' is no class here; say --new-class 'pangolin' if it is right",
        f"  {sheet}:5: File: '9.JPG' in 'CAM/DCIM' is no file that this device has read",
        f"  {sheet}:6: File: 'BAD.JPG' could not be read: no JPEG, PNG, TIFF, BMP or WebP picture",
        f"  {sheet}:7: Species: selected, and not answered; or say --partial",
        f"  {sheet}:9: Species: 'cougar', but line 8 calls the same picture, 1.JPG, 'lynx'",
        f"  {sheet}:10: Species: 'empty', but line 2 calls it 'lynx'",
    ]
    assert ranger.results() == before and ranger.table("answer") == []


def test_rows_that_nobody_answered_are_one_line_however_many_and_hide_nothing_else(ranger: Ranger) -> None:
    for number in range(30):
        ranger.bench.shoot(f"{number}.JPG", BETWEEN, seconds=number * 600)
    ranger.read()
    lines = [{"File": f"{number}.JPG", "RelativePath": "", "Selected": "True", "Species": ""} for number in range(30)]
    lines[-1]["Species"] = "Lynks"
    sheet = ranger.sheet(lines)
    wrong = f"  {sheet}:31: Species: 'Lynks' is no class here; did you mean 'lynx'?"
    unanswered = f"  {sheet}:2: Species: selected, and not answered, like "
    assert ranger.say("review", "import", sheet, code=1).splitlines()[1:] == [
        unanswered + "28 more below it (--verbose names the lines); or say --partial",
        wrong,
    ]
    assert ranger.say("review", "import", sheet, "--verbose", code=1).splitlines()[-2:] == [
        unanswered + f"lines {', '.join(map(str, range(3, 31)))}; or say --partial",
        wrong,
    ]


def test_photos_that_were_asked_about_and_are_missing_are_an_error_unless_the_rest_comes_later(ranger: Ranger) -> None:
    fill(ranger)
    ranger.read()
    lines = ranger.export()
    lines[0]["Species"] = "lynx"
    for sheet in (ranger.sheet(lines[:1]), ranger.sheet([{**line, "Selected": ""} for line in lines])):
        error = ranger.say("review", "import", sheet, code=1)
        assert "no answer to 1 of the photos that were asked about (CAM/DCIM/3.JPG)" in error
        assert ranger.table("answer") == []
    assert "1 photos still wait for an answer" in ranger.say("review", "import", sheet, "--partial")
    # The rest, later: what was answered before is not missing.
    lines[1]["Species"] = "empty"
    ranger.say("review", "import", ranger.sheet(lines[1:]))
    assert len(ranger.table("answer")) == 2 and ranger.export() == []


def test_a_new_class_is_said_once_and_known_from_then_on(ranger: Ranger) -> None:
    fill(ranger)
    ranger.read()
    told = ranger.answer({"CAM/DCIM/1.JPG": "caracal"}, "--new-class", "caracal")
    assert told["new"] == 1
    assert ranger.answer({"CAM/DCIM/3.JPG": "caracal"})["new"] == 1


@pytest.mark.parametrize("species", ["lynx", "cat family", "animal", "person", "vehicle", "empty"])
def test_labels_groups_and_categories_are_answers(ranger: Ranger, species: str) -> None:
    fill(ranger)
    ranger.read()
    assert ranger.answer({"CAM/DCIM/1.JPG": species})["new"] == 1
    assert ranger.results()["CAM/DCIM/1.JPG"].answer == species


def test_sheets_of_windows_programs_are_read(ranger: Ranger) -> None:
    fill(ranger)
    ranger.read()
    file = ranger.folder / "answers.csv"
    file.write_bytes("\ufeffFile;RelativePath;Count;Species\r\n1.JPG;CAM\\DCIM;1;lynx\r\n".encode())
    assert "1 answers: 1 new" in ranger.say("review", "import", str(file))
    assert ranger.results()["CAM/DCIM/1.JPG"].answer == "lynx"


def test_a_name_of_any_bytes_goes_out_and_comes_back(ranger: Ranger) -> None:
    name = os.fsdecode(b'caf\xe9 "1", \\2.JPG')
    folder = ranger.bench.card / "a, b"
    folder.mkdir()
    (folder / name).write_bytes(photo(BETWEEN, taken=START, seed=99))
    ranger.read()
    lines = ranger.export()
    assert "\\xe9" in lines[0]["File"]
    ranger.say("review", "import", ranger.sheet([{**line, "Species": "lynx"} for line in lines]))
    (result,) = ranger.results().values()
    assert result.answer == "lynx"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "the file is empty"),
        (b"File,Species\n1.JPG,lynx\n", ":1: RelativePath: this column is missing; the sheet has File, Species"),
        (b"File,RelativePath,Species,Species\n", ":1: Species: this column stands twice"),
        (b"File,RelativePath,Selected,Species\n1.JPG,CAM,perhaps,lynx\n", ":2: Selected: 'perhaps' is neither"),
        (b"File,RelativePath,Species\n,CAM,lynx\n", ":2: File: no file is named"),
        (b'File,RelativePath,Species\n"1.JPG\n2.JPG",CAM,lynx\n\n3.JPG,CAM,lynx\n', ":5: File: '3.JPG'"),
    ],
)
def test_a_sheet_that_is_none_says_where(ranger: Ranger, text: bytes, says: str) -> None:
    file = ranger.folder / "answers.csv"
    file.write_bytes(text)
    assert says in ranger.say("review", "import", str(file), code=1)


def test_a_sheet_that_is_not_there_is_one_line(ranger: Ranger) -> None:
    assert "No such file" in ranger.say("review", "import", str(ranger.folder / "none.csv"), code=1)


def test_review_before_the_first_run_says_so_and_makes_no_journal(ranger: Ranger, tmp_path: Path) -> None:
    ranger.config.write_text(ranger.config.read_text().replace("data: data", "data: elsewhere"))
    sheet = ranger.sheet([{"File": "1.JPG", "RelativePath": "", "Species": "lynx"}])
    for command in (["import", sheet], ["list"], ["export", "-o", str(tmp_path / "r.csv")], ["repeats"]):
        assert "has the program run" in ranger.say("review", *command, code=1)
    assert not (tmp_path / "elsewhere" / "journal.sqlite").exists()


def test_an_export_that_cannot_be_written_asks_nobody_anything(ranger: Ranger) -> None:
    fill(ranger)
    ranger.read()
    ranger.say("review", "export", "-o", str(ranger.folder / "none" / "review.csv"), code=1)
    assert not (ranger.folder / "data" / "asked" / "review.csv").exists()


def test_nobody_who_only_looks_writes_to_the_journal(ranger: Ranger) -> None:
    fill(ranger)
    ranger.read()
    ranger.bench.journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file = ranger.folder / "data" / "journal.sqlite"
    before = file.read_bytes()
    ranger.say("review", "list")
    ranger.export()
    ranger.select("-n", "1")
    ranger.say("review", "repeats")
    with open_read_only(file) as connection:
        assert connection.execute("SELECT COUNT(*) FROM answer").fetchone()[0] == 0
    assert file.read_bytes() == before
    assert rows(ranger.selector)
