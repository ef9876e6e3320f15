"""Variants for TensorRT on a Jetson: precision stands in the graph, the engine is built on the device."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from export_tools.model import VariantRefusedError
from export_tools.variants import qdq_lint, tensorrt_check
from export_tools.variants.half import to_half, too_loud
from export_tools.variants.preparing import missing, prepared, tail
from export_tools.variants.protocol import FloatGraph, Made
from export_tools.variants.qdq import Scheme, quantize
from export_tools.variants.ranges import measured

S8_SYMMETRIC = Scheme(
    activations="s8", symmetric=True, int32_bias=False, rounds_outputs=False, op_types=("Conv", "MatMul")
)
"""What TensorRT's parser takes: signed, zero point 0, the bias in float. It fuses ReLU by itself, and what a node
writes is rounded only where the next quantized node reads it."""


UNSEEN = "what activations lose in float16 is not in the proof: on this CPU they are computed in float32"
"""ONNX Runtime's CPU provider leaves out the casts between nodes for which it has no float16 arithmetic."""


@dataclass(frozen=True)
class TensorRtHalf:
    """Weights and activations in float16; a detector's last convolutions and decode in float32, because boxes of
    1280 pixels have steps of one pixel in float16."""

    name: str = "tensorrt-fp16"
    engine: str = "tensorrt"
    precision: Literal["fp32", "fp16", "int8"] = "fp16"
    proven_with: str = "onnxruntime"

    def missing(self) -> str | None:
        return missing("onnx", "onnxruntime")

    def make(self, source: FloatGraph, work: Path, *, also_float: Collection[str] = ()) -> Made:
        """As `Variant.make`; `also_float` stays in float32."""
        import onnx

        ready = prepared(source.graph, work)
        model = onnx.load(str(ready))
        kept = {*source.float_nodes, *also_float}
        kept |= tail(model, kept)
        notes = [UNSEEN]
        if len(source.calibration):
            loud = too_loud(model, measured(ready, source.calibration, work)) - kept
            notes += [f"in float32, because float16 ends near: {', '.join(sorted(loud))}"] if loud else []
            kept |= loud
        else:
            notes.append("no photos were given to see whether a tensor leaves the range of float16")
        graph = work / f"{self.name}.onnx"
        onnx.save(to_half(model, keep_float=kept), str(graph))
        return Made(graph, notes=(*notes, *_checked(self.name, graph)))


@dataclass(frozen=True)
class TensorRtInt8:
    """INT8 by explicit Q/DQ; what is not quantized is computed in float32."""

    name: str = "tensorrt-int8"
    scheme: Scheme = S8_SYMMETRIC
    engine: str = "tensorrt"
    precision: Literal["fp32", "fp16", "int8"] = "int8"
    proven_with: str = "onnxruntime"

    def missing(self) -> str | None:
        return missing("onnx", "onnxruntime")

    def make(self, source: FloatGraph, work: Path, *, also_float: Collection[str] = ()) -> Made:
        """As `Variant.make`."""
        ready = prepared(source.graph, work)
        ranges = measured(ready, source.calibration, work)
        graph = work / f"{self.name}.onnx"
        quantized = quantize(ready, graph, ranges, self.scheme, keep_float={*source.float_nodes, *also_float})
        return Made(graph, quantized, _checked(self.name, graph))


def _checked(variant: str, graph: Path) -> tuple[str, ...]:
    findings = qdq_lint.lint(graph)
    if findings:
        more = f" and {len(findings) - 3} more" if len(findings) > 3 else ""
        raise VariantRefusedError(variant, "; ".join(str(finding) for finding in findings[:3]) + more)
    return (tensorrt_check.check(variant, graph),)


FP16 = TensorRtHalf()
INT8 = TensorRtInt8()
