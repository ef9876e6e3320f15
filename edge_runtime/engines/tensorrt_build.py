"""From an ONNX graph, with its precision written into it, to a serialized engine for one GPU."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from edge_runtime.engines.engine_cache import Facts
from edge_runtime.engines.tensorrt_cuda import Gpu
from edge_runtime.engines.tensorrt_progress import Report
from edge_runtime.engines.tensorrt_runtime import Runtime, of_memory
from edge_runtime.errors import EngineError

NAME = "tensorrt"
"""The engine's, in a manifest."""
BATCH = 1
"""Of a graph with a free batch, in the only optimization profile: the device looks at one picture at a time."""
WORKSPACE = 1 << 30
"""Bytes that a layer may take for a while. By default all of the GPU's, which on a Jetson is the board's own memory."""
TOO_LITTLE_MEMORY = "close other programs, or take a smaller variant"
_LONGEST_LAST_WORDS = 400
_log = logging.getLogger(__name__)


def facts(runtime: Runtime, gpu: Gpu, graph_sha256: str) -> Facts:
    """Everything that can change an engine."""
    return {
        "graph_sha256": graph_sha256,
        "runtime": runtime.package,
        "runtime_version": runtime.version,
        "gpu": gpu.name,
        "compute_capability": f"{gpu.capability[0]}.{gpu.capability[1]}",
        "multiprocessors": gpu.multiprocessors,
        "l2_cache_bytes": gpu.l2_cache_bytes,
        "driver": gpu.driver,
        "cuda": gpu.cuda,
        "power_mode": gpu.power_mode,
        "strongly_typed": True,
        "tf32": False,
        "workspace_bytes": WORKSPACE,
        "profile": f"batch {BATCH}..{BATCH}",
    }


def build(
    runtime: Runtime, graph: Path, *, input_name: str, capability: tuple[int, int], report: Report, folder: Path
) -> bytes:
    """Have a process of its own (tensorrt_child.py) parse `graph` and build an engine for a GPU of `capability`.

    The memory that TensorRT takes for that is gone with the process, and a crash is only the process's. Whatever ends
    this call or this program ends the process too.

    Args:
        folder: where the engine lies, without a name, until it is read.

    Raises:
        EngineError: the graph is refused, names the nodes; or TensorRT cannot build it, has not enough memory, or
            crashed.
    """
    with ExitStack() as files:
        try:
            engine, words = (files.enter_context(tempfile.TemporaryFile(dir=folder)) for _ in range(2))
            process = _started(runtime, graph, input_name, capability, engine, words)
        except OSError as error:
            raise EngineError(NAME, graph, f"no process to build it can be started: {error.strerror}") from error
        told = _followed(process, report)
        said = _read(words).decode("utf-8", "replace").splitlines()
        for line in said:
            _log.debug("%s", line)
        if "problem" in told:
            raise EngineError(NAME, graph, told["problem"])
        if "built" not in told:
            raise EngineError(NAME, graph, _why_it_ended(process.returncode, said))
        return _read(engine)


def _started(
    runtime: Runtime, graph: Path, input_name: str, capability: tuple[int, int], engine: IO[bytes], words: IO[bytes]
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "edge_runtime.engines.tensorrt_child", runtime.package]
    command += [str(graph.absolute()), input_name, *map(str, capability), str(engine.fileno()), str(os.getpid())]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=words,
        pass_fds=[engine.fileno()],
        # Python imports from where it is started: that may be a card, on which anybody can have put a json.py.
        cwd="/",
        # Ctrl-C on the terminal is for us, who end the process: Python's own handler waits for TensorRT's call to end.
        start_new_session=True,
    )


def _followed(process: subprocess.Popen[bytes], report: Report) -> dict[str, Any]:
    """Report the progress of the process, which has ended on return.

    Returns the last that it told (tensorrt_child.py); empty for nothing.
    """
    told: dict[str, Any] = {}
    assert process.stdout is not None
    with process.stdout as lines:
        try:
            for line in lines:
                told = json.loads(line)
                if "share" in told:
                    report(told["share"], told["phase"])
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
    return told


def _read(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    return stream.read()


def _why_it_ended(code: int, said: list[str]) -> str:
    if code == -signal.SIGKILL:
        return f"TensorRT was killed (SIGKILL) while it built, most likely for want of memory; {TOO_LITTLE_MEMORY}"
    names = {-number.value: number.name for number in signal.Signals}
    how = f"crashed ({names.get(code, f'signal {-code}')})" if code < 0 else f"ended with exit code {code}"
    last = " ".join(" ".join(said).split())[-_LONGEST_LAST_WORDS:]
    advice = f"; {TOO_LITTLE_MEMORY}" if of_memory(last) else ""
    return f"TensorRT {how} while it built; its last words: {last or 'none'}{advice}"


def why(runtime: Runtime) -> str:
    """What TensorRT said of its last failure, and what to do where memory was too little."""
    return f"{runtime.complaints}; {TOO_LITTLE_MEMORY}" if runtime.complaints.of_memory else str(runtime.complaints)
