"""The training itself: scenes in, weights out; may be cut off at any time and goes on from its last checkpoint."""

from __future__ import annotations

import csv
import dataclasses
import logging
import math
import os
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from edge_runtime.errors import CamtrapEdgeError
from export_tools.default_models.detector import learning, network, scenes, validation
from export_tools.default_models.detector.learning import Labels
from export_tools.default_models.detector.material import Material
from export_tools.default_models.detector.network import DetectorNetwork
from export_tools.default_models.detector.photos import Scene

log = logging.getLogger(__name__)

CHECKPOINT, CURVES = "checkpoint.pt", "curves.csv"
FROZEN_STAGES = 2
"""The stem and this many stages (strides 2 and 4) keep their ImageNet weights, and so do the backbone's 5x5 depthwise
convolutions: together they cost half of a training step and are general."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, beside photos and code."""

    steps: int = 2700
    batch: int = 16
    seed: int = 1
    size: tuple[int, int] = (384, 288)
    late_size: tuple[int, int] = (512, 384)
    late_share: float = 0.25
    """The last part of the steps, at the size that the device uses and without mosaics."""
    rate: float = 1.5e-3
    backbone_rate: float = 0.2
    """Times `rate`."""
    decay: float = 0.03
    clip: float = 10.0
    warm_up: int = 200
    average: float = 0.998
    threads: int = 2

    @property
    def late_from(self) -> int:
        return round(self.steps * (1 - self.late_share))


class _Batches(Dataset[tuple[Tensor, Labels]]):
    """Batch number i is made from the seed and i alone, so that a training that goes on sees what it would have."""

    def __init__(self, material: Material, recipe: Recipe, first: int) -> None:
        self._material, self._recipe, self._first = material, recipe, first

    def __len__(self) -> int:
        return self._recipe.steps - self._first

    def __getitem__(self, index: int) -> tuple[Tensor, Labels]:
        step, recipe = self._first + index, self._recipe
        late = step >= recipe.late_from
        width, height = recipe.late_size if late else recipe.size
        made = [
            scenes.make(
                self._material,
                np.random.default_rng([recipe.seed, step, place]),
                width=width,
                height=height,
                late=late,
            )
            for place in range(recipe.batch)
        ]
        return batch_of(made)


def batch_of(made: Sequence[Scene]) -> tuple[Tensor, Labels]:
    """Scenes of one size to a uint8 batch [N, 3, H, W] and padded labels."""
    images = torch.from_numpy(np.stack([scene.pixels for scene in made])).permute(0, 3, 1, 2)
    most = max(1, max(len(scene.boxes) for scene in made))
    unknown = max(1, max(len(scene.ignored) for scene in made))
    boxes, ignored = torch.zeros(len(made), most, 4), torch.zeros(len(made), unknown, 4)
    classes = torch.full((len(made), most), -1, dtype=torch.int64)
    for place, scene in enumerate(made):
        boxes[place, : len(scene.boxes)] = torch.from_numpy(scene.boxes)
        classes[place, : len(scene.boxes)] = torch.from_numpy(scene.classes)
        ignored[place, : len(scene.ignored)] = torch.from_numpy(scene.ignored)
    return images, Labels(boxes, classes, ignored)


def train(
    material: Material,
    checks: Sequence[validation.Check],
    recipe: Recipe,
    work: Path,
    *,
    every: int = 500,
    note_every: int = 50,
    save_every: int = 250,
) -> DetectorNetwork:
    """Train, or go on from `work/checkpoint.pt`; returns the averaged network.

    Args:
        every: after so many steps, a multiple of `note_every`, the checks' AP50 stand in the curves too.
        note_every: after so many steps `work/curves.csv` gets a row with the mean losses since the last one.
        save_every: after so many steps, a multiple of `note_every`, the checkpoint is written.

    Raises:
        CamtrapEdgeError: the checkpoint was made with another recipe.
        ValueError: `every` or `save_every` is no multiple of `note_every`.
    """
    if every % note_every or save_every % note_every:
        raise ValueError(f"every={every} and save_every={save_every} must be multiples of note_every={note_every}")
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    work.mkdir(parents=True, exist_ok=True)
    trained, averaged = network.pretrained(), network.pretrained()
    averaged.load_state_dict(trained.state_dict())
    trained = trained.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = _optimizer(trained, recipe)
    first = _resume(work / CHECKPOINT, recipe, trained, averaged, optimizer)
    _forget(work / CURVES, after=first)
    # A forked process would wait for ever for the threads of OpenCV's pool: it inherits the pool, not the threads.
    cv2.setNumThreads(1)
    batches = DataLoader(
        _Batches(material, recipe, first),
        batch_size=None,
        num_workers=max(1, min(4, os.cpu_count() or 1)),
        prefetch_factor=3,
        multiprocessing_context="fork",
        worker_init_fn=_start_worker,
    )
    # The loader's handler for children that die would stay behind and be called for children that are none of its own.
    before = signal.getsignal(signal.SIGCHLD)
    try:
        return _steps(
            batches, trained, averaged, optimizer, checks, recipe, work, first, (every, note_every, save_every)
        )
    finally:
        signal.signal(signal.SIGCHLD, before)


