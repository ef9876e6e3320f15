"""Whether the board held its clock back: the Raspberry Pi's bits, other boards' counters, time at each clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.board import counters
from benchmarks.board.clocks import Policy, policies
from benchmarks.document.schema import Throttle
from edge_runtime.device.host import Host
from edge_runtime.device.throttle_bits import NOW, SINCE_BOOT, names, read_bits


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the board says of its throttling at one time."""

    source: str | None
    """What was read for the bits; None where this machine has none."""
    bits: int | None
    counts: Mapping[str, Mapping[str, int]]
    """As `counters.look`."""
    policies: tuple[Policy, ...]


def look(host: Host) -> Snapshot:
    """The state of now."""
    source, bits = read_bits(host)
    return Snapshot(source, bits, counters.look(host), policies(host))


def between(before: Snapshot, after: Snapshot, seen_bits: int = 0) -> Throttle:
    """What happened from one look to the other.

    A bit of now counts whenever it was seen; one of since-boot only where it was not set before.

    Args:
        seen_bits: all bits that were set at any time between, or-ed together.
    """
    now = seen_bits | (before.bits or 0) | (after.bits or 0)
    # Without a look before, nobody knows since when a bit has been set.
    new = (seen_bits | (after.bits or 0)) & ~before.bits if before.bits is not None else 0
    raised = names((now | new >> SINCE_BOOT) & NOW)
    raised += _stepped(before.counts, after.counts)
    raised += _lowered(before.policies, after.policies)
    bits_from = before.source or after.source
    sources = [*([bits_from] if bits_from else []), *(each for each in before.counts if each in after.counts)]
    return Throttle(
        source=", ".join(sources) or None,
        bits_before=before.bits,
        bits_after=after.bits,
        raised=tuple(raised),
        below_max_share=below_max_share(before.policies, after.policies),
    )


def below_max_share(before: tuple[Policy, ...], after: tuple[Policy, ...]) -> float | None:
    """Share of the time that the clock was below its maximum, 0..1; None where the kernel does not count it.

    The maximum is the one allowed before the run: a power mode that caps the clock is a condition, no throttling. With
    the governor `performance` the worst policy counts, otherwise the best one, since idle clusters may clock down.
    """
    by_folder = {each.folder: each for each in after}
    pairs = [(each, by_folder[each.folder]) for each in before if each.folder in by_folder]
    shares = [share for one, other in pairs if (share := _below(one, other)) is not None]
    if not shares:
        return None
    held_up = all(each.governor == "performance" for pair in pairs for each in pair)
    return max(shares) if held_up else min(shares)


def _below(before: Policy, after: Policy) -> float | None:
    if before.ticks is None or after.ticks is None:
        return None
    spent = {hz: ticks - before.ticks.get(hz, 0) for hz, ticks in after.ticks.items()}
    total = sum(spent.values())
    if total <= 0 or min(spent.values()) < 0:
        return None  # too short for its 10 ms, or counted anew
    allowed = [hz for hz in spent if before.max_hz is None or hz <= before.max_hz]
    top = max(allowed, default=max(spent))
    return sum(ticks for hz, ticks in spent.items() if hz < top) / total


def _stepped(before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]]) -> list[str]:
    return [
        name
        for source, counts in after.items()
        for name, count in counts.items()
        if count > before.get(source, {}).get(name, count)
    ]


def _lowered(before: tuple[Policy, ...], after: tuple[Policy, ...]) -> list[str]:
    """The kernel's thermal governors slow a processor by lowering the bound of its policy."""
    then = {each.folder: each.max_hz for each in before}
    return [
        f"clock limit of {each.name} lowered from {allowed / 1e6:.0f} to {each.max_hz / 1e6:.0f} MHz"
        for each in after
        if each.max_hz is not None and (allowed := then.get(each.folder)) is not None and each.max_hz < allowed
    ]
