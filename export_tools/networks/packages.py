"""Importing what only the exporter needs, with the next step where it is missing."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from edge_runtime.errors import CamtrapEdgeError

_KEPT: list[Any] = []
"""Operator declarations live as long as the object that made them."""


class MissingPackageError(CamtrapEdgeError):
    """A package that only the workstation needs is not installed."""

    exit_code = 2

    def __init__(self, package: str) -> None:
        self.package = package
        super().__init__(f"the Python package '{package}' is missing: pip install 'camtrap-edge[export]'")


def need(package: str) -> ModuleType:
    """Import a package of the exporter, or a module of one.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        if package.partition(".")[0] in ("torchvision", "timm"):
            _import_torchvision()
        return import_module(package)
    except ImportError as error:
        raise MissingPackageError(package.partition(".")[0]) from error


def _import_torchvision() -> None:
    """Import torchvision also where its compiled operators do not fit the installed torch.

    On Linux PyPI has torchvision for CUDA only; beside a torch for the CPU its operators cannot be loaded, and then
    it stops at describing two of them (non-maximum suppression) that no classifier uses. Declaring their signatures
    is enough for everything that is plain Python: the networks.
    """
    torch = import_module("torch")
    try:
        import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)
        # What the first try left behind is half imported.
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        import_module("torchvision")
