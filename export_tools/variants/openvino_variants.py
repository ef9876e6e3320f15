"""Variants for OpenVINO: Intel's CPUs first of all, and ARM's."""

from __future__ import annotations

import io
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.engines.openvino_engine import PRECISION_KEY, core, import_quietly
from edge_runtime.errors import CamtrapEdgeError
from export_tools.variants.preparing import missing, prepared
from export_tools.variants.protocol import FloatGraph, Made

COMPUTING = (
    "Convolution",
    "GroupConvolution",
    "ConvolutionBackpropData",
    "GroupConvolutionBackpropData",
    "MatMul",
)
MOST_PICTURES = 100
"""NNCF measures anew for each graph that it makes, also when only one node went back to float."""


@dataclass(frozen=True)
class OpenVinoHalf:
    """Weights stored in float16, and computed in float16 on CPUs that can; elsewhere half the size is all it saves."""

    name: str = "openvino-fp16"
    engine: str = "openvino"
    precision: Literal["fp32", "fp16", "int8"] = "fp16"
    proven_with: str = "openvino"

    def missing(self) -> str | None:
        return missing("onnx", "onnxruntime", "openvino")

    def make(self, source: FloatGraph, work: Path, *, also_float: Collection[str] = ()) -> Made:
        """As `Variant.make`; `also_float` changes nothing."""
        model = _read(prepared(source.graph, work))
        model.set_rt_info("fp16", list(PRECISION_KEY))
        return _saved(model, work / f"{self.name}.xml", half=True)


@dataclass(frozen=True)
class OpenVinoInt8:
    """INT8 by NNCF's post-training quantization, with its correction of biases.

    Activations are symmetric, but where they dip below zero (SiLU and its like: YOLOX-nano keeps 25 of 48 boxes of
    held-out photos with asymmetric ones, 15 with symmetric ones), and ranges are the smallest and largest values. Of
    the four ways (symmetric or not; these ranges or NNCF's means over pictures), on 150 held-out training photos after
    calibration with 40 of other groups: boxes of the package's detector that stay, of 242: 242, 240 (means), 241
    (asymmetric), 237 (both); EfficientNet-Lite0's names that stay, of 150: 137, 138, 137, 134. All but the last are
    within chance of each other. Nothing is quantized after the last quantized convolution or product: a detector's
    decode.
    """

    name: str = "openvino-int8"
    engine: str = "openvino"
    precision: Literal["fp32", "fp16", "int8"] = "int8"
    proven_with: str = "openvino"

    def missing(self) -> str | None:
        return missing("onnx", "onnxruntime", "openvino", "nncf")

    def make(self, source: FloatGraph, work: Path, *, also_float: Collection[str] = ()) -> Made:
        """As `Variant.make`."""
        if not len(source.calibration):
            raise CamtrapEdgeError("INT8 needs the ranges that real photos give: name some with --calibrate DIR")
        model = _read(prepared(source.graph, work))
        kept = {*source.float_nodes, *also_float}
        before = [name for name in _computing(model) if name not in kept]
        quantized = _quantize(model, source.calibration, _left_out(model, kept))
        done = _rounded(quantized)
        made = _saved(quantized, work / f"{self.name}.xml", half=False)
        return Made(made.graph, tuple(name for name in before if name in done), files=made.files)


FP16 = OpenVinoHalf()
INT8 = OpenVinoInt8()


def _read(graph: Path) -> Any:
    try:
        return core().read_model(str(graph))
    except RuntimeError as error:  # what OpenVINO's bindings raise
        raise CamtrapEdgeError(f"{graph.name}: OpenVINO cannot convert it: {error}") from error


def _saved(model: Any, graph: Path, *, half: bool) -> Made:
    import_quietly().save_model(model, str(graph), compress_to_fp16=half)
    return Made(graph, files=(graph.with_suffix(".bin"),))


