"""One check-up under way: what it was asked, and what earlier steps have learned for later ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.checkup.world import World
from edge_runtime.settings import DeviceSettings

if TYPE_CHECKING:
    from edge_runtime.bundles.bundle import Bundle
    from edge_runtime.bundles.manifest import Task
    from edge_runtime.checkup.mqtt_session import Session
    from edge_runtime.tuning.choice import Chosen

ANSWER_SECONDS = 10.0
"""How long a station may take to acknowledge. One commits within a second; the rest is for the link."""


@dataclass(slots=True)
class Visit:
    """What the steps of one check-up share."""

    config: Path
    world: World = field(default_factory=World)
    answer_seconds: float = ANSWER_SECONDS
    known_settings: DeviceSettings | None = None
    last_photo_s: int | None = None
    """When the journal's last photo was processed, UTC seconds since 1970."""
    bundles: dict[Task, Bundle] = field(default_factory=dict)
    """Whose hashes are right, by what they are used for."""
    chosen: dict[Task, Chosen] = field(default_factory=dict)
    """How they are opened here."""
    session: Session | None = None
    """The connection over which things are published."""
    announced_at: float = 0.0
    """When "connected" was published, seconds of the clock that never jumps."""
    subscribers: bool | None = None
    """Whether anybody has subscribed to what the device publishes; None where the broker does not say."""

    @property
    def settings(self) -> DeviceSettings:
        """The device's settings, for steps that need the configuration."""
        if self.known_settings is None:
            raise LookupError("a step that uses the settings has to need 'configuration'")
        return self.known_settings

    def close(self) -> None:
        """Leave the broker, if the check-up is there."""
        if self.session is not None:
            # A daemon that has started meanwhile is connected, and says so on the same topic.
            self.session.close(goodbye=not self.world.daemon_runs())
            self.session = None
