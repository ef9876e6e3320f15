"""Who runs: each program's command for one network, and how its results are read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.peers import agreement, networks
from benchmarks.peers.environments import Environment, clean_environ
from benchmarks.peers.networks import THRESHOLD, Network

HERE = Path(__file__).parent
Peer = Literal["sparrow-engine", "ultralytics", "megadetector"]
PEERS: tuple[Peer, ...] = ("sparrow-engine", "ultralytics", "megadetector")
LIMITS: Mapping[tuple[Peer, str], float] = {
    ("sparrow-engine", "fp32"): 3.0,
    ("sparrow-engine", "int8"): 5.0,
    ("ultralytics", "fp32"): 5.0,
    ("megadetector", "fp32"): 5.0,
}
"""Ours over theirs, photos per second; theirs always runs the float network, ours the precision that is named."""
PARITY = ("--decode", "full")
"""What makes our command read a photo's every pixel, as the peers do."""


@dataclass(frozen=True)
class Contender:
    """One program with one network."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    results: Path
    read: Callable[[], agreement.Findings]


def peer(
    who: Peer, network: Network, key: str, card: Path, results: Path, work: Path, environment: Environment
) -> Contender:
    """A peer with the float network over the photos in `card`."""
    kinds = [category for _, category in network.kinds]
    read = partial(agreement.read_plain, results, kinds, threshold=THRESHOLD)
    python, own = str(environment.python), [str(card), str(results), str(THRESHOLD)]
    if who == "sparrow-engine":
        models = work / "sparrow-models"
        networks.for_sparrow(network, models, key)
        environ = clean_environ(SPARROW_ENGINE_MODEL_DIR=str(models))
        return Contender(who, (python, str(HERE / "with_sparrow.py"), key, *own), environ, results, read)
    script = str(HERE / "with_torch.py")
    environ = clean_environ(YOLO_CONFIG_DIR=str(work), YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false")
    if who == "ultralytics":
        command = (python, script, who, str(network.checkpoint), *own, str(network.overlap))
        return Contender(who, command, environ, results, read)
    command = (python, script, who, str(network.checkpoint), *own)
    read = partial(agreement.read_megadetector, results, threshold=THRESHOLD)
    return Contender(who, command, environ, results, read)


def ours(name: str, bundle: Path, card: Path, results: Path, options: Sequence[str]) -> Contender:
    """Our own command with a bundle."""
    command = [sys.executable, "-m", "edge_runtime.cli", "process", str(card), "-o", str(results), "--fresh", "--json"]
    command += ["--detector", str(bundle), "--classifier", "none", *options]
    read = partial(agreement.read_megadetector, results, threshold=THRESHOLD)
    return Contender(name, tuple(command), clean_environ(), results, read)


def steady_seconds(output: str) -> float:
    """Of what our command printed: how long it took without the interpreter's start and loading the model."""
    return float(json.loads(output)["seconds"])
