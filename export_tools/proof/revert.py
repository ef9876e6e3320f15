"""A quantized variant that fails its gate goes back to float, layer by layer, the worst first.

Neighbouring nodes go back in groups, so that a network of hundreds of layers is tried in a bounded number of graphs:
each group's gain is measured alone on the samples that changed most, the groups go back in that order until the gate
is passed, and what turns out to be needless returns to INT8. NNCF's accuracy control ranks and reverts alike.

Groups overlap by half and hold two nodes at least: what is lost between two layers comes back only where both are in
float, for a tensor between them is rounded as long as one of them is quantized.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edge_runtime.bundles.manifest import KeptFloat
from export_tools.samples import progress
from export_tools.variants.protocol import Made

GROUPS = 24
SECONDS = 900.0


class Outcome(Protocol):
    """What `judge` says of a graph."""

    @property
    def passed(self) -> bool: ...

    @property
    def loss(self) -> float:
        """How far it is from the reference; 0 is equal."""
        ...


@dataclass(frozen=True)
class Improved:
    """What came of it."""

    made: Made
    kept_float: tuple[KeptFloat, ...]
    """In the graph's order."""
    passed: bool
    graphs: int
    """How many were made and looked at."""
    notes: tuple[str, ...] = ()


def improve(
    make: Callable[[Sequence[str]], Made],
    judge: Callable[[Made], Outcome],
    quick: Callable[[Made], float],
    quantized: Sequence[str],
    *,
    groups: int = GROUPS,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Improved:
    """Find nodes whose return to float lets the variant pass, as few as can be had in the time.

    Args:
        make: the variant with the named nodes in float. It may overwrite what it made before.
        judge: the whole verdict.
        quick: the loss on a few samples, which ranks the groups.
        quantized: names of the nodes that could go back, in the graph's order.
        groups: how many to try them in at most.
        seconds: after that no new graph is tried.

    Returns what passes; else what came nearest, with `passed` False.
    """
    return _Search(make, judge, quick, tuple(quantized), clock() + seconds, clock).run(groups)


@dataclass
class _Search:
    make: Callable[[Sequence[str]], Made]
    judge: Callable[[Made], Outcome]
    quick: Callable[[Made], float]
    nodes: tuple[str, ...]
    deadline: float
    clock: Callable[[], float]
    graphs: int = 0
    reasons: dict[str, str] = field(default_factory=dict)

    def run(self, groups: int) -> Improved:
        chosen: tuple[str, ...] = ()
        outcome = self._look(chosen)
        if outcome.passed:
            return self._result(chosen, outcome, ())
        outcome, chosen = self._give_back(self._ranked(groups), outcome)
        if outcome.passed:
            outcome, chosen = self._take_away(chosen, outcome)
        out_of_time = ("out of time: not everything was tried",) if self._late() else ()
        return self._result(chosen, outcome, out_of_time)

    def _ranked(self, groups: int) -> list[tuple[float, tuple[str, ...]]]:
        """Gain of each group alone, the largest first; those without any are left out."""
        whole = self.quick(self._made(()))
        gains = []
        for members in progress(_windows(self.nodes, groups), "which layers lose most"):
            if not self._late():
                gain = whole - self.quick(self._made(members))
                gains.append((gain / whole if whole else 0.0, members))
        return sorted((pair for pair in gains if pair[0] > 0), key=lambda pair: -pair[0])

    def _give_back(
        self, ranked: Sequence[tuple[float, tuple[str, ...]]], outcome: Outcome
    ) -> tuple[Outcome, tuple[str, ...]]:
        chosen: tuple[str, ...] = ()
        for gain, members in progress(ranked, "giving layers back to float"):
            if self._late() or outcome.passed:
                break
            more = tuple(dict.fromkeys((*chosen, *members)))
            if more == chosen:
                continue
            tried = self._look(more)
            if tried.passed or tried.loss < outcome.loss:
                outcome, chosen = tried, more
                reason = (
                    f"in float {'it' if len(members) == 1 else f'its group of {len(members)}'} takes {gain:.0%} off"
                )
                self.reasons = dict.fromkeys(members, f"{reason} what quantizing changes") | self.reasons
        return outcome, chosen

    def _take_away(self, chosen: tuple[str, ...], outcome: Outcome) -> tuple[Outcome, tuple[str, ...]]:
        """Return to INT8 what is not needed: halves while they are large, then single nodes."""
        size = len(chosen)
        while size > 1:
            size = (size + 1) // 2
            for part in _parts(chosen, -(-len(chosen) // size)):
                rest = tuple(node for node in chosen if node not in part)
                if self._late() or not rest:
                    continue
                tried = self._look(rest)
                if tried.passed:
                    outcome, chosen = tried, rest
        return outcome, chosen

    def _look(self, nodes: tuple[str, ...]) -> Outcome:
        return self.judge(self._made(nodes))

    def _made(self, nodes: tuple[str, ...]) -> Made:
        self.graphs += 1
        return self.make(nodes)

    def _late(self) -> bool:
        return self.clock() > self.deadline

    def _result(self, chosen: tuple[str, ...], outcome: Outcome, notes: tuple[str, ...]) -> Improved:
        ordered = [node for node in self.nodes if node in set(chosen)]
        kept = tuple(KeptFloat(node=node, reason=self.reasons[node]) for node in ordered)
        # Made once more: the last graph that was tried need not be this one.
        return Improved(self._made(tuple(ordered)), kept, outcome.passed, self.graphs, notes)


def _windows(nodes: Sequence[str], count: int) -> list[tuple[str, ...]]:
    """Neighbours, at most `count` groups, each sharing half of its nodes with the next one."""
    step = max(1, -(-len(nodes) // count))
    starts = range(0, max(1, len(nodes) - step), step)
    return [tuple(nodes[start : start + 2 * step]) for start in starts]


def _parts(nodes: Sequence[str], count: int) -> list[tuple[str, ...]]:
    """Neighbours, in at most `count` parts of nearly equal size."""
    count = max(1, min(count, len(nodes)))
    ends = [round(place * len(nodes) / count) for place in range(count + 1)]
    return [tuple(nodes[a:b]) for a, b in itertools.pairwise(ends) if b > a]
