"""What a family of checkpoints has to bring."""

from __future__ import annotations

from typing import Protocol

from edge_runtime.bundles.manifest import Task
from export_tools.checkpoints.reading import Checkpoint
from export_tools.model import Model, Request


class Loader(Protocol):
    """One family of checkpoints."""

    family: str
    """As in `--family`."""
    task: Task
    tested_on: str
    """One phrase for the README's table: "real YOLOv5n weights; MegaDetector's layout"."""

    def recognises(self, checkpoint: Checkpoint) -> bool:
        """Whether this checkpoint can only be of this family. Cheap, and never raises."""
        ...

    def load(self, checkpoint: Checkpoint, request: Request) -> Model:
        """Build the network and put the weights in, strictly: a missing or surplus key is an error that names it.

        Raises:
            CheckpointError: the checkpoint is not what the family says.
        """
        ...
