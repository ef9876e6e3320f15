"""Which TensorRT is here: NVIDIA's `tensorrt` (JetPack, servers) or `tensorrt_rtx` (PCs), the same in what we use."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from edge_runtime.engines import tensorrt_cuda
from edge_runtime.errors import CamtrapEdgeError

RTX = "tensorrt_rtx"
PACKAGES = ("tensorrt", RTX)
_PLACE = re.compile(r"^\[\S+\]\s*|\s*\bIn \S+ at \S+:\d+\)?\s*")
"""Where in NVIDIA's sources."""
_OF_MEMORY = re.compile(r"out ?of ?memory|allocat|bad_?alloc|insufficient memory", re.IGNORECASE)
_log = logging.getLogger(__name__)


class NoTensorRtError(CamtrapEdgeError):
    """No TensorRT for this GPU is installed."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        advice = "on a Jetson JetPack brings it (make the environment with --system-site-packages), elsewhere: "
        super().__init__(f"{'; '.join(reasons)}; {advice}pip install 'camtrap-edge[tensorrt]'")


def of_memory(text: str) -> bool:
    """Whether TensorRT tells with it that there was too little memory."""
    return _OF_MEMORY.search(text) is not None


class Complaints:
    """The errors that TensorRT told its logger lately: most calls say no more than that they failed."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=8)

    def clear(self) -> None:
        self._lines.clear()

    def add(self, line: str) -> None:
        self._lines.append(line)

    @property
    def of_memory(self) -> bool:
        """Whether there was too little of it."""
        return any(map(of_memory, self._lines))

    def __str__(self) -> str:
        """The first two, without the places in NVIDIA's sources."""
        lines = [_PLACE.sub(" ", line).strip() for line in list(self._lines)[:2]]
        return "; ".join(line for line in lines if line)[:500] or "TensorRT says nothing more"


@dataclass(frozen=True, eq=False)
class Runtime:
    """An imported TensorRT."""

    package: str
    """One of `PACKAGES`."""
    version: str
    """"10.3.0"."""
    trt: Any
    """The module."""
    logger: Any
    """The one `trt.ILogger` of the process: TensorRT keeps the first that it is given."""
    complaints: Complaints

    def target(self, capability: tuple[int, int]) -> Any:
        """The member of `trt.ComputeCapability` for which TensorRT RTX has to be told to build; None if it knows none.

        `tensorrt` builds for the GPU that is there, and is not told.
        """
        major, minor = capability
        return getattr(self.trt.ComputeCapability, f"SM{major}{minor}", None)


def usable() -> bool:
    """Whether TensorRT can run graphs here: a GPU that its driver reports, and a TensorRT for it that imports."""
    try:
        load(tensorrt_cuda.driver().gpu().capability)
    except (tensorrt_cuda.CudaError, NoTensorRtError) as error:
        _log.debug("TensorRT is not used: %s", error)
        return False
    return True


def load(capability: tuple[int, int]) -> Runtime:
    """The first TensorRT that imports and builds for a GPU of this compute capability.

    Raises:
        NoTensorRtError: there is none; says of each what is wrong.
    """
    reasons = []
    for package in PACKAGES:
        try:
            runtime = imported(package)
        except (ImportError, OSError) as error:  # the second where one of its libraries does not load
            reasons.append(f"{package} cannot be imported ({error})")
            continue
        if package == RTX and runtime.target(capability) is None:
            reasons.append(f"{package} {runtime.version} knows no GPU of compute capability {_dotted(capability)}")
            continue
        return runtime
    raise NoTensorRtError(reasons)


@cache
def imported(package: str) -> Runtime:
    """Import one of `PACKAGES`.

    Raises:
        ImportError, OSError: it is not installed, or does not load.
    """
    trt = import_module(package)
    complaints = Complaints()

    class Logger(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            # pybind11 wants the base's own constructor, not super's.
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            level = int(severity)
            if level <= int(trt.ILogger.ERROR):
                complaints.add(message)
            if level <= int(trt.ILogger.WARNING):
                _log.debug("%s: %s", package, message)

    return Runtime(package, str(trt.__version__), trt, Logger(), complaints)


def _dotted(capability: tuple[int, int]) -> str:
    return f"{capability[0]}.{capability[1]}"
