"""When a person should look at an animal, and why. Pure functions."""

from __future__ import annotations

import math

from edge_runtime.events.evidence import Naming, Verdict
from edge_runtime.values import Individual

LEAST_SUPPORT = 0.5
"""Below this share of frames that say so alone, an answer needs a person."""


def reasons(verdict: Verdict, individual: Individual | None, naming: Naming | None) -> tuple[str, ...]:
    """Why a person should look at one animal; empty where its species is sure at the bundle's `review` threshold.

    What no classifier was shown is nobody's work either: people, vehicles, and animals that people hide.
    """
    found: list[str] = []
    species = verdict.species
    if naming is None or not verdict.frames:
        pass
    elif species is None:
        found.append("no species is sure")
    else:
        if species.name in naming.groups:
            found.append(f"only as far as {species.name}")
        elif species.confidence < naming.sure:
            # Rounded down: 0.979 is not "0.98, below 0.98".
            found.append(f"{species.name} at {math.floor(species.confidence * 100) / 100:.2f}, below {naming.sure:g}")
        if verdict.support < LEAST_SUPPORT:
            found.append(f"frames disagree (support {verdict.support:.2g})")
    if individual is not None and individual.name is None:
        found.append("new individual")
    return tuple(found)
