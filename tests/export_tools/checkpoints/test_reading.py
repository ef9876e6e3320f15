"""What `read` gives equals what was saved, tensor by tensor; what is no checkpoint is named."""

from __future__ import annotations

import argparse
import collections
import hashlib
import io
import json
import os
import pickle
import random
import subprocess
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from export_tools.checkpoints import catalogue
from export_tools.checkpoints.reading import CheckpointError, read
from export_tools.checkpoints.skeleton import ClassReference, Skeleton, SkeletonError
from tests.conftest import ROOT
from tests.export_tools.checkpoints.files import tensor_pickle, zip_file

FORMATS = pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128]
DTYPES += [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool, torch.uint16]


class Block(nn.Module):
    """A network with all that a state dict knows of."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.nothing = None
        self.listed = nn.ModuleList([nn.Linear(8, 4).half(), nn.Linear(4, 2).to(torch.bfloat16)])
        self.named = nn.ParameterDict({"scale": nn.Parameter(torch.ones(3))})
        self.register_buffer("kept", torch.arange(5))
        self.register_buffer("fleeting", torch.zeros(5), persistent=False)
        self.register_parameter("absent", None)
        self.activation = nn.SiLU
        self.tied = self.convolution


Block.__module__ = "models.common"  # as training code's classes are called, which this program does not have


@pytest.fixture
def block(monkeypatch: pytest.MonkeyPatch) -> Block:
    module = types.ModuleType("models.common")
    module.Block = Block  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "models", types.ModuleType("models"))
    monkeypatch.setitem(sys.modules, "models.common", module)
    torch.manual_seed(0)
    return Block()


def saved(content: Any, path: Path, new: bool) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=new)
    return path


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)


@FORMATS
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_whole_module_reads_as_a_skeleton_with_its_own_state_dict(block: Block, new: bool, tmp_path: Path) -> None:
    checkpoint = read(saved({"model": block, "epoch": 3}, tmp_path / "a.pt", new))
    skeleton = checkpoint.content["model"]
    assert checkpoint.format == ("torch-zip" if new else "torch-legacy")
    assert (skeleton.path, skeleton.name, checkpoint.content["epoch"]) == ("models.common.Block", "Block", 3)
    expected, actual = block.state_dict(), skeleton.tensors()
    assert list(actual) == list(expected)
    assert all(same(actual[name], expected[name]) for name in expected)
    assert "fleeting" not in actual
    assert next(iter(skeleton.tensors("model."))) == f"model.{next(iter(expected))}"
    assert list(skeleton.children) == ["convolution", "norm", "listed", "named", "tied"]
    assert skeleton.children["convolution"].attributes["kernel_size"] == (3, 3)
    activation = skeleton.attributes["activation"]
    assert isinstance(activation, ClassReference)
    assert activation.name == "SiLU"
    assert actual["convolution.weight"].requires_grad
    assert actual["convolution.weight"].data_ptr() == actual["tied.weight"].data_ptr()


@FORMATS
def test_a_bare_state_dict_and_an_optimizer_read_as_plain_data(block: Block, new: bool, tmp_path: Path) -> None:
    optimizer = torch.optim.AdamW(block.norm.parameters())
    block.norm(torch.ones(1, 8, 2, 2)).sum().backward()
    optimizer.step()
    content = read(saved([block.state_dict(), optimizer.state_dict()], tmp_path / "a.pth", new)).content
    assert isinstance(content[0], dict)
    assert all(same(content[0][name], value) for name, value in block.state_dict().items())
    assert same(content[1]["state"][0]["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"])
    assert content[1]["param_groups"][0]["betas"] == (0.9, 0.999)


@FORMATS
def test_plain_values_of_every_kind_survive(new: bool, tmp_path: Path) -> None:
    values = {
        "numbers": [1, -(2**70), 1.5, True, None, 2 + 3j],
        "text": "Löwe",
        "bytes": b"\0\xff",
        "sets": [{1, 2}, frozenset({"a"}), set()],
        "ordered": collections.OrderedDict(a=1),
        "default": collections.defaultdict(list, {"a": [1]}),
        "size": torch.Size([2, 3]),
        "dtype": torch.bfloat16,
        "device": torch.device("cuda:1"),
        "scalar": np.float32(0.25),
        "array": np.arange(6, dtype=np.int16).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "swapped": np.arange(3, dtype=">f4"),
        "empty": np.empty((0, 4)),
    }
    content = read(saved(values, tmp_path / "a.pt", new)).content
    for name in ("array", "fortran", "swapped", "empty"):
        assert np.array_equal(content[name], values[name])
        assert content[name].dtype == values[name].dtype
    plain = {name: value for name, value in values.items() if name not in ("array", "fortran", "swapped", "empty")}
    assert {name: content[name] for name in plain} == plain


@FORMATS
def test_objects_of_other_classes_are_skeletons_with_their_state(new: bool, tmp_path: Path) -> None:
    values = [argparse.Namespace(size=640), Path("runs/exp"), np.array(["text"]), torch.eye(2).to_sparse()]
    space, path, words, sparse = read(saved(values, tmp_path / "a.pt", new)).content
    assert space.attributes == {"size": 640}
    assert path.args == ("runs", "exp") or path.args == ("runs/exp",)
    assert isinstance(words, Skeleton)
    assert sparse.path.startswith("torch._utils._rebuild_sparse")


@FORMATS
def test_views_of_one_storage_share_its_memory(new: bool, tmp_path: Path) -> None:
    base = torch.arange(24, dtype=torch.float32)
    views = [base.view(4, 6).t(), base[5:20:3], base[3], base.new_zeros(1).expand(1000), base[:0]]
    content = read(saved({"base": base, "views": views}, tmp_path / "a.pt", new)).content
    assert all(same(read_back, view) for read_back, view in zip(content["views"], views, strict=True))
    assert [v.stride() for v in content["views"]] == [v.stride() for v in views]
    content["base"][5] = -1
    assert content["views"][1][0] == -1


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_tensor_reads_as_it_was_saved(new: bool, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(DTYPES))
    size = data.draw(st.lists(st.integers(0, 4), max_size=4))
    stride = data.draw(st.lists(st.integers(0, 5), min_size=len(size), max_size=len(size)))
    offset = data.draw(st.integers(0, 3))
    learns = data.draw(st.booleans()) and (dtype.is_floating_point or dtype.is_complex)
    storage = torch.frombuffer(bytearray(os.urandom(16 * 100)), dtype=torch.uint8)
    storage = (storage % 2 == 1) if dtype is torch.bool else storage.view(dtype)
    tensor = torch.as_strided(storage, size, stride, offset).requires_grad_(learns)
    if dtype.is_complex and data.draw(st.booleans()):
        tensor = tensor.detach().conj()
    buffer = io.BytesIO()
    torch.save({"t": tensor}, buffer, _use_new_zipfile_serialization=new)
    file = Path(os.environ.get("TMPDIR", "/tmp")) / f"camtrap-edge-any-tensor-{os.getpid()}.pt"
    try:
        file.write_bytes(buffer.getvalue())
        actual = read(file).content["t"]
    finally:
        file.unlink(missing_ok=True)
    assert (actual.dtype, actual.shape, actual.stride()) == (tensor.dtype, tensor.shape, tensor.stride())
    assert actual.requires_grad == tensor.requires_grad
    as_bytes = [t.detach().resolve_conj().contiguous().view(-1) for t in (actual, tensor)]
    assert (
        as_bytes[0].numpy(force=True).tobytes() == as_bytes[1].numpy(force=True).tobytes()
        if (dtype is not torch.bfloat16)
        else torch.equal(*[t.view(torch.int16) for t in as_bytes])
    )


def test_a_file_of_a_big_endian_machine_reads_right(tmp_path: Path) -> None:
    values = np.array([1, 2, 3, 4], dtype=">f4").tobytes()
    file = zip_file(tmp_path / "a.pt", tensor_pickle(), {"data/0": values, "byteorder": b"big"})
    assert read(file).content.tolist() == [1, 2, 3, 4]


def test_a_tensor_of_a_machine_with_a_gpu_reads_into_memory(tmp_path: Path) -> None:
    code = tensor_pickle(kind="cuda\nHalfStorage").replace(b"ctorch\ncuda\nHalfStorage", b"ctorch.cuda\nHalfStorage")
    code = code.replace(b"HalfStorageStorage", b"HalfStorage").replace(
        b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"
    )
    file = zip_file(tmp_path / "a.pt", code, {"data/0": np.arange(4, dtype=np.float16).tobytes()})
    tensor = read(file).content
    assert (tensor.device.type, tensor.dtype, tensor.tolist()) == ("cpu", torch.float16, [0, 1, 2, 3])


def test_hashes_size_and_notes_are_the_file_s(tmp_path: Path) -> None:
    notes = {"image_size": 1280, "model_type": "yolov5"}
    records = {"data/0": bytes(16), "megadetector_info.json": json.dumps(notes).encode()}
    file = zip_file(tmp_path / "a.pt", tensor_pickle(), records, root="md_v1000.0.0-redwood")
    checkpoint, raw = read(file), file.read_bytes()
    assert checkpoint.info == notes
    assert (checkpoint.path, checkpoint.bytes) == (file, len(raw))
    assert checkpoint.sha256 == hashlib.sha256(raw).hexdigest()
    assert checkpoint.md5 == hashlib.md5(raw).hexdigest()
    assert checkpoint.known is None


def test_notes_that_were_put_in_later_may_be_compressed(tmp_path: Path) -> None:
    file = zip_file(tmp_path / "a.pt", tensor_pickle(), {"data/0": bytes(16)})
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/megadetector_info.json", json.dumps({"image_size": 640, "text": " " * 10_000}))
    assert read(file).info["image_size"] == 640


@pytest.mark.parametrize("notes", [b"no json", b"[1]", b'{"a":' + b" " * 2**20 + b"1}"])
def test_notes_that_are_no_json_object_are_an_error(notes: bytes, tmp_path: Path) -> None:
    file = zip_file(tmp_path / "a.pt", tensor_pickle(), {"data/0": bytes(16), "megadetector_info.json": notes})
    with pytest.raises(CheckpointError, match=r"megadetector_info\.json"):
        read(file)


def test_a_file_whose_hash_is_in_the_catalogue_is_known_and_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = zip_file(tmp_path / "a.pt", b"cacme.private\nThing\n)R.")
    with pytest.raises(CheckpointError, match=r"acme\.private\.Thing"):
        read(file)
    row = catalogue.Known(
        name="acme",
        file="acme.pt",
        family="acme",
        task="detector",
        what="a test",
        licence="MIT",
        md5=hashlib.md5(file.read_bytes()).hexdigest(),
    )
    monkeypatch.setattr(catalogue, "entries", lambda: (row,))
    checkpoint = read(file)
    assert checkpoint.known == row
    assert checkpoint.content.path == "acme.private.Thing"


def test_safetensors_and_folders_read(tmp_path: Path) -> None:
    tensors = {"a": torch.rand(2, 3).half(), "b": torch.arange(3)}
    save_file(tensors, tmp_path / "m.safetensors")
    checkpoint = read(tmp_path / "m.safetensors")
    assert checkpoint.format == "safetensors"
    assert all(same(checkpoint.content[name], value) for name, value in tensors.items())
    folder = read(tmp_path)
    assert (folder.format, folder.content) == ("folder", {})


@FORMATS
def test_a_file_cut_anywhere_is_an_error_that_says_to_get_it_again(new: bool, tmp_path: Path) -> None:
    whole = saved({"w": torch.rand(50), "n": nn.Linear(2, 2)}, tmp_path / "a.pt", new).read_bytes()
    file = tmp_path / "cut.pt"
    for length in range(1, len(whole), 7):
        file.write_bytes(whole[:length])
        with pytest.raises(CheckpointError) as refused:
            read(file)
        assert refused.value.hint


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_changed_pickle_reads_or_is_an_error_and_never_anything_else(data: st.DataObject) -> None:
    buffer = io.BytesIO()
    torch.save({"w": torch.rand(5), "n": nn.Linear(2, 2), "a": np.arange(3)}, buffer)
    with zipfile.ZipFile(buffer) as archive:
        names = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    code = bytearray(names.pop("data.pkl"))
    for _ in range(data.draw(st.integers(1, 4))):
        code[data.draw(st.integers(0, len(code) - 1))] = data.draw(st.integers(0, 255))
    file = Path(os.environ.get("TMPDIR", "/tmp")) / f"camtrap-edge-changed-{os.getpid()}.pt"
    try:
        read(zip_file(file, bytes(code), names), trust_pickle=True)
    except CheckpointError:
        pass
    finally:
        file.unlink(missing_ok=True)


@FORMATS
def test_a_file_changed_anywhere_reads_or_is_an_error_and_never_anything_else(new: bool, tmp_path: Path) -> None:
    whole = saved({"w": torch.rand(5), "n": nn.Linear(2, 2), "s": {1}}, tmp_path / "a.pt", new).read_bytes()
    chance, file = random.Random(7), tmp_path / "changed.pt"
    refused = 0
    for _ in range(300):
        changed = bytearray(whole)
        for _ in range(chance.choice([1, 2, 5])):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        del changed[(at := chance.randrange(len(changed))) : at + chance.choice([0, 0, 0, 20])]
        file.write_bytes(changed)
        try:
            read(file, trust_pickle=True)
        except CheckpointError:
            refused += 1
    assert refused > 100


def test_a_module_that_holds_itself_or_no_tensors_is_an_error() -> None:
    inner = Skeleton("models.Loop", state={"_modules": {}, "_parameters": {}})
    inner.state["_modules"]["me"] = inner
    with pytest.raises(SkeletonError, match="nest more than"):
        inner.tensors()
    with pytest.raises(SkeletonError, match=r"a\.weight is no plain tensor"):
        Skeleton("torch.nn.Linear", state={"_parameters": {"weight": "text"}}).tensors("a.")


def test_reading_takes_little_more_memory_than_the_file(tmp_path: Path) -> None:
    file = saved({f"w{i}": torch.zeros(8 * 1024 * 1024) for i in range(5)}, tmp_path / "big.pt", True)
    code = (
        "import resource, sys, torch, safetensors; from pathlib import Path; "
        "from export_tools.checkpoints import reading;"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024; before = peak();"
        "content = reading.read(Path(sys.argv[1])).content; print(peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True, cwd=ROOT, timeout=120
    )
    assert int(done.stdout) < 1.3 * file.stat().st_size


class StandIns(pickle.Unpickler):
    """PyTorch's own reader, with empty modules for the classes of YOLOv5."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("models."):
            return type(name, (nn.Module,), {"__module__": module})
        return super().find_class(module, name)


