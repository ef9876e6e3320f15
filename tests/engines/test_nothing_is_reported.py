"""The runtimes that run graphs tell their makers nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOAD = {
    "device": """
from edge_runtime.bundles import bundle
from edge_runtime.models.detector import Detector
Detector(bundle.load(bundle.DEFAULTS / "detector", task="detector"), threads=1)
""",
    "exporter": """
import export_tools.import_onnx
import onnxruntime
from edge_runtime.bundles import bundle
onnxruntime.InferenceSession(str(bundle.DEFAULTS / "detector/graphs/int8.onnx"), providers=["CPUExecutionProvider"])
""",
    "nobody": """
import onnxruntime
from pathlib import Path
import importlib.util
graph = Path(importlib.util.find_spec("edge_runtime").submodule_search_locations[0])
onnxruntime.InferenceSession(
    str(graph / "bundles/default/detector/graphs/int8.onnx"), providers=["CPUExecutionProvider"]
)
""",
}


def written(code: str, folder: Path) -> list[str]:
    """What a fresh process that runs `code` leaves in its home and its temporary folder."""
    home, temporary = folder / "home", folder / "tmp"
    home.mkdir()
    temporary.mkdir()
    # Without what tells it that it is only tested.
    kept = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    environment = {**kept, "HOME": str(home), "TMPDIR": str(temporary)}
    environment.pop("XDG_CACHE_HOME", None)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    return [str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()]


@pytest.mark.parametrize("who", ["device", "exporter"])
def test_onnxruntime_leaves_no_identity_and_no_reports(who: str, tmp_path: Path) -> None:
    assert written(LOAD[who], tmp_path) == []


def test_by_itself_this_onnxruntime_would(tmp_path: Path) -> None:
    if not written(LOAD["nobody"], tmp_path):
        pytest.skip("this release of ONNX Runtime reports nothing by itself")