def _steps(
    batches: Iterable[tuple[Tensor, Labels]],
    trained: DetectorNetwork,
    averaged: DetectorNetwork,
    optimizer: torch.optim.Optimizer,
    checks: Sequence[validation.Check],
    recipe: Recipe,
    work: Path,
    first: int,
    after: tuple[int, int, int],
) -> DetectorNetwork:
    every, note_every, save_every = after
    losses: list[tuple[float, float]] = []
    started = time.monotonic()
    bar = tqdm(batches, "training", recipe.steps, initial=first, unit="step", disable=None)
    for step, (images, labels) in enumerate(bar, first):
        losses.append(_step(trained, optimizer, images, labels, recipe, step))
        _average(averaged, trained, min(recipe.average, (1 + step) / (10 + step)))
        done = step + 1
        if done % note_every == 0 or done == recipe.steps:
            row: dict[str, Any] = {"step": done, "rate": f"{_rate(recipe, step):.3g}"}
            row |= {"class_loss": f"{np.mean([a for a, _ in losses]):.4f}"}
            row |= {"box_loss": f"{np.mean([b for _, b in losses]):.4f}"}
            row |= {"seconds": f"{time.monotonic() - started:.0f}"}
            if done % every == 0 or done == recipe.steps:
                row |= {check.name: f"{check.run(averaged):.4f}" for check in checks}
                log.info("%s", row)
            _note(work / CURVES, row, [check.name for check in checks])
            bar.set_postfix_str(f"class {row['class_loss']} box {row['box_loss']}")
            losses.clear()
        if done % save_every == 0 or done == recipe.steps:
            _save(work / CHECKPOINT, recipe, done, trained, averaged, optimizer)
    return averaged.eval()


def _start_worker(_: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _step(
    trained: DetectorNetwork,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Labels,
    recipe: Recipe,
    step: int,
) -> tuple[float, float]:
    for group in optimizer.param_groups:
        group["lr"] = _rate(recipe, step) * group["share"]
    pixels = (images.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, boxes = trained(pixels)
    of_class, of_box = learning.loss(logits, boxes, labels, width=images.shape[3], height=images.shape[2])
    (of_class + of_box).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], recipe.clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(of_class.detach()), float(of_box.detach())


def _optimizer(trained: DetectorNetwork, recipe: Recipe) -> torch.optim.AdamW:
    frozen = [*trained.backbone.stem.parameters()]
    frozen += [p for stage in list(trained.backbone.stages)[:FROZEN_STAGES] for p in stage.parameters()]
    for module in trained.backbone.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1 and module.kernel_size[0] == 5:
            frozen += [*module.parameters()]
    for parameter in frozen:
        parameter.requires_grad_(False)
    groups = []
    for part, share in ((trained.backbone, recipe.backbone_rate), (trained.pyramid, 1.0), (trained.head, 1.0)):
        learnt = [p for p in part.parameters() if p.requires_grad]
        groups.append({"params": [p for p in learnt if p.ndim > 1], "share": share, "weight_decay": recipe.decay})
        groups.append({"params": [p for p in learnt if p.ndim == 1], "share": share, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, lr=recipe.rate)


def _rate(recipe: Recipe, step: int) -> float:
    if step < recipe.warm_up:
        return recipe.rate * (step + 1) / recipe.warm_up
    done = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
    return recipe.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


@torch.no_grad()
def _average(averaged: DetectorNetwork, trained: DetectorNetwork, keep: float) -> None:
    for mean, new in zip(averaged.parameters(), trained.parameters(), strict=True):
        if new.requires_grad:
            mean.lerp_(new, 1 - keep)


def _save(
    path: Path, recipe: Recipe, step: int, trained: nn.Module, averaged: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    state = {
        "recipe": dataclasses.asdict(recipe),
        "step": step,
        "trained": trained.state_dict(),
        "averaged": averaged.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _resume(
    path: Path, recipe: Recipe, trained: nn.Module, averaged: nn.Module, optimizer: torch.optim.Optimizer
) -> int:
    if not path.is_file():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["recipe"] != dataclasses.asdict(recipe):
        raise CamtrapEdgeError(f"{path}: made with another recipe; move it away to begin anew")
    trained.load_state_dict(state["trained"])
    averaged.load_state_dict(state["averaged"])
    optimizer.load_state_dict(state["optimizer"])
    log.info("going on after step %d", state["step"])
    return int(state["step"])


def _forget(path: Path, *, after: int) -> None:
    """Drop the rows of steps that are made again, because the training was cut off after its last checkpoint."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = [line for line in file if line.endswith("\n")] or [""]
    kept = [row for row in rows if int(row.split(",", 1)[0]) <= after]
    partial = path.with_suffix(".partial")
    partial.write_text("".join([header, *kept]), encoding="utf-8", newline="")
    partial.replace(path)


def _note(path: Path, row: dict[str, Any], checks: Sequence[str]) -> None:
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["step", "rate", "class_loss", "box_loss", "seconds", *checks], restval="")
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(row)
