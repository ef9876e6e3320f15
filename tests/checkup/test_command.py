"""What the command prints, and with which exit code it ends."""

from __future__ import annotations

import argparse
import json

import pytest

from edge_runtime import cli
from edge_runtime.checkup.examination import STEPS, examine
from edge_runtime.checkup.step import Step, bad, good, together, warn
from edge_runtime.checkup.visit import Visit
from edge_runtime.commands import doctor
from tests.checkup.kit import Kit

NOT_LOOKED_AT = ("TLS files", *(step.name for step in STEPS if step.network))
"""Without a network and without TLS."""


def run(kit: Kit, *, as_json: bool = False) -> int:
    arguments = argparse.Namespace(config=kit.config, json=as_json, no_network=True, verbose=False)
    return doctor.run(arguments, kit.world)


def test_a_device_that_is_well_ends_with_0_and_a_line_for_each_step(
    kit: Kit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(kit) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(STEPS) + 1 and "->" not in "".join(lines)
    assert lines[-1].startswith(f"{len(STEPS) - len(NOT_LOOKED_AT)} good")


def test_a_warning_ends_with_0_and_says_the_next_step(kit: Kit, capsys: pytest.CaptureFixture[str]) -> None:
    kit.mount_card("rw")
    assert run(kit) == 0
    out = capsys.readouterr().out
    assert "warn     card folder" in out and "-> sudo mount -o remount,ro" in out


def test_something_bad_ends_with_1(kit: Kit) -> None:
    kit.journal.write_bytes(b"x" * 5000)
    assert run(kit) == 1


def test_an_unusable_configuration_ends_with_2(kit: Kit) -> None:
    kit.config.write_text("devise: ridge\n")
    assert run(kit) == 2


def test_json_is_one_document_with_every_step(kit: Kit, capsys: pytest.CaptureFixture[str]) -> None:
    kit.config.write_text("devise: ridge\n")
    assert run(kit, as_json=True) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 2 and document["device"] is None
    assert [each["name"] for each in document["steps"]] == [each.name for each in STEPS]
    first = document["steps"][0]
    assert first["status"] == "bad" and "did you mean 'device'?" in first["found"] and "nano +1" in first["next_step"]


def test_the_real_command_runs_on_this_machine(kit: Kit, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(["doctor", "-c", str(kit.config), "--no-network", "--json"])
    document = json.loads(capsys.readouterr().out)
    status = {each["name"]: each["status"] for each in document["steps"]}
    assert document["exit_code"] == code and status["configuration"] == status["golden samples"] == "good"
    assert all(each["next_step"] for each in document["steps"] if each["status"] in ("warn", "bad"))


def test_a_step_that_fails_costs_no_other_step(kit: Kit) -> None:
    def fails(visit: Visit) -> object:
        raise RuntimeError("boom")

    steps = (
        Step("first", (), fails),  # type: ignore[arg-type]
        Step("second", ("first",), lambda visit: good("never")),
        Step("third", ("second",), lambda visit: good("never")),
        Step("fourth", (), lambda visit: good("yes")),
    )
    found = [each.finding for each in examine(Visit(kit.config), steps=steps)]
    assert [each.status for each in found] == ["bad", "skipped", "skipped", "good"]
    assert "boom" in found[0].found and "'second'" in found[2].found


def test_every_step_needs_earlier_steps_only_and_names_are_distinct() -> None:
    names = [step.name for step in STEPS]
    assert len(set(names)) == len(names)
    for place, step in enumerate(STEPS):
        assert set(step.needs) <= set(names[:place]), step.name


def test_findings_put_together_begin_with_the_worst_and_keep_its_next_step() -> None:
    one = together([good("a"), warn("b", "mend b"), bad("c", "mend c")])
    assert one.status == "bad" and one.found == "c; b; a" and one.next_step == "mend c"
