"""How the page says things: times, labels and deliveries as a person reads them. Pure functions.

Moments are UTC seconds since 1970; `now` is the station's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo

from edge_runtime.station.values import AHEAD_SECONDS, DeviceView, Gap, StoredCardReport, StoredEvent
from edge_runtime.uplink.payload import ClockQuality
from edge_runtime.uplink.scales import EXACT_IMAGES
from edge_runtime.values import Count

LATE_SECONDS = 3600
"""An event that arrives more than this after it happened says so: its card was read later."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
HUMAN = {"person": "person", "human": "person", "vehicle": "vehicle"}
"""Labels that concern people, and which mark they get."""


@dataclass(frozen=True, slots=True)
class Sight:
    """All animals of one label that an event showed."""

    label: str
    count: int
    confidence: float
    """The best of them."""
    known: tuple[Count, ...]
    """Those with a name."""


def ago(moment_s: int, now: float) -> str:
    """`2 min ago`; rounds down, so that it never claims more time than has passed."""
    passed = int(now) - moment_s
    if passed < -_MINUTE:
        return "in the future"
    if passed < 10:
        return "just now"
    if passed < _MINUTE:
        return f"{passed} s ago"
    if passed < _HOUR:
        return f"{passed // _MINUTE} min ago"
    if passed < _DAY:
        return f"{passed // _HOUR} h ago"
    days = passed // _DAY
    return f"{days:,} day{'s' if days > 1 else ''} ago"


def moment(moment_s: int, now: float, zone: tzinfo) -> str:
    """`14:02` today, `Fri 20 Nov, 14:02` in this year, `20 Nov 2025, 14:02` before."""
    then, today = datetime.fromtimestamp(moment_s, zone), datetime.fromtimestamp(now, zone)
    if then.date() == today.date():
        return f"{then:%H:%M}"
    if then.year == today.year:
        return f"{then:%a} {then.day} {then:%b, %H:%M}"
    return f"{then.day} {then:%b %Y, %H:%M}"


def iso(moment_s: int) -> str:
    """ISO 8601 in UTC, for machines."""
    return datetime.fromtimestamp(moment_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def label(name: str) -> str:
    """A label as a person writes it: `common_eland` becomes `Common eland`."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def images(number: int) -> str:
    """A number of photos: the payload tells only small ones exactly."""
    return f"{number:,}" if number <= EXACT_IMAGES else f"≈ {number:,}"


def duration(seconds: int) -> str:
    """`4 s`, `3 min`, `2 h`."""
    if seconds < _MINUTE:
        return f"{seconds} s"
    return f"{seconds // _MINUTE} min" if seconds < _HOUR else f"{seconds // _HOUR} h"


def time_notes(event: StoredEvent, now: float) -> list[str]:
    """What a ranger should know before believing the event's time."""
    arrived = f"arrived {ago(event.received_s, now)}"
    if event.start_s is None:
        return [arrived]
    notes = []
    if event.start_s > event.received_s + AHEAD_SECONDS:
        notes.append("the camera's clock is ahead")
    if event.clock is ClockQuality.FILE:
        notes.append("time of the file")
    if event.received_s - event.start_s > LATE_SECONDS:
        notes.append(arrived)
    return notes


def sights(event: StoredEvent) -> list[Sight]:
    """What an event showed, label by label: known animals beside the others of their label."""
    together: dict[str, list[Count]] = {}
    for count in event.counts:
        together.setdefault(count.label, []).append(count)
    return [
        Sight(
            name,
            sum(count.count for count in counts),
            max(count.confidence for count in counts),
            tuple(count for count in counts if count.individual is not None),
        )
        for name, counts in together.items()
    ]


def number(sight: Sight) -> str:
    """What stands after the label: `× 2`, or the name of the one known animal that it is."""
    alone = sight.count == len(sight.known) == 1
    return str(sight.known[0].individual) if alone else f"× {sight.count}"


def among(sight: Sight) -> str:
    """What stands before the names where several were seen: `one of them`; empty where all have one."""
    few = ("none", "one", "two", "three", "four", "five", "six")
    known = len(sight.known)
    return "" if known == sight.count else f"{few[known] if known < len(few) else known} of them"


def likeness(score: float) -> str:
    """`6 of 7`: the payload tells it in sevenths, and a percentage would promise more."""
    return f"{round(score * 7)} of 7"


def headline(event: StoredEvent) -> str:
    """`Leopard F12, Person × 1 at cam7`, `Leopard × 2 (one of them F12) at cam7`."""
    return f"{', '.join(_told(sight) for sight in sights(event))} at {event.camera}"


def _told(sight: Sight) -> str:
    text = f"{label(sight.label)} {number(sight)}"
    if sight.count == 1 or not sight.known:
        return text
    *names, last = (str(count.individual) for count in sight.known)
    listed = f"{', '.join(names)} and {last}" if names else last
    return f"{text} ({f'{among(sight)} {listed}'.lstrip()})"


def card(report: StoredCardReport) -> str:
    """`1,204 photos, 1,100 empty, 12 events, 3 unreadable`; what is zero and no surprise is left out."""
    parts = [_many(report.photos, "photo"), f"{report.empty:,} empty", _many(report.events, "event")]
    if report.failed:
        parts.append(f"{report.failed:,} unreadable")
    if report.duplicates:
        parts.append(f"{report.duplicates:,} already known")
    if report.videos:
        parts.append(f"{_many(report.videos, 'video')} not read")
    return ", ".join(parts)


def spans(gaps: Iterable[Gap]) -> str:
    """`12–14, 20`."""
    return ", ".join(f"{gap.first:,}–{gap.last:,}" if gap.last > gap.first else f"{gap.first:,}" for gap in gaps)


def delivery(device: DeviceView) -> list[str]:
    """What has come of the summaries that a device made; the first sentence is the state."""
    missing = [gap for gap in device.gaps if gap.awaited]
    lost = [gap for gap in device.gaps if not gap.awaited]
    under_way = device.outstanding - sum(gap.last - gap.first + 1 for gap in missing)
    if device.received == 0 and device.outstanding == 0:
        said = ["no summaries yet"]
    elif device.outstanding == 0 and not lost:
        said = [f"all {_many(device.received, 'summary', 'summaries')} received"]
    else:
        said = [f"{_many(device.received, 'summary', 'summaries')} received"]
    if missing:
        said.append(f"missing {spans(missing)}, the device will send again")
    if under_way > 0:
        said.append(f"{under_way:,} on the way")
    if lost:
        said.append(f"never arrived here: {spans(lost)}")
    if device.dropped:
        said.append(f"{device.dropped:,} dropped by the device, its memory was full or damaged")
    return said


def state(device: DeviceView, now: float, silent_hours: float) -> str:
    """`online`, `offline`, `silent` or `unknown`."""
    if device.last_contact_s is not None and now - device.last_contact_s > silent_hours * _HOUR:
        return "silent"
    if device.online is None:
        return "unknown"
    return "online" if device.online else "offline"


def _many(number: int, one: str, more: str = "") -> str:
    return f"{number:,} {one if number == 1 else more or one + 's'}"