def _quantize(model: Any, tensors: Sequence[NDArray[np.float32]], left_out: Sequence[str]) -> Any:
    nncf, estimators = import_module("nncf"), import_module("nncf.quantization.range_estimator")
    # A product of two activations is attention: NNCF keeps its sums exact if it is told.
    attends = any(_is_dynamic_product(operation) for operation in model.get_ordered_ops())
    places = range(0, len(tensors), -(-len(tensors) // MOST_PICTURES))
    with _quiet(logging.getLogger("nncf")):
        try:
            return nncf.quantize(
                model,
                # Places and not pictures, so that one picture at a time has to be in memory.
                nncf.Dataset(places, tensors.__getitem__),
                preset=nncf.QuantizationPreset.MIXED if _dips(model) else nncf.QuantizationPreset.PERFORMANCE,
                model_type=nncf.ModelType.TRANSFORMER if attends else None,
                target_device=nncf.TargetDevice.CPU,
                subset_size=len(places),
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    activations_range_estimator_params=deepcopy(estimators.RangeEstimatorParametersSet.MINMAX)
                ),
                ignored_scope=nncf.IgnoredScope(names=list(left_out), validate=False),
            )
        except (RuntimeError, ValueError, nncf.ValidationError) as error:
            raise CamtrapEdgeError(f"NNCF cannot quantize the graph: {error}") from error


def _onnx_name(operation: Any) -> str:
    """The name that the operation had in the ONNX graph: OpenVINO gives that of a convolution to its bias."""
    name: str = operation.get_friendly_name()
    return name.removesuffix("/WithoutBiases")


def _computing(model: Any) -> list[str]:
    return [_onnx_name(one) for one in model.get_ordered_ops() if one.get_type_name() in COMPUTING]


def _is_dynamic_product(operation: Any) -> bool:
    return operation.get_type_name() == "MatMul" and all(
        _source(operation, place).get_type_name() != "Constant" for place in (0, 1)
    )


def _dips(model: Any) -> bool:
    """Whether the network has activations that go a little below zero, x * sigmoid(x) above all: they would waste
    nearly half of a symmetric range."""
    operations = model.get_ordered_ops()
    if any(one.get_type_name() in ("Swish", "HSwish", "Gelu", "Mish", "Elu") for one in operations):
        return True
    return any(
        one.get_type_name() == "Multiply"
        and any(
            _source(one, place).get_type_name() == "Sigmoid"
            and _source(_source(one, place), 0) == _source(one, 1 - place)
            for place in (0, 1)
        )
        for one in operations
    )


def _source(operation: Any, place: int) -> Any:
    """The operation that makes an input, past mere conversions of its type."""
    source = operation.input_value(place).get_node()
    while source.get_type_name() == "Convert":
        source = source.input_value(0).get_node()
    return source


def _left_out(model: Any, keep_float: Collection[str]) -> list[str]:
    """OpenVINO's names of the operations that stay in float: those of `keep_float`, and whatever no quantized
    computing operation follows."""
    feeding: set[str] = set()
    out: list[str] = []
    for operation in reversed(model.get_ordered_ops()):
        name, kind = operation.get_friendly_name(), operation.get_type_name()
        follows = any(
            target.get_node().get_friendly_name() in feeding
            for port in operation.outputs()
            for target in port.get_target_inputs()
        )
        quantized = kind in COMPUTING and _onnx_name(operation) not in keep_float
        if quantized or follows:
            feeding.add(name)
        if not quantized and (not follows or kind in COMPUTING) and kind not in ("Constant", "Parameter", "Result"):
            out.append(name)
    return out


def _rounded(model: Any) -> set[str]:
    """ONNX names of the computing operations whose weights became 8-bit."""
    return {
        _onnx_name(one)
        for one in model.get_ordered_ops()
        if one.get_type_name() in COMPUTING and _has_rounded_weights(one)
    }


def _has_rounded_weights(operation: Any) -> bool:
    pending = [operation.input_value(1).get_node()]
    while pending:
        node = pending.pop()
        if node.get_type_name() == "FakeQuantize":
            return True
        if node.get_type_name() == "Constant":
            if node.get_element_type().get_type_name() in ("i8", "u8"):
                return True
        elif node.get_type_name() in ("Convert", "Multiply", "Subtract", "Reshape", "Transpose"):
            pending += [port.get_node() for port in node.input_values()]
    return False


@contextmanager
def _quiet(log: logging.Logger) -> Iterator[None]:
    """Only what goes wrong is logged, and the bars that NNCF draws on stdout, where results belong, are not drawn."""
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        log.setLevel(level)
