"""MegaDescriptor (Čermák et al. 2024, "WildlifeDatasets", arXiv:2311.09118): Swin Transformers as embedders.

The published one is L-384, 1,536 numbers per crop of 384 x 384; its smaller siblings have the same layout.
Crops are stretched as torchvision's Resize does by itself, with Pillow's bilinear filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_runtime.bundles.manifest import Preprocess, Task
from export_tools.checkpoints.errors import CheckpointError
from export_tools.checkpoints.reading import Checkpoint
from export_tools.loaders import describing
from export_tools.model import Model, Request
from export_tools.networks import swin_keys, weights
from export_tools.networks.packages import need

if TYPE_CHECKING:
    from torch import Tensor

HALF = (0.5, 0.5, 0.5)
SOURCE = "MegaDescriptor, https://github.com/WildlifeDatasets/wildlife-tools, arXiv:2311.09118"


@dataclass(frozen=True)
class Size:
    """One member of the family."""

    name: str
    backbone: str
    """timm's name."""
    side: int
    """Pixels of the input; the windows make it fixed."""


# By what the weights show: channels of the first stage, blocks of the third, entries of a table of positions.
SIZES = {
    (96, 6, 169): Size("megadescriptor-t-224", "swin_tiny_patch4_window7_224", 224),
    (96, 18, 169): Size("megadescriptor-s-224", "swin_small_patch4_window7_224", 224),
    (128, 18, 169): Size("megadescriptor-b-224", "swin_base_patch4_window7_224", 224),
    (192, 18, 169): Size("megadescriptor-l-224", "swin_large_patch4_window7_224", 224),
    (192, 18, 529): Size("megadescriptor-l-384", "swin_large_patch4_window12_384", 384),
}
_PATCHES, _POSITIONS = "patch_embed.proj.weight", "layers.0.blocks.0.attn.relative_position_bias_table"


class MegaDescriptorLoader:
    """State dicts of timm's Swin Transformers without a last layer."""

    family = "megadescriptor"
    task: Task = "embedder"
    tested_on = "random weights in the layout of L-384 and T-224"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        tensors = weights.state_dict(checkpoint.content)
        return _size(tensors) is not None and not any(key.startswith("head.") for key in tensors)

    def load(self, checkpoint: Checkpoint, request: Request) -> Model:
        tensors = swin_keys.modern(weights.state_dict(checkpoint.content))
        size = _size(tensors)
        if size is None:
            names = ", ".join(one.backbone for one in SIZES.values())
            raise CheckpointError(checkpoint.path, f"is no MegaDescriptor: has the weights of none of {names}")
        if request.size not in (None, (size.side, size.side)):
            raise CheckpointError(
                checkpoint.path, f"its input is {size.side}x{size.side} and no other: leave out --size"
            )
        from export_tools.networks.outputs import OneOutput

        backbone = need("timm").create_model(size.backbone, pretrained=False, num_classes=0)
        weights.load_strictly(backbone, tensors, checkpoint.path, what=f"MegaDescriptor ({size.backbone})")
        description = describing.embedder(
            checkpoint,
            request,
            name=size.name,
            text=f"MegaDescriptor, embedder for individual animals ({size.backbone}).",
            preprocess=Preprocess(resize="stretch", interpolation="pillow-bilinear", mean=HALF, std=HALF),
            size=(size.side, size.side),
            dimensions=int(backbone.num_features),
            licence="CC-BY-NC-4.0",
            source=SOURCE,
        )
        return Model(self.family, OneOutput(backbone).eval(), (describing.EMBEDDING,), description, any_batch=True)


def _size(tensors: Mapping[str, Tensor]) -> Size | None:
    if _PATCHES not in tensors or _POSITIONS not in tensors:
        return None
    blocks = {key.split(".")[3] for key in tensors if key.startswith("layers.2.blocks.")}
    return SIZES.get((len(tensors[_PATCHES]), len(blocks), len(tensors[_POSITIONS])))
