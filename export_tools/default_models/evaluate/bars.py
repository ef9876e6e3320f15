"""What the default detector must reach: one line each, with both figures."""

from __future__ import annotations

from export_tools.accuracy.latency import OPENVINO
from export_tools.accuracy.strata import ANIMALS, EVERYTHING, INFRARED, SMALL_BOXES, SQUIRREL_SEQUENCE
from export_tools.default_models.evaluate.figures import AGAINST, DEFAULT, FLOAT, Bar, Report
from export_tools.default_models.evaluate.scoring import BEST, BY_BUNDLE

BETTER = 1.25
"""Times the other's AP50."""
FALSE_PER_EMPTY = 0.2
INT8_LOSS = 0.01
SLOWER = 1.2
"""Times the other's latency."""
_ENGINES = ("onnxruntime", OPENVINO)


def judge(report: Report) -> tuple[Bar, ...]:
    """The bars in order."""
    return (
        _precision(report, EVERYTHING.name, BETTER),
        *(_precision(report, kind.name, 1.0) for kind in (ANIMALS, SMALL_BOXES, INFRARED, SQUIRREL_SEQUENCE)),
        _found(report),
        _empties(report),
        _quantized(report),
        _latency(report),
        *_persons(report),
    )


def _precision(report: Report, stratum: str, times: float) -> Bar:
    figures = report.stratum(stratum)
    default, against = figures.ap50[DEFAULT].value, figures.ap50[AGAINST].value
    name = f"1 AP50 {stratum}, at least {times:g} x" if times != 1 else f"1 AP50 {stratum}, not below"
    # NaN (no such boxes) compares as False on both sides: it was not measured.
    known = default == default and against == against
    if not known:
        return Bar(name, f"{default:.3f}", f"{against:.3f}", None)
    ratio = f" ({default / against:.2f} x)" if against else ""
    return Bar(name, f"{default:.3f}{ratio}", f"{against:.3f}", default >= times * against)


def _found(report: Report) -> Bar:
    default, against = report.at(DEFAULT, BY_BUNDLE), report.at(AGAINST, BEST)
    return Bar(
        "2 recall at the bundle's threshold, against the other's best, with no more false boxes",
        f"{default.right}/{default.truths} with {default.false} false at {default.threshold:.3f}",
        f"{against.right}/{against.truths} with {against.false} false at {against.threshold:.3f}",
        default.right >= against.right and default.false <= against.false,
    )


def _empties(report: Report) -> Bar:
    default, against = report.at(DEFAULT, BY_BUNDLE), report.at(AGAINST, BEST)
    return Bar(
        f"2 false boxes on empty photos, at most {FALSE_PER_EMPTY:g} a photo",
        f"{default.empty_false} on {default.empty_photos}",
        f"{against.empty_false} on {against.empty_photos}",
        default.empty_false <= FALSE_PER_EMPTY * default.empty_photos if default.empty_photos else None,
    )


def _quantized(report: Report) -> Bar:
    figures = report.stratum(EVERYTHING.name)
    name = f"3 AP50 lost by INT8, at most {INT8_LOSS:g} (beside: float)"
    if FLOAT not in figures.ap50:
        return Bar(name, f"{figures.ap50[DEFAULT].value:.3f}", "no float graph", None)
    default, whole = figures.ap50[DEFAULT].value, figures.ap50[FLOAT].value
    return Bar(name, f"{default:.4f}", f"{whole:.4f}", whole - default <= INT8_LOSS)


def _latency(report: Report) -> Bar:
    pairs = []
    for engine in _ENGINES:
        default, against = report.timing(DEFAULT, engine, "model"), report.timing(AGAINST, engine, "model")
        if default and against:
            pairs.append((default.median_ms / against.median_ms, engine, default.median_ms, against.median_ms))
    name = f"3 latency of the model on one thread, at most {SLOWER:g} x, with any one engine"
    if not pairs:
        return Bar(name, "not timed", "not timed", None)
    ratio, engine, mine, theirs = min(pairs)
    return Bar(name, f"{mine:.1f} ms with {engine} ({ratio:.2f} x)", f"{theirs:.1f} ms", ratio <= SLOWER)


def _persons(report: Report) -> tuple[Bar, Bar]:
    default, against = report.at(DEFAULT, BY_BUNDLE), report.at(AGAINST, BEST)
    return (
        Bar(
            "4 persons found on these photos",
            f"{default.persons_right}/{default.persons}",
            f"{against.persons_right}/{against.persons}",
            default.persons_right >= against.persons_right if default.persons else None,
        ),
        Bar(
            "4 persons found on photos held back from training",
            f"{default.people_right}/{default.people} with {default.people_false} false",
            f"{against.people_right}/{against.people} with {against.people_false} false",
            default.people_right >= against.people_right if default.people else None,
        ),
    )
