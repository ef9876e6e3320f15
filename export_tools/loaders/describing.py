"""What the bundles of classifiers, embedders and detectors say of themselves."""

from __future__ import annotations

from edge_runtime.bundles.manifest import CropRule, EmbeddingOutput, Input, Output, Preprocess, Thresholds
from export_tools.bundle_writer import Description
from export_tools.checkpoints.reading import Checkpoint
from export_tools.model import Request

IMAGE, LOGITS, EMBEDDING = "image", "logits", "embedding"
BOXES, SCORES = "boxes", "scores"
"""Names of the graphs' tensors."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""RGB, fractions: the mean and deviation of ILSVRC 2012's photos, which most published networks subtract."""
NOT_STATED = "LicenseRef-not-stated"
"""A network of the user's own: `--licence` says it."""


def classifier(
    checkpoint: Checkpoint,
    request: Request,
    *,
    name: str,
    text: str,
    preprocess: Preprocess,
    size: tuple[int, int],
    licence: str = NOT_STATED,
    source: str = "not stated",
    crop: CropRule = CropRule(),
    head: str = "softmax",
    embedding: EmbeddingOutput | None = None,
) -> Description:
    """The description of a classifier; what the user asked for wins.

    Args:
        name: of the family's model, as a bundle wants it.
        size: width and height where the user names none.
    """
    return Description(
        name=request.name or name,
        version=request.version or checkpoint.sha256[:12],
        task="classifier",
        description=text,
        licence=request.licence or licence,
        source=request.source or source,
        input=_input(request, size),
        preprocess=preprocess,
        thresholds=Thresholds() if request.confident is None else Thresholds(species=request.confident),
        output=Output(head=head, tensors=(LOGITS,)),
        crop=crop,
        embedding=embedding,
    )


def embedder(
    checkpoint: Checkpoint,
    request: Request,
    *,
    name: str,
    text: str,
    preprocess: Preprocess,
    size: tuple[int, int],
    dimensions: int,
    licence: str,
    source: str,
) -> Description:
    """The description of an embedder; what the user asked for wins. Arguments as `classifier`."""
    return Description(
        name=request.name or name,
        version=request.version or checkpoint.sha256[:12],
        task="embedder",
        description=text,
        licence=request.licence or licence,
        source=request.source or source,
        input=_input(request, size),
        preprocess=preprocess,
        thresholds=Thresholds(),
        embedding=EmbeddingOutput(tensor=EMBEDDING, dimensions=dimensions),
    )


def detector(
    checkpoint: Checkpoint,
    request: Request,
    *,
    name: str,
    text: str,
    preprocess: Preprocess,
    size: tuple[int, int],
    thresholds: Thresholds,
    licence: str,
    source: str,
) -> Description:
    """The description of a detector that decodes its own boxes; what the user asked for wins. Arguments as
    `classifier`."""
    if request.confident is not None:
        thresholds = Thresholds(keep=thresholds.keep, confident=request.confident, overlap=thresholds.overlap)
    return Description(
        name=request.name or name,
        version=request.version or checkpoint.sha256[:12],
        task="detector",
        description=text,
        licence=request.licence or licence,
        source=request.source or source,
        input=_input(request, size),
        preprocess=preprocess,
        thresholds=thresholds,
        output=Output(head="decoded", tensors=(BOXES, SCORES)),
    )


def _input(request: Request, size: tuple[int, int]) -> Input:
    width, height = request.size or size
    return Input(tensor=IMAGE, width=width, height=height)
