"""MiewID (msv2, msv3): the embedder of Wild Me for individuals of 54 and 64 species, 2,152 numbers per crop.

A crop is stretched to 440 x 440 with Pillow's bilinear filter, as the model card does it. The project's own evaluation
takes OpenCV's, which does not average when it shrinks: EfficientNet-Lite0's features at 448 x 448 then have a cosine of
.993 to the card's way on 51 crops of camera-trap photos, .9991 on 90 crops of training photos.

The published files hold `backbone.*`, `pooling.p` and `bn.*`; the layer of 2,048 that the paper's configuration names
is in none. No licence is stated with them. `--family miewid:NAME` takes another of timm's convolutional backbones.
"""

from __future__ import annotations

from edge_runtime.bundles.manifest import Preprocess, Task
from edge_runtime.errors import CamtrapEdgeError
from export_tools.checkpoints.reading import Checkpoint
from export_tools.loaders import describing
from export_tools.model import Model, Request
from export_tools.networks import weights
from export_tools.networks.packages import need

SIDE = 440
BACKBONE = "efficientnetv2_rw_m"
LICENCE = "LicenseRef-MiewID-no-licence-stated"
SOURCE = "MiewID, https://github.com/WildMeOrg/wbia-plugin-miew-id, arXiv:2412.05602"


class MiewIDLoader:
    """safetensors and plain state dicts."""

    family = "miewid"
    task: Task = "embedder"
    tested_on = "random weights in the published layout, batch norm from real photos"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        tensors = weights.state_dict(checkpoint.content)
        pooling = tensors.get("pooling.p")
        return (
            pooling is not None
            and tuple(pooling.shape) == (1,)
            and "bn.running_mean" in tensors
            and any(key.startswith("backbone.") for key in tensors)
        )

    def load(self, checkpoint: Checkpoint, request: Request) -> Model:
        from export_tools.networks.miewid import MiewIDNetwork

        backbone = (request.family or "").partition(":")[2] or BACKBONE
        if not need("timm").is_model(backbone):
            raise CamtrapEdgeError(f"--family {request.family}: timm knows no network '{backbone}'")
        network = MiewIDNetwork(backbone)
        weights.load_strictly(
            network,
            weights.state_dict(checkpoint.content),
            checkpoint.path,
            what=f"MiewID on {backbone}",
            hint="where its backbone is another one: --family miewid:NAME, a timm name as its config has it",
        )
        description = describing.embedder(
            checkpoint,
            request,
            name=self.family,
            text=f"MiewID, embedder for individual animals ({backbone}, GeM).",
            preprocess=Preprocess(
                resize="stretch",
                interpolation="pillow-bilinear",
                mean=describing.IMAGENET_MEAN,
                std=describing.IMAGENET_STD,
            ),
            size=(SIDE, SIDE),
            dimensions=network.dimensions,
            licence=LICENCE,
            source=SOURCE,
        )
        return Model(self.family, network, (describing.EMBEDDING,), description, any_batch=True)
