"""Checkpoint families: one file each, one line here."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from export_tools.checkpoints.errors import CheckpointError
from export_tools.checkpoints.reading import Checkpoint
from export_tools.loaders.protocol import Loader
from export_tools.model import Model, Request

_LOADERS = (
    # Those that tell by a pickled class first, those that tell by the names of weights after them.
    ("yolov5", "YoloV5Loader"),
    ("yolov9", "YoloV9Loader"),
    ("ultralytics", "UltralyticsLoader"),
    ("mit_yolo", "MitYolo"),
    ("rtdetr", "RtDetrV2"),
    ("active_learning", "ActiveLearningLoader"),
    ("pytorch_wildlife", "PytorchWildlifeLoader"),
    ("miewid", "MiewIDLoader"),
    ("megadescriptor", "MegaDescriptorLoader"),
    ("efficientnet_lite0", "EfficientNetLite0Loader"),
    ("timm_classifier", "TimmLoader"),
    ("torchvision_classifier", "TorchvisionLoader"),
)


@cache
def all_loaders() -> tuple[Loader, ...]:
    """One of each family."""
    return tuple(getattr(import_module(f"{__name__}.{module}"), name)() for module, name in _LOADERS)


def load(checkpoint: Checkpoint, request: Request) -> Model:
    """Make the model out of a checkpoint: of the family that was asked for, else of the one that recognises it.

    Raises:
        CheckpointError: no such family, nobody recognises the checkpoint, or it is not what its family says.
    """
    model = _loader(checkpoint, request).load(checkpoint, request)
    task = model.description.task
    if task != request.task:
        raise CheckpointError(checkpoint.path, f"is a {model.family} {task}", hint=f"edge-export {task} ...")
    return model


def _loader(checkpoint: Checkpoint, request: Request) -> Loader:
    fitting = [loader for loader in all_loaders() if loader.task == request.task]
    known = ", ".join(loader.family for loader in fitting)
    if request.family:
        # "timm:resnet50" names a network of the family timm.
        family = request.family.partition(":")[0]
        for loader in all_loaders():
            if loader.family == family:
                return loader
        raise CheckpointError(checkpoint.path, f"'{family}' is no family of {request.task}s", hint=f"known: {known}")
    recognised = [loader for loader in all_loaders() if loader.recognises(checkpoint)]
    if not recognised:
        raise CheckpointError(
            checkpoint.path, "is of no family that can be recognised", hint=f"name it with --family: {known}"
        )
    return recognised[0]