def test_the_real_yolov5n_reads_as_pytorch_itself_reads_it(assets: Path) -> None:
    file = assets / "weights" / "yolov5n" / "yolov5n.pt"
    if not file.is_file():
        pytest.skip(f"no YOLOv5n weights: {file} is missing")
    checkpoint = read(file)
    model = checkpoint.content["model"]
    assert model.path == "models.yolo.Model"
    with_stand_ins = types.ModuleType("stand_ins")
    with_stand_ins.Unpickler, with_stand_ins.load = StandIns, pickle.load  # type: ignore[attr-defined]
    expected = torch.load(file, weights_only=False, pickle_module=with_stand_ins)["model"].state_dict()
    actual = model.tensors()
    assert list(actual) == list(expected)
    assert len(actual) == 349
    assert all(same(actual[name], expected[name]) for name in expected)

    detect = model.children["model"].children["24"]
    assert detect.name == "Detect"
    assert detect.attributes["stride"].tolist() == [8, 16, 32]
    assert model.attributes["names"][0] == "person"

    # And byte by byte: every tensor is one record of the zip.
    with zipfile.ZipFile(file) as archive:
        records = {hashlib.sha256(archive.read(name)).digest() for name in archive.namelist()}
    for name, tensor in actual.items():
        assert hashlib.sha256(tensor.detach().numpy().tobytes()).digest() in records, name
