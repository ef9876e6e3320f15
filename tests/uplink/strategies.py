"""Values that the payload can carry, drawn at random."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from edge_runtime.uplink.payload import (
    WIRE_EPOCH_S,
    CardRecord,
    ClockQuality,
    Envelope,
    EventRecord,
    Identity,
    LossRecord,
    Message,
    MessageType,
    SpeciesCount,
)
from edge_runtime.values import Count, Event

fractions = st.floats(0, 1)
times = st.integers(WIRE_EPOCH_S - 2**31, WIRE_EPOCH_S + 2**31 - 1)
counters = st.integers(0, 2**32 - 1) | st.integers(0, 300)
clocks = st.sampled_from(ClockQuality)

identities = st.builds(Identity, individual=st.integers(0, 1023), score=fractions)
species = st.builds(
    SpeciesCount,
    code=st.integers(0, 65790) | st.integers(250, 260),
    count=st.integers(1, 1000) | st.integers(13, 17),
    confidence=fractions,
    identity=st.none() | identities,
)
events = st.builds(
    EventRecord,
    camera=st.integers(0, 4110) | st.integers(13, 17),
    time_s=times,
    duration_s=st.integers(0, 200_000),
    images=st.integers(1, 10_000),
    species=st.lists(species, min_size=1, max_size=19).map(tuple),
    thumbnail=st.booleans(),
    review=st.booleans(),
)
cards = st.builds(
    CardRecord,
    time_s=times,
    photos=counters,
    empty=counters,
    events=counters,
    failed=counters,
    duplicates=counters,
    videos=counters,
)
losses = st.builds(LossRecord, time_s=times, count=st.integers(1, 32767), reason=st.integers(0, 15))


CAMERAS, LABELS = ("waterhole", "bridge"), ("animal", "leopard", "lion")
INDIVIDUALS = tuple(f"F{number}" for number in range(1, 1025))

counts = st.builds(
    Count,
    label=st.sampled_from(LABELS),
    count=st.integers(1, 270),
    confidence=fractions,
    individual=st.none() | st.sampled_from([*INDIVIDUALS[:5], INDIVIDUALS[-1], "who has no number"]),
    score=fractions,
)
summaries = st.builds(
    Event,
    camera=st.sampled_from(CAMERAS),
    start_s=times,
    end_s=st.none(),
    time_source=st.sampled_from(["exif", "file"]),
    photos=st.integers(1, 6),
    counts=st.lists(counts, min_size=1, max_size=22).map(tuple),
    review=st.booleans(),
).map(lambda event: replace(event, end_s=event.start_s))
"""Events as a device has them, named after CAMERAS, LABELS and INDIVIDUALS, and an individual without number."""


@st.composite
def event_runs(draw: st.DrawFn, most: int = 12) -> tuple[EventRecord, ...]:
    """Events as a card gives them: mostly in order of time, with gaps of every size, now and then back."""
    run = [draw(events)]
    steps = st.integers(0, 70) | st.integers(4000, 4200) | st.integers(262_000, 262_300) | st.integers(-90_000, -1)
    for step in draw(st.lists(steps, max_size=most - 1)):
        event = draw(events)
        time_s = min(max(run[-1].time_s + step, WIRE_EPOCH_S - 2**31), WIRE_EPOCH_S + 2**31 - 1)
        run.append(
            EventRecord(
                event.camera, time_s, event.duration_s, event.images, event.species, event.thumbnail, event.review
            )
        )
    return tuple(run)


standard_messages = st.one_of(
    st.tuples(st.just(MessageType.EVENTS), event_runs()),
    st.tuples(st.just(MessageType.CARD), st.tuples(cards)),
    st.tuples(st.just(MessageType.LOSS), st.tuples(losses)),
).flatmap(
    lambda drawn: st.builds(
        Message,
        envelope=st.just(Envelope.STANDARD),
        type=st.just(drawn[0]),
        codebook=st.integers(0, 2**14 - 1),
        sequence=st.integers(0, 2**16 - 1),
        clock=clocks,
        records=st.just(drawn[1]),
    )
)
tiny_messages = st.one_of(
    st.tuples(st.just(MessageType.EVENTS), st.tuples(events)),
    st.tuples(st.just(MessageType.CARD), st.tuples(cards)),
    st.tuples(st.just(MessageType.LOSS), st.tuples(losses)),
).flatmap(
    lambda drawn: st.builds(
        Message,
        envelope=st.just(Envelope.TINY),
        type=st.just(drawn[0]),
        codebook=st.integers(0, 2**9 - 1),
        sequence=st.integers(0, 2**8 - 1),
        clock=st.just(ClockQuality.CAMERA),
        records=st.just(drawn[1]),
    )
)
messages = standard_messages | tiny_messages
