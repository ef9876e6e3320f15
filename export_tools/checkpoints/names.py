"""Which classes and functions a checkpoint may name.

Nothing that a pickle names is ever imported or called here. The list only tells a checkpoint of this field from a
pickle that somebody made to run code in a less careful program: that one is refused before anybody trusts it.
"""

from __future__ import annotations

PACKAGES = frozenset(
    (
        # Training code of the field: YOLOv5 (models, utils), RT-DETR (src), the MIT YOLO, Pytorch-Wildlife, MiewID.
        *("models", "utils", "yolov5", "ultralytics", "yolo", "yolov9", "yolox", "nanodet", "src", "PytorchWildlife"),
        *("megadetector", "wildlife_tools", "wbia_miew_id", "miewid", "deepfaune", "__main__"),
        # Libraries whose objects stand in checkpoints.
        *("torchvision", "timm", "transformers", "torchmetrics", "pytorch_lightning", "lightning", "lightning_fabric"),
        *("lightning_utilities", "omegaconf", "yacs", "addict", "easydict", "antlr4"),
        # Values of the standard library.
        *("collections", "pathlib", "argparse", "datetime", "decimal", "fractions", "uuid", "enum", "dataclasses"),
        "typing",
    )
)
"""Every name inside these is taken as data."""

PREFIXES = (
    "torch.nn.",
    "torch.optim.",
    "torch.amp.",
    "torch.cuda.amp.",
    "torch.ao.nn.",
    "torch.ao.quantization.",
    "torch.quantization.",
    "torch.distributions.",
    "torch._utils._rebuild_",
    "torch.storage.TypedStorage",
    "torch.storage.UntypedStorage",
    "torch.storage._TypedStorage",
    "torch.storage._UntypedStorage",
    "torch.serialization._get_layout",
    "torch._tensor._rebuild_from_type",
    "torch._C.Generator",
    "torch._C._nn.",
    "torch.utils.data.",
    "numpy.core.",
    "numpy._core.",
    "numpy.random.",
    "numpy.dtypes.",
)

NAMES = frozenset(
    (
        *("builtins.set", "builtins.frozenset", "builtins.dict", "builtins.list", "builtins.tuple", "builtins.int"),
        *("builtins.float", "builtins.str", "builtins.bytes", "builtins.bytearray", "builtins.complex"),
        *("builtins.bool", "builtins.slice", "builtins.range", "builtins.object", "builtins.Ellipsis"),
        *("copyreg._reconstructor", "copyreg.__newobj__", "copyreg.__newobj_ex__", "_codecs.encode"),
        *("types.SimpleNamespace", "functools.partial"),
    )
)

REFUSED = frozenset(
    (
        # What would load or run further code in a program that does call it.
        *("torch.load", "torch.save", "torch.compile", "torch.ops", "torch.classes", "torch.hub", "torch.jit"),
        *("numpy.load", "numpy.loads", "numpy.fromfile", "numpy.memmap", "numpy.save", "numpy.savetxt"),
        *("numpy.loadtxt", "numpy.genfromtxt", "numpy.fromregex", "numpy.f2py", "numpy.testing", "numpy.distutils"),
    )
)

_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}


def canonical(module: str, name: str) -> str:
    """The dotted path of a global, with Python 2's module names put right."""
    return f"{_RENAMED.get(module, module)}.{name}"


def is_known(path: str) -> bool:
    """Whether a checkpoint of this field may name this class or function."""
    package, _, rest = path.partition(".")
    if package in PACKAGES or path in NAMES or path.startswith(PREFIXES):
        return True
    # Functions and types of torch and numpy themselves: torch.float16, torch.HalfStorage, numpy.ndarray.
    return package in ("torch", "numpy") and path not in REFUSED and ("." not in rest or path.endswith("Storage"))
