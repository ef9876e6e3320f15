"""What a loader gives: a network out of a checkpoint, and everything that a device must know to use it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.bundles.manifest import Task
from edge_runtime.bundles.tables import Label, Taxon
from edge_runtime.errors import CamtrapEdgeError
from export_tools.bundle_writer import Description

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Request:
    """What the user asked for; None and empty mean "as the family has it"."""

    checkpoint: Path
    """A file, or the active-learning project's export folder."""
    task: Task
    family: str | None = None
    size: tuple[int, int] | None = None
    """Width and height of the input, pixels."""
    labels: Path | None = None
    """A label table as a bundle has it, or one class name per line."""
    parity: str | None = None
    """Whose pre-processing to repeat: `megadetector`, `pytorch-wildlife` or `ultralytics`."""
    name: str | None = None
    version: str | None = None
    licence: str | None = None
    source: str | None = None
    confident: float | None = None
    trust_pickle: bool = False
    training_images: Path | None = None
    """Active learning: the images to which its scaler was fitted."""
    legacy_batch: bool = False
    """Active learning: scale by the batch at hand, as its own pipeline did."""


@dataclass(frozen=True, eq=False)
class Model:
    """One model, ready for export."""

    family: str
    network: nn.Module | None
    """None where there is only a graph. In eval mode, float32, on the CPU. `forward(image)` takes [N, 3, height,
    width], float32, pre-processed as `description` says, and returns a tuple of tensors, one per name in `outputs`. A
    detector's are those of the head `decoded`: boxes [N, A, 4] `xyxy` in pixels of the input, scores [N, A, classes],
    0..1."""
    outputs: tuple[str, ...]
    description: Description
    labels: tuple[Label, ...] = ()
    """By output class; empty for an embedder."""
    taxa: tuple[Taxon, ...] = ()
    """What a classifier may answer with where it is sure of no single label."""
    any_batch: bool = False
    """Whether the graph takes any number of images (classifiers, embedders), or one."""
    float_modules: tuple[str, ...] = ()
    """Qualified names of submodules that stay in float whatever is quantized: the last convolutions of a detection
    head, whose boxes and scores would share one scale."""


class VariantRefusedError(CamtrapEdgeError):
    """A variant that was made but must not be shipped: its engine, or its proof, says no."""

    exit_code = 3

    def __init__(self, variant: str, reason: str) -> None:
        self.variant, self.reason = variant, reason
        super().__init__(f"{variant}: {reason}")
