"""Layers that go back to float: the ones to blame, as few as will do, in bounded time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export_tools.proof import revert
from export_tools.variants.protocol import Made

NODES = tuple(f"conv{number}" for number in range(40))


@dataclass(frozen=True)
class Verdict:
    passed: bool
    loss: float


class Net:
    """A quantized net whose loss is the sum of what its nodes lose; each graph takes one second to make."""

    def __init__(self, losses: dict[str, float], bar: float) -> None:
        self._losses, self._bar = losses, bar
        self.time = 0.0

    def make(self, nodes: Sequence[str]) -> Made:
        self.time += 1
        return Made(Path("graph"), quantized=tuple(node for node in NODES if node not in nodes))

    def loss(self, made: Made) -> float:
        return sum(self._losses.get(node, 0.0) for node in made.quantized)

    def judge(self, made: Made) -> Verdict:
        return Verdict(self.loss(made) <= self._bar, self.loss(made))

    def improve(self, *, seconds: float = 1000.0) -> revert.Improved:
        return revert.improve(self.make, self.judge, self.loss, NODES, seconds=seconds, clock=lambda: self.time)


def names(improved: revert.Improved) -> list[str]:
    return [kept.node for kept in improved.kept_float]


def test_a_variant_that_passes_stays_as_it_is() -> None:
    improved = Net({"conv7": 0.1}, bar=0.2).improve()
    assert improved.passed and names(improved) == [] and improved.made.quantized == NODES


def test_the_one_layer_to_blame_goes_back_alone() -> None:
    improved = Net({"conv7": 5.0, "conv20": 0.1}, bar=0.2).improve()
    assert improved.passed and names(improved) == ["conv7"]
    assert "98%" in improved.kept_float[0].reason
    assert improved.made.quantized == tuple(node for node in NODES if node != "conv7")


def test_the_worst_goes_back_first_and_no_more_than_needed() -> None:
    improved = Net({"conv3": 1.0, "conv15": 3.0, "conv30": 2.0}, bar=1.5).improve()
    assert improved.passed and names(improved) == ["conv15", "conv30"]


def test_where_no_layer_is_to_blame_the_answer_is_no() -> None:
    improved = Net(dict.fromkeys(NODES, 0.0), bar=-1.0).improve()
    assert not improved.passed and names(improved) == []


def test_what_does_not_suffice_is_kept_where_it_helps_and_said_not_to_pass() -> None:
    class Floor(Net):
        def loss(self, made: Made) -> float:
            return 1.0 + super().loss(made)

    improved = Floor({"conv7": 5.0}, bar=0.5).improve()
    assert not improved.passed and "conv7" in names(improved)


def test_the_search_ends_when_its_time_is_up_and_says_so() -> None:
    net = Net({"conv39": 5.0}, bar=0.2)
    improved = net.improve(seconds=10.0)
    assert not improved.passed and improved.notes
    assert net.time < 15


def test_hundreds_of_layers_are_tried_in_a_bounded_number_of_graphs() -> None:
    net = Net({}, bar=-1.0)
    many = tuple(f"n{number}" for number in range(700))
    improved = revert.improve(net.make, net.judge, net.loss, many, clock=lambda: net.time)
    assert improved.graphs < 2 * revert.GROUPS + 5


def test_two_layers_that_must_go_back_together_are_found() -> None:
    class Pair(Net):
        def loss(self, made: Made) -> float:
            return 5.0 if {"conv12", "conv13"} & set(made.quantized) else 0.0

    improved = Pair({}, bar=0.2).improve()
    assert improved.passed and names(improved) == ["conv12", "conv13"]


def test_groups_cover_every_node_and_every_pair_of_neighbours() -> None:
    for count in (1, 2, 23, 24, 25, 49, 300):
        nodes = NODES[:1] if count == 1 else tuple(f"n{number}" for number in range(count))
        windows = revert._windows(nodes, revert.GROUPS)
        assert len(windows) <= revert.GROUPS
        pairs = list(itertools.pairwise(nodes)) or [nodes]
        assert all(any(set(pair) <= set(window) for window in windows) for pair in pairs)
