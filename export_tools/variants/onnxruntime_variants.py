"""Variants for ONNX Runtime on a CPU."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from export_tools.variants.preparing import COMPUTING, missing, prepared
from export_tools.variants.protocol import FloatGraph, Made
from export_tools.variants.qdq import Scheme, quantize
from export_tools.variants.ranges import measured

ACTIVATIONS = ("Clip", "Relu")
"""They compute nothing afterwards: their range becomes that of the node before them. Left out, each convolution is
rounded over the range before the clip (EfficientNet-Lite0: 78 % of the most probable names stay, not 95 %)."""
QUANTIZED = (*COMPUTING, *ACTIVATIONS)

U8S8 = Scheme(activations="u8", symmetric=False, int32_bias=True, rounds_outputs=True, op_types=QUANTIZED)
S8S8 = Scheme(activations="s8", symmetric=False, int32_bias=True, rounds_outputs=True, op_types=QUANTIZED)


@dataclass(frozen=True)
class OnnxRuntimeFloat:
    """The float graph as it is, for every CPU."""

    name: str = "onnxruntime-fp32"
    engine: str = "onnxruntime"
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    proven_with: str = "onnxruntime"

    def missing(self) -> str | None:
        return missing("onnx", "onnxruntime")

    def make(self, source: FloatGraph, work: Path, *, also_float: Collection[str] = ()) -> Made:
        """As `Variant.make`; `also_float` changes nothing."""
        graph = work / f"{self.name}.onnx"
        shutil.copyfile(source.graph, graph)
        return Made(graph)


@dataclass(frozen=True)
class OnnxRuntimeInt8:
    """INT8 by explicit Q/DQ."""

    name: str
    scheme: Scheme
    engine: str = "onnxruntime"
    precision: Literal["fp32", "fp16", "int8"] = "int8"
    proven_with: str = "onnxruntime"

    def missing(self) -> str | None:
        return missing("onnx", "onnxruntime")

    def make(self, source: FloatGraph, work: Path, *, also_float: Collection[str] = ()) -> Made:
        """As `Variant.make`."""
        ready = prepared(source.graph, work)
        ranges = measured(ready, source.calibration, work)
        graph = work / f"{self.name}.onnx"
        keep_float = {*source.float_nodes, *also_float}
        return Made(graph, quantize(ready, graph, ranges, self.scheme, keep_float=keep_float))


FP32 = OnnxRuntimeFloat()
INT8 = OnnxRuntimeInt8("onnxruntime-int8", U8S8)
"""For x86 (VNNI multiplies U8 by S8) and wherever nothing better is known."""
INT8_ARM64 = OnnxRuntimeInt8("onnxruntime-int8-arm64", S8S8)
"""For 64-bit ARM, whose SDOT multiplies S8 by S8. Slow on x86: there it is made and proven, not timed."""
