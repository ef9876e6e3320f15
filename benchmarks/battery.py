"""For how many days a battery lasts a camera-trap computer that sleeps between its triggers."""

from __future__ import annotations

from dataclasses import dataclass

SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Trace:
    """A day in the field. Every figure is an input that the estimate shows."""

    battery_wh: float
    usable: float
    """Share of the battery that may be used, 0..1: cold, age and the converter take the rest."""
    photos_a_day: float
    photos_a_wake: float
    wake_s: float
    """From power to the first photo, and from the last one to sleep, at idle power."""
    idle_w: float
    """Awake, without work."""
    sleep_w: float
    """Between two wakes; 0 where power is cut."""
    joules_per_photo: float
    """Above idle."""
    seconds_per_photo: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """Watt-hours a day by what takes them, and the days."""

    photos_wh: float
    awake_wh: float
    asleep_wh: float
    days: float


def estimate(trace: Trace) -> Estimate:
    """Days = usable watt-hours over those of a day. Sun, and what the radio sends, are not in it.

    Raises:
        ValueError: more work than the day has seconds.
    """
    wakes = trace.photos_a_day / trace.photos_a_wake
    awake_s = wakes * trace.wake_s + trace.photos_a_day * trace.seconds_per_photo
    if awake_s > SECONDS_A_DAY:
        raise ValueError(f"{awake_s / 3600:.1f} hours of work do not fit into a day")
    photos_wh = trace.photos_a_day * trace.joules_per_photo / 3600
    awake_wh = awake_s * trace.idle_w / 3600
    asleep_wh = (SECONDS_A_DAY - awake_s) * trace.sleep_w / 3600
    a_day = photos_wh + awake_wh + asleep_wh
    days = trace.battery_wh * trace.usable / a_day if a_day else float("inf")
    return Estimate(photos_wh, awake_wh, asleep_wh, days)
