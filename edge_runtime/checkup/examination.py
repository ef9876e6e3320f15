"""The steps in their order, and going through them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edge_runtime.checkup import (
    board,
    card,
    clock,
    configuration,
    login,
    models,
    network,
    records,
    station,
    storage,
    tls,
)
from edge_runtime.checkup.step import Finding, Step, bad, skipped
from edge_runtime.checkup.visit import Visit

log = logging.getLogger(__name__)

STEPS: tuple[Step, ...] = (
    *configuration.STEPS,
    *storage.STEPS,
    *records.STEPS,
    *models.STEPS,
    *card.STEPS,
    *clock.STEPS,
    *board.STEPS,
    *network.STEPS,
    *tls.STEPS,
    *login.STEPS,
    *station.STEPS,
)


@dataclass(frozen=True, slots=True)
class Result:
    """One step and what came of it."""

    name: str
    finding: Finding
    seconds: float


def examine(
    visit: Visit,
    *,
    steps: Sequence[Step] = STEPS,
    with_network: bool = True,
    begins: Callable[[str], None] = lambda name: None,
) -> Iterator[Result]:
    """Go through the steps; each result comes as soon as it is known. The visit is closed at the end.

    Args:
        begins: called with a step's name before it runs.
    """
    lost: set[str] = set()
    try:
        for step in steps:
            missing = next((name for name in step.needs if name in lost), None)
            started = time.monotonic()
            if missing is not None:
                finding = skipped(f"'{missing}' has to be mended first")
                lost.add(step.name)
            elif step.network and not with_network:
                finding = skipped("of --no-network")
            else:
                begins(step.name)
                finding = _run(step, visit)
            if finding.status == "bad":
                lost.add(step.name)
            yield Result(step.name, finding, time.monotonic() - started)
    finally:
        visit.close()


def _run(step: Step, visit: Visit) -> Finding:
    try:
        return step.run(visit)
    except Exception as error:  # One look that fails must not cost the others.
        log.exception("the step '%s' failed", step.name)
        problem = f"the check itself failed: {type(error).__name__}: {error}"
        return bad(problem, "report it with the lines above")
