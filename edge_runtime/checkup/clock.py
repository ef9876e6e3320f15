"""Whether this device knows what time it is, and will know it after a power cut."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from edge_runtime.checkup.step import Finding, Step, bad, good, warn
from edge_runtime.checkup.visit import Visit
from edge_runtime.checkup.world import World

EARLIEST_S = 1_767_225_600
"""2026-01-01: this program is not older."""
LATEST_S = EARLIEST_S + 30 * 365 * 86_400
DAY_S = 86_400
RTC_AWAY_S = 60
SYNCHRONISED = "/run/systemd/timesync/synchronized"
ASKED = ("timedatectl", "show", "--property=NTPSynchronized", "--value")
SET = "sudo date -u -s 'YYYY-MM-DD HH:MM:SS'"


def clock(visit: Visit) -> Finding:
    """Whether the time can be, and what keeps it right."""
    world, now_s = visit.world, visit.world.now()
    rtc = world.glob("/sys/class/rtc/rtc*")
    keep = " && sudo hwclock -w" if rtc else ""
    if not EARLIEST_S <= now_s <= LATEST_S:
        return bad(f"it says {_utc(now_s)}, which cannot be", SET + keep)
    if visit.last_photo_s is not None and now_s < visit.last_photo_s - DAY_S:
        last = _utc(visit.last_photo_s)
        return bad(f"it says {_utc(now_s)}, but the journal's last photo was processed on {last}", SET + keep)
    return _kept(world, now_s, rtc)


def time_zone(visit: Visit) -> Finding:
    """What the zone of the cameras' clocks makes of now, for a person to compare with a watch."""
    name = visit.settings.time_zone
    there = datetime.fromtimestamp(visit.world.now(), timezone.utc).astimezone(ZoneInfo(name))
    return good(f"{name}: the cameras' clocks should show {there:%Y-%m-%d %H:%M} ({there:%z})")


def _kept(world: World, now_s: float, rtc: tuple[str, ...]) -> Finding:
    told = _utc(now_s)
    if _synchronised(world):
        return good(f"{told}, synchronised" + ("" if rtc else "; no battery keeps it in a power cut"))
    if rtc:
        since = world.integer(f"{rtc[0]}/since_epoch")
        if since is not None and abs(since - now_s) > RTC_AWAY_S:
            return warn(
                f"{told}, not synchronised, and the clock with the battery says {_utc(since)}",
                "compare both with a watch, then the right one to the other: sudo hwclock -w (or -s)",
            )
        return good(f"{told}, not synchronised, kept by {rtc[0].rpartition('/')[2]}")
    return warn(
        f"{told}, neither synchronised nor kept by a battery: after a power cut it is wrong",
        "sudo timedatectl set-ntp true (with the station's address as NTP= in /etc/systemd/timesyncd.conf), or add a "
        "clock with a battery: dtoverlay=i2c-rtc,ds3231 in /boot/firmware/config.txt",
    )


def _synchronised(world: World) -> bool:
    return world.path(SYNCHRONISED).exists() or world.tool(ASKED) == "yes"


def _utc(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s since 1970"


STEPS = (
    Step("clock", (), clock),
    Step("time zone", ("configuration", "clock"), time_zone),
)
