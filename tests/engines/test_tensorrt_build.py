"""NVIDIA's own parser and builder on a CPU, through the code that builds on the device.

TensorRT for RTX builds for a GPU that is not there; it cannot load what it built. See test_tensorrt_engine.py for that.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import tempfile
import time
from importlib import util
from pathlib import Path

import onnx
import psutil
import pytest
from onnx import TensorProto, helper

from edge_runtime.bundles import bundle as bundles
from edge_runtime.engines import tensorrt_build, tensorrt_cuda, tensorrt_engine, tensorrt_runtime
from edge_runtime.engines.engine_cache import EngineCache
from edge_runtime.engines.tensorrt_cuda import Gpu
from edge_runtime.engines.tensorrt_progress import Report
from edge_runtime.engines.tensorrt_runtime import RTX, Complaints, NoTensorRtError, Runtime
from edge_runtime.errors import EngineError
from export_tools import default_models
from tests.conftest import ROOT
from tests.engines.tensorrt_graphs import variant
from tests.export_tools.variants import tiny

pytest.importorskip(RTX, reason="TensorRT for RTX is an extra: make workstation-env")

DETECTOR = Path(default_models.__file__).parent / "detector" / "float.onnx"
GPU = Gpu("RTX A2000", (8, 6), 26, 3 << 20, cuda="12.6", driver="NVRM version: 560.35.05", power_mode="")
SHA256 = "5e" * 32


@pytest.fixture
def runtime() -> Runtime:
    return tensorrt_runtime.imported(RTX)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return tiny.build(tmp_path / "tiny.onnx")


def nobody(share: float, phase: str) -> None:
    """Sees no progress."""


def built(runtime: Runtime, graph: Path, report: Report = nobody, input_name: str = "image") -> bytes:
    folder = Path(tempfile.gettempdir())
    return tensorrt_build.build(
        runtime, graph, input_name=input_name, capability=GPU.capability, report=report, folder=folder
    )


def builders(program: psutil.Process) -> list[psutil.Process]:
    """The processes that build for `program`."""
    return [child for child in program.children() if "edge_runtime.engines.tensorrt_child" in child.cmdline()]


def alive(process: psutil.Process) -> bool:
    try:
        # The system's first process may be slow to bury what it inherits.
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("name", ["tensorrt-fp16", "tensorrt-int8"])
@pytest.mark.parametrize("batch", [1, "batch"])
def test_what_the_exporter_makes_becomes_an_engine(
    name: str, batch: int | str, runtime: Runtime, tmp_path: Path
) -> None:
    assert len(built(runtime, variant(name, tmp_path, batch=batch))) > 1000


def test_the_packages_own_detector_becomes_an_engine_while_its_progress_is_seen(runtime: Runtime) -> None:
    seen: list[tuple[float, str]] = []
    engine = built(runtime, DETECTOR, lambda share, phase: seen.append((share, phase)))
    assert len(engine) > DETECTOR.stat().st_size / 2
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[0] == 0 and 0.5 < shares[-1] <= 1 and len(set(shares)) > 10
    assert len({phase for _, phase in seen}) > 3


def test_a_graph_made_for_another_engine_is_refused_with_its_node(runtime: Runtime) -> None:
    theirs = bundles.DEFAULTS / "detector" / "graphs" / "int8.onnx"
    with pytest.raises(EngineError, match=r"int8\.onnx: tensorrt: TensorRT .* refuses the graph: '\S+' \(\w+\): \w+"):
        built(runtime, theirs)


def test_an_operator_that_tensorrt_lacks_is_named(runtime: Runtime, tmp_path: Path) -> None:
    node = helper.make_node("Abacus", ["image"], ["beads"], "counting", domain="com.example")
    image, beads = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("image", "beads"))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    file = tmp_path / "abacus.onnx"
    onnx.save(helper.make_model(helper.make_graph([node], "g", [image], [beads]), opset_imports=opsets), str(file))
    with pytest.raises(EngineError, match=r"'counting' \(Abacus\)"):
        built(runtime, file)


def test_a_damaged_graph_is_an_error_that_names_it(runtime: Runtime, graph: Path) -> None:
    graph.write_bytes(graph.read_bytes()[:500])
    with pytest.raises(EngineError, match=r"tiny\.onnx: tensorrt: .*refuses"):
        built(runtime, graph)


def test_an_input_of_another_name_is_refused_with_both_names_before_anything_is_built(
    runtime: Runtime, graph: Path
) -> None:
    def no_progress(share: float, phase: str) -> None:
        raise AssertionError("it builds")

    with pytest.raises(EngineError, match=r"\['image'\].*'picture'"):
        built(runtime, graph, no_progress, input_name="picture")


def test_a_graph_whose_height_is_free_is_refused(runtime: Runtime, graph: Path) -> None:
    model = onnx.load(str(graph))
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save(model, str(graph))
    with pytest.raises(EngineError, match=r"\(1, 3, -1, 32\): only the batch may be free"):
        built(runtime, graph)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (signal.SIGKILL, r"float\.onnx: tensorrt: TensorRT was killed \(SIGKILL\).* memory; close other programs"),
        (signal.SIGSEGV, r"float\.onnx: tensorrt: TensorRT crashed \(SIGSEGV\) while it built"),
    ],
)
def test_a_builder_that_is_killed_or_crashes_is_an_error_that_says_so(
    number: signal.Signals, told: str, runtime: Runtime
) -> None:
    ended: list[psutil.Process] = []

    def end_it(share: float, phase: str) -> None:
        if not ended:
            ended.extend(builders(psutil.Process()))
            ended[0].send_signal(number)

    with pytest.raises(EngineError, match=told):
        built(runtime, DETECTOR, end_it)


@pytest.mark.parametrize("left", [0, 5_000_000, 20_000_000])
def test_too_little_memory_is_an_error_even_where_tensorrt_crashes_over_it(left: int, runtime: Runtime) -> None:
    limited: list[psutil.Process] = []

    def limit_it(share: float, phase: str) -> None:
        if not limited:
            limited.extend(builders(psutil.Process()))
            most = limited[0].memory_info().vms + left
            limited[0].rlimit(psutil.RLIMIT_AS, (most, most))

    with pytest.raises(EngineError, match=r"no engine can be built: \w+|TensorRT crashed \(SIG\w+\) while it built"):
        built(runtime, DETECTOR, limit_it)


def test_what_lies_in_the_working_folder_is_not_run_and_the_graph_may_be_named_from_there(
    runtime: Runtime, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(graph.parent)
    Path("json.py").write_text("raise SystemExit('a stranger')")
    assert len(built(runtime, Path(graph.name))) > 1000


def test_a_builder_that_cannot_even_start_is_an_error_with_its_last_words(runtime: Runtime, graph: Path) -> None:
    nowhere = dataclasses.replace(runtime, package="tensorrt_that_nobody_has")
    with pytest.raises(EngineError, match=r"ended with exit code 1.*No module named 'tensorrt_that_nobody_has'"):
        built(nowhere, graph)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_program_that_is_ended_while_an_engine_is_built_leaves_no_builder(
    number: signal.Signals, tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from edge_runtime.engines import tensorrt_build, tensorrt_runtime\n"
        f"tensorrt_build.build(tensorrt_runtime.imported('{RTX}'), Path(sys.argv[1]), input_name='image',\n"
        "    capability=(8, 6), report=lambda share, phase: print(share, flush=True), folder=Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", code, str(DETECTOR), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT) as program:
        assert program.stdout is not None and program.stdout.readline() == b"0.0\n"
        (builder,) = builders(psutil.Process(program.pid))
        # It is not to end because it is done.
        builder.suspend()
        program.send_signal(number)
        try:
            assert program.wait(timeout=60) == -number
        finally:
            program.kill()
    for _ in range(300):
        if not alive(builder):
            break
        time.sleep(0.1)
    else:
        builder.kill()
        pytest.fail("the builder lives on")
    assert list(tmp_path.iterdir()) == []


CHANGED = {
    "name": "Orin",
    "capability": (8, 9),
    "multiprocessors": 8,
    "l2_cache_bytes": 2 << 20,
    "cuda": "12.8",
    "driver": "NVRM version: 570.1",
    "power_mode": "pmode:0002",
}


def test_every_fact_about_a_gpu_is_tried_below() -> None:
    assert set(CHANGED) == {field.name for field in dataclasses.fields(Gpu)}


@pytest.mark.parametrize("name", CHANGED)
def test_an_engine_for_another_gpu_or_driver_is_another_engine(name: str, runtime: Runtime, tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    other = dataclasses.replace(GPU, **{name: CHANGED[name]})  # type: ignore[arg-type]
    here, there = (tensorrt_build.facts(runtime, gpu, SHA256) for gpu in (GPU, other))
    assert cache.file(here) != cache.file(there)


def test_another_graph_or_another_tensorrt_needs_another_engine(runtime: Runtime, tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    newer = dataclasses.replace(runtime, version="99.0")
    sibling = dataclasses.replace(runtime, package="tensorrt")
    all_facts = [
        tensorrt_build.facts(runtime, GPU, SHA256),
        tensorrt_build.facts(runtime, GPU, "0f" * 32),
        tensorrt_build.facts(newer, GPU, SHA256),
        tensorrt_build.facts(sibling, GPU, SHA256),
    ]
    assert len({cache.file(facts) for facts in all_facts}) == 4


def test_how_it_was_built_stands_in_the_file(runtime: Runtime, graph: Path, tmp_path: Path) -> None:
    facts = tensorrt_build.facts(runtime, GPU, SHA256)
    cache = EngineCache(tmp_path / "engines")
    engine = cache.engine(facts, lambda: built(runtime, graph))
    header = json.loads(cache.file(facts).read_bytes().split(b"\n", 2)[1])
    assert header["bytes"] == len(engine)
    assert header["facts"]["runtime"] == RTX and header["facts"]["compute_capability"] == "8.6"
    assert header["facts"]["tf32"] is False and header["facts"]["profile"] == "batch 1..1"


def test_of_two_processes_that_want_the_same_engine_one_builds_and_both_get_it(tmp_path: Path) -> None:
    code = (
        "import hashlib, os, sys\n"
        "from pathlib import Path\n"
        "from edge_runtime.engines import tensorrt_build, tensorrt_runtime\n"
        "from edge_runtime.engines.engine_cache import EngineCache\n"
        "from tests.engines.test_tensorrt_build import GPU, SHA256\n"
        f"runtime = tensorrt_runtime.imported('{RTX}')\n"
        "folder = Path(sys.argv[1])\n"
        "def build():\n"
        "    (folder / f'built-{os.getpid()}').touch()\n"
        "    return tensorrt_build.build(runtime, Path(sys.argv[2]), input_name='image', capability=GPU.capability,\n"
        "        report=lambda share, phase: None, folder=folder)\n"
        "print('ready', flush=True), sys.stdin.read()\n"
        "cache = EngineCache(folder / 'engines')\n"
        "engine = cache.engine(tensorrt_build.facts(runtime, GPU, SHA256), build)\n"
        "print(hashlib.sha256(engine).hexdigest())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(DETECTOR)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
    for process in both:
        process.stdin.close()
    answers = [process.stdout.read() for process in both]
    assert [process.wait() for process in both] == [0, 0]
    assert answers[0] == answers[1] and len(answers[0]) == 65
    assert len(list(tmp_path.glob("built-*"))) == 1
    assert len(list((tmp_path / "engines").glob("*.engine"))) == 1
    assert list((tmp_path / "engines").glob("*.tmp")) == []


@pytest.mark.skipif(util.find_spec("tensorrt") is not None, reason="`tensorrt` is never told for which GPU to build")
def test_a_gpu_for_which_no_tensorrt_builds_is_an_error_that_names_both() -> None:
    with pytest.raises(NoTensorRtError, match=r"tensorrt_rtx \S+ knows no GPU of compute capability 8\.7.*JetPack"):
        tensorrt_runtime.load((8, 7))


def test_bytes_that_are_no_engine_are_not_loaded_and_tensorrt_says_why(runtime: Runtime) -> None:
    assert tensorrt_engine.deserialized(runtime, bytes(1000)) is None
    said = str(runtime.complaints)
    assert "TRT engine file" in said and "/_src/" not in said
    assert not runtime.complaints.of_memory


@pytest.mark.parametrize(
    ("line", "of_memory"),
    [
        ("Error Code 2: OutOfMemory (Requested size was 268435456 bytes.)", True),
        ("cudaError 2: out of memory", True),
        ("Unexpected Internal Error: Unexpected exception std::bad_alloc", True),
        ("Requested amount of GPU memory (1024 bytes) could not be allocated.", True),
        ("Cuda Runtime (an illegal memory access was encountered)", False),
    ],
)
def test_only_where_memory_was_too_little_is_it_called_so(line: str, of_memory: bool) -> None:
    complaints = Complaints()
    complaints.add(line)
    assert complaints.of_memory == of_memory


def test_a_jetson_tells_its_release_and_its_power_mode(tmp_path: Path) -> None:
    assert tensorrt_cuda.kernel_driver(tmp_path) == tensorrt_cuda.power_mode(tmp_path) == ""
    for name, text in {
        "etc/nv_tegra_release": "# R36 (release), REVISION: 4.0\n# KERNEL_VARIANT: oot\n",
        "var/lib/nvpmodel/status": "pmode:0002 fmode:fanNull\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert tensorrt_cuda.kernel_driver(tmp_path) == "# R36 (release), REVISION: 4.0"
    assert tensorrt_cuda.power_mode(tmp_path) == "pmode:0002"
