"""What the checkpoints of the YOLO families share: a pickled network with its class names, made into a `Model`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edge_runtime.bundles.manifest import Input, Output, Preprocess, Thresholds
from edge_runtime.bundles.tables import Label
from export_tools.bundle_writer import Description
from export_tools.checkpoints.errors import CheckpointError
from export_tools.checkpoints.reading import Checkpoint
from export_tools.checkpoints.skeleton import Skeleton, SkeletonError
from export_tools.loaders import labels, megadetector_input
from export_tools.model import Model, Request

IMAGE, BOXES, SCORES = "image", "boxes", "scores"
"""Names of the graph's tensors."""

KEEP = 0.05
"""Least confidence that is stored: MegaDetector's conservative threshold. Its package stores from 0.005 on, which a
device with a narrow link has no use for."""
_CONFIDENT = {"mdv5": 0.2, "mdv1000": 0.3, "mdv6": 0.2, "": 0.25}
"""Typical thresholds of the MegaDetector releases, and the families' own."""
_MEGADETECTOR = ("animal", "person", "vehicle")
_COCO_SPELLINGS = {
    "motorcycle": "motorbike",
    "airplane": "aeroplane",
    "couch": "sofa",
    "tv": "tvmonitor",
    "potted plant": "pottedplant",
    "dining table": "diningtable",
}


@dataclass(frozen=True)
class Family:
    """What differs between the families."""

    name: str
    parity: str
    """Pre-processing where the user names none."""
    overlap: float
    """IoU above which the weaker of two boxes goes."""
    release: str
    """Of a MegaDetector without `megadetector_info.json`: `mdv5` or `mdv6`."""
    long_side: int
    """Pixels, where neither user nor checkpoint says it."""
    licence: str
    """Where neither user nor catalogue nor checkpoint says it."""


def pickled_network(checkpoint: Checkpoint) -> Skeleton | None:
    """The network of a checkpoint `{model, ema, ...}`: the averaged weights where there are any."""
    content = checkpoint.content
    if not isinstance(content, dict):
        return None
    found = (content.get(key) for key in ("ema", "model"))
    return next((network for network in found if isinstance(network, Skeleton)), None)


def head_of(network: Skeleton | None) -> Skeleton | None:
    """The last layer of a pickled network, where it is a row of layers."""
    rows = network.children.get("model") if network is not None else None
    layers = list(rows.children.values()) if rows is not None else []
    return layers[-1] if layers else None


def model(checkpoint: Checkpoint, request: Request, family: Family, *, long_side: int | None = None) -> Model:
    """Build the model.

    Args:
        long_side: of the input, as the checkpoint says it, pixels.

    Raises:
        CheckpointError: the network is not what the family says, has a layer that is not known, or the size or the
            pre-processing that was asked for does not exist.
        BundleError: there are no class names, or not one per class.
    """
    from export_tools.networks import yolo_network
    from export_tools.networks.yolo_parts import LayoutError

    pickled = pickled_network(checkpoint)
    if pickled is None:
        raise CheckpointError(
            checkpoint.path,
            f"holds no pickled network of the family {family.name}",
            hint="a checkpoint as the training code saves it is needed, not a bare state dict",
        )
    parity = _parity(checkpoint, request, family)
    try:
        stride = yolo_network.stride(pickled)
        width, height = _size(checkpoint, request, parity, stride, _long_side(checkpoint) or long_side, family)
        network = yolo_network.build(pickled, width=width, height=height)
    except (LayoutError, SkeletonError) as error:
        raise CheckpointError(checkpoint.path, f"family {family.name}: {error}") from error
    if network.head.stretched and request.parity in (None, "ultralytics"):
        parity = replace(parity, preprocess=Preprocess(resize="stretch"))
    names = _class_names(pickled)
    known = _known_labels(names) if len(names) == network.head.classes else ()
    if not known and request.labels is None:
        raise _unknown_names(checkpoint, names, network.head.classes)
    return Model(
        family=family.name,
        network=network,
        outputs=(BOXES, SCORES),
        description=_description(
            checkpoint,
            request,
            family,
            Input(tensor=IMAGE, width=width, height=height, colour=parity.colour),
            parity,
            _thresholds(checkpoint, request, family, names, suppressed=network.head.suppressed),
        ),
        labels=labels.resolve(request.labels, known, network.head.classes, checkpoint.path),
        float_modules=network.last_layers,
    )


