"""The answers as a table: plain text, Markdown or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from export_tools.columns import aligned
from tests.export_tools.matrix.networks import Network
from tests.export_tools.matrix.trying import TRIED, Answer, Verdict

_HEADS = ("row", "family", "network", "weights", "input", "batch", "parameters", *TRIED, "lint", "memory")


def listed(networks: Sequence[Network]) -> list[str]:
    """One line a network: name, family, network, weights."""
    return aligned([(one.name, one.family, one.network, one.weights) for one in networks])


def as_text(answers: Sequence[Answer]) -> str:
    """Columns, then the reasons of what was not built."""
    lines = aligned([_HEADS, *(_cells(answer) for answer in answers)])
    return "\n".join([*lines, "", *_reasons(answers), summary(answers)]) + "\n"


def as_markdown(answers: Sequence[Answer]) -> str:
    """A table without the rows' names, then the reasons."""
    rows = [_HEADS[1:], ("---",) * (len(_HEADS) - 1), *(_cells(answer)[1:] for answer in answers)]
    table = [f"| {' | '.join(row)} |" for row in rows]
    reasons = [f"- {line.strip()}" for line in _reasons(answers)]
    return "\n".join([*table, "", *reasons, *([""] if reasons else []), summary(answers)]) + "\n"


def as_json(answers: Sequence[Answer]) -> str:
    """Everything."""
    return json.dumps([asdict(answer) for answer in answers], indent=2) + "\n"


def in_short(answer: Answer) -> str:
    """One answer on one line."""
    verdicts = ", ".join(f"{name} {_verdict(verdict)}" for name, verdict in answer.verdicts.items())
    return f"{answer.name}: {verdicts} ({answer.seconds:.0f} s in all)"


def summary(answers: Sequence[Answer]) -> str:
    """How many variants were built, of how many."""
    verdicts = [verdict for answer in answers for verdict in answer.verdicts.values() if verdict.outcome != "none"]
    built = sum(verdict.outcome == "built" for verdict in verdicts)
    note = next((verdict.reason.partition(" (")[0] for verdict in verdicts if verdict.outcome == "built"), "")
    return f"{built} of {len(verdicts)} variants built{f': {note}' if note else ''}"


def _cells(answer: Answer) -> tuple[str, ...]:
    findings = [finding for verdict in answer.verdicts.values() for finding in verdict.lint]
    made = any(verdict.outcome in ("built", "refused") for verdict in answer.verdicts.values())
    return (
        *(answer.name, answer.family, answer.network, answer.weights, answer.input, answer.batch),
        f"{answer.parameters / 1e6:.1f} M" if answer.parameters else "",
        *(_verdict(answer.verdicts[name]) for name in TRIED),
        f"{len(findings)} findings" if findings else "clean" if made else "",
        f"{answer.memory / 1e9:.1f} GB" if answer.memory else "",
    )


def _verdict(verdict: Verdict) -> str:
    if verdict.outcome != "built":
        return verdict.outcome
    nodes = f", {verdict.quantized} nodes INT8" if verdict.quantized else ""
    return f"built, {verdict.seconds:.0f} s{nodes}"


def _reasons(answers: Sequence[Answer]) -> list[str]:
    lines = []
    for answer in answers:
        for name, verdict in answer.verdicts.items():
            if verdict.outcome != "built":
                lines.append(f"  {answer.name} {name} {verdict.outcome}: {verdict.reason}")
    return lines
