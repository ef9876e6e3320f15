"""Foreign OpenVINO IR graphs (.xml with its .bin): what they say of themselves, and a tail behind them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.engines.openvino_engine import core, import_quietly
from edge_runtime.errors import CamtrapEdgeError
from export_tools.bundle_writer import Graph
from export_tools.import_layouts import GraphFacts
from export_tools.import_onnx import grey, settled_size

if TYPE_CHECKING:
    import onnx

ENGINE = "openvino"


def read_facts(graph: Path, size: tuple[int, int] | None) -> GraphFacts:
    """As `import_onnx.read_facts`."""
    model = _read(graph)
    kinds = [(entry.get_element_type().get_type_name(), len(entry.partial_shape)) for entry in model.inputs]
    if kinds != [("f32", 4)]:
        found = ", ".join(
            f"{entry.any_name} {entry.get_element_type()} {entry.partial_shape}" for entry in model.inputs
        )
        raise CamtrapEdgeError(f"{graph}: needs one float32 image input with 4 dimensions, has: {found}")
    image = model.inputs[0]
    dimensions = [None if entry.is_dynamic else entry.get_length() for entry in image.partial_shape]
    layout, (width, height) = settled_size(graph, dimensions, size)
    try:
        values = core().compile_model(model, "CPU")(grey(layout, width, height))
    except RuntimeError as error:
        raise CamtrapEdgeError(f"{graph}: does not run on a picture of {width}x{height}: {error}") from error
    outputs = {output.any_name: values[number] for number, output in enumerate(model.outputs)}
    return GraphFacts(min(image.get_names()), width, height, layout, outputs)


def settled(graph: Path, facts: GraphFacts, tail: onnx.GraphProto | None, work: Path) -> Graph:
    """The graph as it goes into a bundle, in `work`: written anew, with static shapes and with the tail."""
    model = _read(graph)
    shape = [1, facts.height, facts.width, 3] if facts.layout == "nhwc" else [1, 3, facts.height, facts.width]
    model.reshape({facts.input_name: shape})
    precision = _precision(model)
    if tail is not None:
        model = _joined(model, tail)
    file = work / "graph.xml"
    import_quietly().save_model(model, str(file), compress_to_fp16=False)
    return Graph(file, precision, ENGINE, precision, files=(file.with_suffix(".bin"),))


def _joined(model: Any, tail: onnx.GraphProto) -> Any:
    """`model` with what `tail` makes of its outputs."""
    from onnx import helper

    behind = helper.make_model(tail, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    read = core().read_model(behind.SerializeToString())
    for entry in read.inputs:
        entry.get_node().output(0).replace(model.output(entry.any_name).get_node().input_value(0))
    return import_quietly().Model(read.get_results(), model.get_parameters(), model.get_friendly_name())


def _read(graph: Path) -> Any:
    if not graph.with_suffix(".bin").is_file():
        raise CamtrapEdgeError(
            f"{graph.with_suffix('.bin')}: the weights of {graph.name} are missing; put them beside it"
        )
    try:
        return core().read_model(str(graph))
    except ImportError as error:
        raise CamtrapEdgeError("OpenVINO is not installed; pip install 'camtrap-edge[export]'") from error
    except RuntimeError as error:
        raise CamtrapEdgeError(f"{graph}: no graph that OpenVINO can load: {error}") from error


def _precision(model: Any) -> str:
    operations = model.get_ops()
    if any(operation.get_type_name() == "FakeQuantize" for operation in operations):
        return "int8"
    halves = (
        operation.get_type_name() == "Constant" and operation.get_output_element_type(0).get_type_name() == "f16"
        for operation in operations
    )
    return "fp16" if any(halves) else "fp32"