def _parity(checkpoint: Checkpoint, request: Request, family: Family) -> megadetector_input.Parity:
    # Whatever carries MegaDetector's own note is run by MegaDetector's own package.
    name = request.parity or ("megadetector" if checkpoint.info else family.parity)
    if name not in megadetector_input.MODES:
        known = ", ".join(megadetector_input.MODES)
        raise CheckpointError(checkpoint.path, f"there is no pre-processing '{name}'", hint=f"known: {known}")
    return megadetector_input.MODES[name]


def _long_side(checkpoint: Checkpoint) -> int | None:
    """`image_size` of MegaDetector's own note."""
    said = checkpoint.info.get("image_size")
    if said is None:
        return None
    if not str(said).isdigit() or not 32 <= int(said) <= 8192:
        raise CheckpointError(checkpoint.path, f"megadetector_info.json: image_size is {said!r:.40}", hint="say --size")
    return int(said)


def _size(
    checkpoint: Checkpoint,
    request: Request,
    parity: megadetector_input.Parity,
    stride: int,
    long_side: int | None,
    family: Family,
) -> tuple[int, int]:
    wanted = request.size or megadetector_input.size(long_side or family.long_side, parity.shape, stride)
    if wanted[0] % stride or wanted[1] % stride or min(wanted) < stride:
        width, height = megadetector_input.fitting(wanted, stride)
        raise CheckpointError(
            checkpoint.path,
            f"takes inputs whose sides are multiples of {stride}, not {wanted[0]}x{wanted[1]}",
            hint=f"say --size {width}x{height}",
        )
    return wanted


def _class_names(network: Skeleton) -> tuple[str, ...]:
    """By class; empty where the pickle has none, or not one per class in order."""
    names: Any = network.attributes.get("names")
    if isinstance(names, dict):
        names = [names.get(index) for index in range(len(names))]
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(names)


def _known_labels(names: tuple[str, ...]) -> tuple[Label, ...]:
    """Labels with kinds, where the names are MegaDetector's or COCO's."""
    if sorted(names) == sorted(_MEGADETECTOR):
        by_name = {label.name: label for label in labels.table("megadetector")}
        return tuple(by_name[name] for name in names)
    coco = labels.table("coco80")
    if tuple(_COCO_SPELLINGS.get(name, name) for name in names) == tuple(label.name for label in coco):
        return coco
    return ()


def _unknown_names(checkpoint: Checkpoint, names: tuple[str, ...], classes: int) -> CheckpointError:
    said = f"calls its {classes} classes {', '.join(names[:6])}" if names else f"does not name its {classes} classes"
    return CheckpointError(
        checkpoint.path,
        f"{said}{' ...' if len(names) > 6 else ''}; which are animals, people or vehicles it does not say",
        hint="give a table index,label,kind, or one name per line, with --labels FILE",
    )


def _thresholds(
    checkpoint: Checkpoint, request: Request, family: Family, names: tuple[str, ...], *, suppressed: bool
) -> Thresholds:
    release = ""
    if sorted(names) == sorted(_MEGADETECTOR):
        release = "mdv1000" if checkpoint.info else family.release
    confident = _CONFIDENT[release] if request.confident is None else request.confident
    # At 1 nothing overlaps too much: a head that gives each object one box needs no suppression.
    overlap = family.overlap if suppressed else 1.0
    return Thresholds(keep=min(KEEP, confident), confident=confident, overlap=overlap)


def _description(
    checkpoint: Checkpoint,
    request: Request,
    family: Family,
    spec: Input,
    parity: megadetector_input.Parity,
    thresholds: Thresholds,
) -> Description:
    known = checkpoint.known
    version = checkpoint.info.get("version") or checkpoint.info.get("model_version")
    return Description(
        name=request.name or (known.name if known else _as_name(checkpoint.path.stem, family.name)),
        version=request.version or (str(version) if version else checkpoint.sha256[:12]),
        task="detector",
        description=known.what if known else f"Detector of the family {family.name}, from {checkpoint.path.name}.",
        licence=request.licence or (known.licence if known else family.licence),
        source=request.source or (known.urls[0] if known and known.urls else "not stated"),
        input=spec,
        preprocess=parity.preprocess,
        thresholds=thresholds,
        output=Output(head="decoded", tensors=(BOXES, SCORES)),
    )


def _as_name(stem: str, family: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")[:64] or family


def stated_licence(content: Any) -> str | None:
    """SPDX name out of a checkpoint's key `license`: "AGPL-3.0 (https://...)"."""
    said = content.get("license") if isinstance(content, Mapping) else None
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9.+-]*", said) if isinstance(said, str) else None
    return found.group() if found else None
