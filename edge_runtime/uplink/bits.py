"""Reading and writing fields of so many bits, most significant bit first."""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.errors import PayloadError


@dataclass(frozen=True, slots=True)
class Field:
    """One read of a field: what a person needs to follow a payload by eye. Some fields take several reads."""

    section: str
    """The part of the payload, for example `record 2, species 1`."""
    name: str
    bit: int
    """Where it begins, counted from 0 at the first byte's most significant bit."""
    width: int
    """Bits."""
    value: int
    """As on the wire, unsigned."""


class BitReader:
    """Reads a payload from front to back; nothing is read twice, so the work is linear in the payload."""

    __slots__ = ("_payload", "_trace", "length", "position", "section")

    def __init__(self, payload: bytes, *, trace: list[Field] | None = None) -> None:
        """With `trace`, each field that is read is appended to it."""
        self._payload = payload
        self._trace = trace
        self.length = len(payload) * 8
        self.position = 0
        self.section = "envelope"

    @property
    def remaining(self) -> int:
        """Bits not read yet."""
        return self.length - self.position

    def read(self, width: int, name: str) -> int:
        """The next `width` bits as an unsigned number.

        Raises:
            PayloadError: the payload ends before the field does.
        """
        start, end = self.position, self.position + width
        if end > self.length:
            raise PayloadError(f"ends within '{name}' ({self.section})", bit=start)
        last_byte = (end + 7) // 8
        value = int.from_bytes(self._payload[start // 8 : last_byte], "big") >> (last_byte * 8 - end)
        value &= (1 << width) - 1
        self.position = end
        if self._trace is not None:
            self._trace.append(Field(self.section, name, start, width, value))
        return value

    def read_escaped(self, width: int, more: int, name: str) -> int:
        """`width` bits; where all of them are set, the value goes on in `more` further bits."""
        value = self.read(width, name)
        escape = (1 << width) - 1
        return value if value < escape else escape + self.read(more, name)

    def read_groups(self, name: str) -> int:
        """A number in groups of five bits: one that says whether another group follows, and four of the number."""
        value = 0
        for _ in range(_MOST_GROUPS):
            group = self.read(5, name)
            value = value << 4 | group & 0xF
            if group < 0x10:
                return value
        raise PayloadError(f"'{name}' is longer than 32 bits", bit=self.position)

    def finish(self) -> None:
        """Take the padding: fewer than eight bits, all zero.

        Raises:
            PayloadError: anything else is left.
        """
        if self.remaining >= 8:
            raise PayloadError(f"{self.remaining} bits too many", bit=self.position)
        self.section = "padding"
        if self.remaining and self.read(self.remaining, "zeros"):
            raise PayloadError("padding is not zero", bit=self.length)


class BitWriter:
    """Writes fields one after another; `mark` and `roll_back` undo what did not fit."""

    __slots__ = ("_buffer", "_held", "_pending")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._pending = 0
        self._held = 0  # bits in _pending that do not make a byte yet: 0..7

    @property
    def size(self) -> int:
        """Bytes, the padding included."""
        return len(self._buffer) + (self._held > 0)

    def write(self, value: int, width: int, name: str) -> None:
        """Append `value` in `width` bits.

        Raises:
            PayloadError: it does not fit.
        """
        check_range(name, value, 0, (1 << width) - 1)
        bits = self._held + width
        pending = self._pending << width | value
        self._held = bits % 8
        self._buffer += (pending >> self._held).to_bytes(bits // 8, "big")
        self._pending = pending & ((1 << self._held) - 1)

    def write_escaped(self, value: int, width: int, more: int, name: str) -> None:
        """The opposite of `BitReader.read_escaped`."""
        escape = (1 << width) - 1
        check_range(name, value, 0, escape + (1 << more) - 1)
        self.write(min(value, escape), width, name)
        if value >= escape:
            self.write(value - escape, more, name)

    def write_groups(self, value: int, name: str) -> None:
        """The opposite of `BitReader.read_groups`, in as few groups as the number needs."""
        check_range(name, value, 0, (1 << 4 * _MOST_GROUPS) - 1)
        last = max(0, value.bit_length() - 1) // 4
        for group in range(last, -1, -1):
            self.write((group > 0) << 4 | (value >> 4 * group) & 0xF, 5, name)

    def mark(self) -> tuple[int, int, int]:
        """The present end, for `roll_back`."""
        return len(self._buffer), self._pending, self._held

    def roll_back(self, mark: tuple[int, int, int]) -> None:
        """Forget what was written since `mark`."""
        length, self._pending, self._held = mark
        del self._buffer[length:]

    def to_bytes(self) -> bytes:
        """What was written, padded with zeros to a whole byte."""
        if not self._held:
            return bytes(self._buffer)
        return bytes(self._buffer) + bytes([self._pending << (8 - self._held)])


def check_range(name: str, value: int, low: int, high: int) -> None:
    """Raises PayloadError where `value` is not in `low`..`high`."""
    if not low <= value <= high:
        raise PayloadError(f"{name}: {value} is not in {low}..{high}")


_MOST_GROUPS = 8
