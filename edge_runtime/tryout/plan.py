"""What the sample card tells: which camera saw whom, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from edge_runtime.tryout.scenes import Place, Role

FIRST_DAY = datetime(2026, 5, 1)
DAYS_PER_COPY = 2
_Cast = tuple[Role, ...]


@dataclass(frozen=True)
class Burst:
    """What walks through, one photo a second."""

    camera: str
    hours: float
    """After midnight of the first day."""
    frames: tuple[_Cast, ...]
    """Who is in each of the photos."""

    @property
    def infrared(self) -> bool:
        return not 6 <= self.hours % 24 < 19


CAMERAS: dict[str, tuple[str, Place, str]] = {
    "CAM01": ("waterhole", "meadow", "CT0017"),
    "CAM02": ("forest track", "track", "CT0042"),
}
"""Folder on the card: name of the place, its scenery, the camera's serial number."""


def _walk(role: Role, *, frames: int = 3) -> tuple[_Cast, ...]:
    return ((role,),) * frames


# The photograph ends at the cat's shoulder and the photographer's back, so they come in from the frame's own edges.
_CAT = Role("cat", -84, 1.45, step=26)
_CAT_FROM_RIGHT = Role("cat", -70, 1.4, step=24, mirrored=True, shade=0.84)
_TWO_CATS = (Role("cat", -64, 1.25, step=18), Role("cat", -60, 1.1, step=20, mirrored=True, shade=0.84))
_TWO_CATS_BY_NIGHT = (Role("cat", -40, 1.45, step=14), Role("cat", -30, 1.35, step=12, mirrored=True))
_WALKER = Role("astronaut", 300, 1.3, step=70)
_PHOTOGRAPHER = Role("photographer", -60, 1.5, step=20)
_MOTORCYCLE = Role("motorcycle", 200, 1.05, step=75, lift=70)
_NOTHING: _Cast = ()

BURSTS = (
    Burst("CAM01", 6.20, _walk(_CAT)),
    Burst("CAM01", 8.67, (_NOTHING,)),
    Burst("CAM01", 11.09, _walk(_WALKER)),
    Burst("CAM01", 17.33, (*_walk(_CAT_FROM_RIGHT, frames=2), _NOTHING)),
    Burst("CAM01", 21.47, _walk(_CAT)),
    Burst("CAM01", 26.90, (_NOTHING,)),
    Burst("CAM01", 30.84, (_NOTHING, _NOTHING)),
    Burst("CAM01", 33.17, _walk(_MOTORCYCLE)),
    Burst("CAM01", 42.25, _walk(_CAT, frames=2)),
    Burst("CAM02", 5.67, (_TWO_CATS_BY_NIGHT,) * 3),
    Burst("CAM02", 7.52, _walk(_CAT_FROM_RIGHT)),
    Burst("CAM02", 10.01, (_NOTHING, _NOTHING, _NOTHING)),
    Burst("CAM02", 13.02, _walk(_MOTORCYCLE)),
    Burst("CAM02", 19.75, _walk(_PHOTOGRAPHER)),
    Burst("CAM02", 23.18, (_NOTHING,)),
    Burst("CAM02", 30.09, _walk(_CAT, frames=2)),
    Burst("CAM02", 33.60, (_TWO_CATS,) * 2),
    Burst("CAM02", 40.40, _walk(_WALKER)),
)
