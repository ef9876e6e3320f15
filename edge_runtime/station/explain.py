"""A payload told field by field, for a person who wonders what those bytes say."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from importlib import resources

from edge_runtime.errors import PayloadError
from edge_runtime.uplink import codec
from edge_runtime.uplink.bits import BitReader, Field
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.payload import WIRE_EPOCH_S, ClockQuality, LossReason, MessageType
from edge_runtime.uplink.records import CARD_FIELDS, STEP_WIDTHS
from edge_runtime.uplink.scales import DURATIONS_S, IMAGES, MOST_COUNTED

_EXAMPLE = re.compile(
    r"^\| (?P<name>[^|]+) \| (?P<topic>[ea]) \| (?P<size>\d+) \| `(?P<hex>[0-9a-f]+)` \| (?P<text>[^|]+) \|$"
)
_CLOCK = {
    ClockQuality.UNKNOWN: "unknown: the times mean nothing",
    ClockQuality.FILE: "the files' times",
    ClockQuality.CAMERA: "the camera's own clock",
    ClockQuality.CHECKED: "checked against a reference",
}
_EXACT_DURATIONS = 4
_EXACT_IMAGES = 5
"""The last codes of the scales that mean one number only; those above stand for their neighbourhood."""


@dataclass(frozen=True, slots=True)
class Example:
    """One test vector of the specification."""

    name: str
    topic: str
    """`e` for a message of a device, `a` for an acknowledgement."""
    hex: str
    size: int
    """Bytes."""
    text: str
    """What it says."""


def examples() -> list[Example]:
    """The test vectors of PAYLOAD.md, in its order."""
    text = resources.files("edge_runtime.uplink").joinpath("PAYLOAD.md").read_text("utf-8")
    matches = (_EXAMPLE.match(line) for line in text.splitlines())
    return [Example(m["name"], m["topic"], m["hex"], int(m["size"]), m["text"]) for m in matches if m]


def explain(payload: bytes, codebook: Codebook | None, received_s: int) -> str:
    """A device's message as aligned text: where each field stands, its bits and what they mean.

    Bytes that are no message are told as far as they can be read, and then why not further.

    Args:
        codebook: names are given where the message names it.
        received_s: UTC seconds since 1970 at which it came; a tiny message's time is told from it.
    """
    trace: list[Field] = []
    problem = ""
    try:
        codec.read_message(BitReader(payload, trace=trace), received_s=received_s)
    except PayloadError as error:
        problem = f"\n\nno further: {error}"
    meanings = _Meanings(codebook, received_s)
    rows = [(field, meanings.of(field)) for field in _joined(trace)]
    lines = [f"size in bytes: {len(payload)}", "", " bit  bits  field       raw               meaning"]
    section = ""
    for field, meaning in rows:
        if field.section != section:
            section = field.section
            lines += ["", meanings.heading(section)]
        raw = f"{field.value:0{field.width}b}" if field.width <= 16 else f"0x{field.value:0{(field.width + 3) // 4}x}"
        lines.append(f"{field.bit:4}  {field.width:4}  {field.name:<10}  {raw:<16}  {meaning}".rstrip())
    return "\n".join(lines) + problem


def _joined(trace: list[Field]) -> list[Field]:
    """The trace with the several reads of one field as one."""
    joined: list[Field] = []
    for field in trace:
        last = joined[-1] if joined else None
        if last and (last.section, last.name) == (field.section, field.name):
            value = last.value << field.width | field.value
            joined[-1] = replace(last, width=last.width + field.width, value=value)
        else:
            joined.append(field)
    return joined


class _Meanings:
    """Says what each field means, in the order in which they stand: steps need the time before them."""

    def __init__(self, codebook: Codebook | None, received_s: int) -> None:
        self._codebook, self._received_s = codebook, received_s
        self._names: Codebook | None = None
        self._time_s = 0
        self._sequence = 0
        self._bits_of_sequence = 16

    def heading(self, section: str) -> str:
        found = re.fullmatch(r"record (\d+)", section)
        if not found:
            return section
        return f"{section}, sequence {(self._sequence + int(found[1]) - 1) % 2**self._bits_of_sequence}"

    def of(self, field: Field) -> str:
        return _BY_NAME[field.name](self, field)

    def version(self, field: Field) -> str:
        return {(2, 1): "tiny", (3, 1): "standard"}.get((field.width, field.value), "not known")

    def type(self, field: Field) -> str:
        return MessageType(field.value).name if field.value in set(MessageType) else "not known"

    def clock(self, field: Field) -> str:
        return _CLOCK[ClockQuality(field.value)]

    def codebook(self, field: Field) -> str:
        if self._codebook is None:
            return f"{field.value} (no codebook at hand: codes without names)"
        if field.value != (self._codebook.tiny_id if field.width == 9 else self._codebook.wire_id):
            return f"{field.value} (not the codebook at hand: codes without names)"
        self._names = self._codebook
        return f"{field.value} (the codebook at hand, of {self._codebook.device})"

    def sequence(self, field: Field) -> str:
        self._sequence, self._bits_of_sequence = field.value, field.width
        return str(field.value)

    def time(self, field: Field) -> str:
        signed = field.value - 2**32 if field.value >= 2**31 else field.value
        return self._at(WIRE_EPOCH_S + signed)

    def minutes(self, field: Field) -> str:
        return self._at(codec.resolve_minutes(field.value, self._received_s)) + " (to the minute)"

    def step_size(self, field: Field) -> str:
        whole = field.value == len(STEP_WIDTHS)
        return "a whole time of 32 bits" if whole else f"a step of {STEP_WIDTHS[field.value]} bits"

    def step(self, field: Field) -> str:
        return f"+{field.value} s: " + self._at(self._time_s + field.value)

    def camera(self, field: Field) -> str:
        return self._name(_escaped(field, 4), Codebook.camera_name)

    def duration(self, field: Field) -> str:
        return _rounded(DURATIONS_S, field.value, _EXACT_DURATIONS) + " s" + _or_more(field.value, len(DURATIONS_S) - 1)

    def images(self, field: Field) -> str:
        return _rounded(IMAGES, field.value, _EXACT_IMAGES) + _or_more(field.value, len(IMAGES) - 1)

    def species(self, field: Field) -> str:
        return f"{_escaped(field, 2) + 1} in this event"

    def code(self, field: Field) -> str:
        return self._name(_escaped(field, 8), Codebook.label_name)

    def count(self, field: Field) -> str:
        if field.section.endswith("record 1"):
            return f"{_groups(field)} sequence numbers, this record's the first"
        count = _escaped(field, 4)
        return f"{count}{_or_more(count, MOST_COUNTED)}"

    def fifteenths(self, field: Field) -> str:
        return f"{field.value / 15:.0%}"

    def sevenths(self, field: Field) -> str:
        return f"{field.value / 7:.0%}"

    def yes_no(self, field: Field) -> str:
        return "yes" if field.value else "no"

    def individual(self, field: Field) -> str:
        try:
            name = self._names.individual_name(field.value) if self._names else None
        except PayloadError:
            name = "not in the codebook"
        return f"number {field.value}" + (f": {name}" if name else "")

    def groups(self, field: Field) -> str:
        return str(_groups(field))

    def reason(self, field: Field) -> str:
        known = field.value in set(LossReason)
        return LossReason(field.value).name.lower().replace("_", " ") if known else "not known"

    def padding(self, field: Field) -> str:
        return "padding"

    def _at(self, time_s: int) -> str:
        self._time_s = time_s
        # Not fromtimestamp: it fails on some systems for times before 1970 or after 2038.
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=time_s)
        return moment.strftime("%Y-%m-%d %H:%M:%S UTC")

    def _name(self, code: int, name: Callable[[Codebook, int], str]) -> str:
        if self._names is None:
            return f"code {code}"
        try:
            return f"code {code}: {name(self._names, code)}"
        except PayloadError:
            return f"code {code}: not in the codebook"


_BY_NAME: dict[str, Callable[[_Meanings, Field], str]] = {
    "version": _Meanings.version,
    "type": _Meanings.type,
    "clock": _Meanings.clock,
    "codebook": _Meanings.codebook,
    "sequence": _Meanings.sequence,
    "time": _Meanings.time,
    "minutes": _Meanings.minutes,
    "step size": _Meanings.step_size,
    "step": _Meanings.step,
    "camera": _Meanings.camera,
    "duration": _Meanings.duration,
    "images": _Meanings.images,
    "species": _Meanings.species,
    "thumbnail": _Meanings.yes_no,
    "review": _Meanings.yes_no,
    "code": _Meanings.code,
    "count": _Meanings.count,
    "confidence": _Meanings.fifteenths,
    "identity": _Meanings.yes_no,
    "individual": _Meanings.individual,
    "score": _Meanings.sevenths,
    "reason": _Meanings.reason,
    "zeros": _Meanings.padding,
    **dict.fromkeys(CARD_FIELDS, _Meanings.groups),
}


def _escaped(field: Field, width: int) -> int:
    more = field.width - width
    return field.value if more <= 0 else (1 << width) - 1 + (field.value & ((1 << more) - 1))


def _groups(field: Field) -> int:
    value = 0
    for place in range(field.width - 5, -1, -5):
        value = value << 4 | field.value >> place & 0xF
    return value


def _rounded(scale: tuple[int, ...], code: int, exact: int) -> str:
    return f"{'about ' if code > exact else ''}{scale[code]}"


def _or_more(value: int, most: int) -> str:
    return " or more" if value == most else ""
