"""Whether NVIDIA's own parser and builder take a graph: TensorRT for RTX, on a machine that needs no GPU.

It runs in a process of its own, because native code that meets a strange graph may take its process down with it:

    python -m export_tools.variants.tensorrt_check GRAPH
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module, util
from pathlib import Path
from typing import Any

from export_tools.model import VariantRefusedError

PACKAGE = "tensorrt_rtx"
TARGET = "SM86"
"""The compute capability of Jetson Orin is 8.7; 8.6 is the nearest that TensorRT for RTX builds for."""
MOST_IMAGES = 8
"""Of a graph with a free batch, in its optimization profile."""
_SECONDS = 3600


def check(variant: str, graph: Path) -> str:
    """Parse `graph` and build an engine of it, which is thrown away: engines are built on the device.

    Returns a note on what was done, or on why nothing could be.

    Raises:
        VariantRefusedError: it is refused; names the node.
    """
    if util.find_spec(PACKAGE) is None:
        return "not checked by TensorRT: tensorrt-rtx-cu12 is not installed"
    command = [sys.executable, "-m", __spec__.name, str(graph.resolve())]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise VariantRefusedError(variant, f"TensorRT was not done with it after {_SECONDS} seconds") from error
    if ran.returncode != 0:
        last = ran.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise VariantRefusedError(variant, f"TensorRT ended with code {ran.returncode}: {last[0]}")
    found = json.loads(ran.stdout.splitlines()[-1])
    if found["problems"]:
        raise VariantRefusedError(variant, f"TensorRT {found['version']} refuses it: {'; '.join(found['problems'])}")
    return f"parsed and built by TensorRT for RTX {found['version']} for {TARGET} ({found['megabytes']:.1f} MB engine)"


def build(graph: Path) -> dict[str, Any]:
    """Parse and build in this process; `version`, `megabytes` and `problems`, a sentence for each."""
    trt = import_module(PACKAGE)
    log = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    found: dict[str, Any] = {"version": str(trt.__version__), "megabytes": 0.0, "problems": []}
    if not parser.parse_from_file(str(graph)):
        errors = [parser.get_error(place) for place in range(parser.num_errors)]
        found["problems"] = [
            f"'{error.node_name()}' ({error.node_operator()}): {error.desc().splitlines()[0]}" for error in errors
        ]
        return found
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(trt.ComputeCapability, TARGET), 0)
    image = network.get_input(0)
    shape = tuple(image.shape)
    if shape[0] == -1:
        profile = builder.create_optimization_profile()
        profile.set_shape(image.name, (1, *shape[1:]), (1, *shape[1:]), (MOST_IMAGES, *shape[1:]))
        config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        found["problems"] = ["no engine could be built"]
    else:
        found["megabytes"] = engine.nbytes / 1e6
    return found


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(build(Path(sys.argv[1]))) + "\n")
