"""What the check-up's tests claim of findings."""

from __future__ import annotations

from edge_runtime.checkup.step import Finding


def is_bad(finding: Finding, *found: str, next_step: str) -> None:
    assert finding.status == "bad", finding
    assert all(each in finding.found for each in found), finding
    assert next_step in finding.next_step, finding


def is_skipped_for(finding: Finding, name: str) -> None:
    assert finding.status == "skipped" and f"'{name}'" in finding.found, finding


def are_skipped(found: dict[str, Finding], *names: str) -> None:
    assert {name: found[name].status for name in names} == dict.fromkeys(names, "skipped"), found
