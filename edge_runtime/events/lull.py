"""When an event is over that no later photo of its camera has ended."""

from __future__ import annotations

from collections.abc import Mapping


class Lull:
    """Since when each open event has had no new photo, by the device's own clock: the camera's may be years off.

    An event is over once a look at the cards that began a whole gap after its last photo arrived has found nothing
    that joins it.

    Args:
        gap_s: seconds without a photo after which an event is over.
    """

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._since: dict[int, tuple[int, float]] = {}

    def note(self, sizes: Mapping[int, int], arrived: float) -> None:
        """Say how many photos each open event has now; those that are new arrived at `arrived` or before."""
        now = {event: (size, arrived) for event, size in sizes.items()}
        for event, (size, since) in self._since.items():
            if now.get(event, (0, 0.0))[0] == size:
                now[event] = (size, since)
        self._since = now

    def over(self, began: float) -> list[int]:
        """The events that are over for who began to look at `began`."""
        return [event for event, (_, since) in self._since.items() if began >= since + self._gap_s]

    def next_end(self) -> float | None:
        """When the next of the open events will be over; None without any."""
        return min((since for _, since in self._since.values()), default=0.0) + self._gap_s if self._since else None
