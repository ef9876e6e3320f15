from __future__ import annotations

import os
import random
import time

import pytest

from tests import card_plan
from tests.e2e.conftest import Field
from tests.e2e.test_delivery import totals_of_reports

ROUNDS = int(os.environ.get("CAMTRAP_EDGE_KILLS", "50"))


@pytest.mark.slow
def test_after_many_kills_every_photo_is_accounted_for_and_every_event_stands_once(field: Field) -> None:
    """Daemon, station and mosquitto are killed (SIGKILL) in turn at random moments while a card is on its way."""
    plan = card_plan.build(field.card, bursts=6 * ROUNDS, cameras=2)
    before = plan.fingerprints()
    dice = random.Random(2026)
    daemon = field.daemon()
    programs = [daemon, field.station, field.broker]
    for round_ in range(ROUNDS):
        for program in programs:
            if not program.running:
                program.start()
        # A start takes the daemon about a second; kills fall into it, into the work and into the sending.
        time.sleep(dice.uniform(0.05, 3.0))
        programs[round_ % 3].kill()
    for program in programs[1:]:
        if not program.running:
            program.start()
    daemon.kill()
    last = field.daemon("--until-idle").start()
    assert last.wait(300) == 0, last.log()
    events = field.events()
    assert sorted(events) == sorted(plan.events)
    assert len(events) == len(set(events))
    assert totals_of_reports(field) == (plan.photos, plan.empty, plan.failed, plan.duplicates)
    assert plan.fingerprints() == before
