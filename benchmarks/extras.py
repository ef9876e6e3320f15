"""What reporting and comparing need beyond what a device carries."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from edge_runtime.errors import CamtrapEdgeError


class MissingExtraError(CamtrapEdgeError):
    """A package of the extra `bench` is not installed."""

    exit_code = 2

    def __init__(self, package: str) -> None:
        self.package = package
        super().__init__(f"{package} is not installed: pip install 'camtrap-edge[bench]'")


def needed(module: str) -> Any:
    """The module.

    Raises:
        MissingExtraError: its package is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(module.partition(".")[0]) from error
