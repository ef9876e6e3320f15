"""The figures as a table for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

from export_tools.accuracy.intervals import DRAWS, Estimate
from export_tools.default_models.evaluate.figures import AGAINST, DEFAULT, FLOAT, Bar, OperatingFigures, Report

_VERDICTS = {True: "PASS", False: "FAIL", None: "NOT MEASURED"}
_ORDER = (DEFAULT, FLOAT, AGAINST)


def render(report: Report, *, classifier: str) -> str:
    """All of the report, as text, with what is said of the classifier in its place; the bars come last."""
    figures = (_head(report), _precision(report), _thresholds(report), _latency(report))
    return "\n\n".join((*figures, f"Classifier\n{classifier}", _bars(report.bars)))


def _head(report: Report) -> str:
    counts = report.counts
    lines = [
        f"{role:8}  {report.titles[role]}, {report.megabytes[role]:.2f} MB" for role in _ORDER if role in report.titles
    ]
    classes = ", ".join(f"{number} {name}" for name, number in counts.by_class.items())
    lines += [
        "",
        f"{counts.labelled} labelled photos in {counts.sequences} sequences, {counts.boxes} boxes: {classes}",
        *(f"  {number} photos: {source}" for source, number in counts.by_source.items()),
        f"{counts.empty} photos known to be empty; left out: {counts.unlabelled} that nobody labelled, "
        f"{counts.unreadable} unreadable",
        f"{counts.held_back} photos held back from training, {counts.held_back_persons} persons with published boxes",
    ]
    if counts.doubtful:
        lines.append(
            f"doubtful truth (a person or vehicle where the species on record is an animal; counted as given, "
            f"but not among persons): {', '.join(counts.doubtful)}"
        )
    return "\n".join(lines)


def _precision(report: Report) -> str:
    roles = [role for role in _ORDER if role in report.titles]
    rows = [["AP50", "photos", "boxes", *roles, f"{DEFAULT} - {AGAINST}"]]
    for one in report.strata:
        if one.boxes:
            cells = [_estimate(one.ap50[role]) for role in roles]
            rows.append([one.stratum, str(one.photos), str(one.boxes), *cells, _estimate(one.difference)])
    everything = report.strata[0]
    looser = [_estimate(everything.ap40[role]) for role in roles]
    rows.append([f"{everything.stratum}, IoU .4", str(everything.photos), str(everything.boxes), *looser, ""])
    return (
        "Average precision, class-aware, one ranking over all classes "
        f"(95 % intervals: {DRAWS} draws of sequences; the difference is paired)\n" + _columns(rows, left=1)
    )


def _thresholds(report: Report) -> str:
    of_photos = ["recall", "right", "false", "precision", "false on empty", "persons"]
    rows = [["detector", "threshold", "chosen", *of_photos, "held back", "false there"]]
    rows += [_operating(one) for role in _ORDER for one in report.operating if one.detector == role]
    return "At one threshold, IoU .5\n" + _columns(rows, left=3)


def _operating(one: OperatingFigures) -> list[str]:
    return [
        one.detector,
        f"{one.threshold:.3f}",
        one.chosen,
        _estimate(one.recall),
        f"{one.right}/{one.truths}",
        str(one.false),
        _number(one.precision),
        f"{one.empty_false} on {one.empty_photos}",
        f"{one.persons_right}/{one.persons}",
        f"{one.people_right}/{one.people}",
        str(one.people_false),
    ]


def _latency(report: Report) -> str:
    rows = [["engine", "what", "detector", "median ms", "least ms", "runs"]]
    for one in sorted(report.timings, key=lambda one: (one.engine, one.what, _ORDER.index(one.detector))):
        cells = [f"{one.median_ms:.1f}", f"{one.least_ms:.1f}", str(one.runs)]
        rows.append([one.engine, one.what, one.detector, *cells])
    return "Latency on one thread, in turn (model: tensor to tensors; detect: decoded photo to boxes)\n" + _columns(
        rows, left=3
    )


def _bars(bars: Sequence[Bar]) -> str:
    rows = [["", "bar", DEFAULT, AGAINST]]
    rows += [[_VERDICTS[bar.holds], bar.name, bar.default, bar.against] for bar in bars]
    return "Bars\n" + _columns(rows, left=4)


def _estimate(one: Estimate) -> str:
    if not math.isfinite(one.value):
        return "-"
    return f"{_number(one.value)} [{_number(one.low)}, {_number(one.high)}]"


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-"


def _columns(rows: Sequence[Sequence[str]], *, left: int) -> str:
    """Rows as aligned columns, the first `left` of them flush left."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)
