"""What is no checkpoint is named, with what to do."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import pytest

from export_tools.checkpoints.reading import CheckpointError, read
from tests.export_tools.checkpoints.files import zip_file

FOREIGN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(100), "JPEG"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
    "text": (b"hello there\n" * 10, "text file"),
    "web page": (b"\n<!DOCTYPE html><html>" + b"x" * 9000, "web page"),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\n", "git lfs pull"),
    "gzip": (b"\x1f\x8b\x08" + bytes(100), "gunzip"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "Keras"),
    "tar": (bytes(257) + b"ustar\0" + bytes(300), "tar archive"),
    "other pickle": (pickle.dumps({"a": 1}), "torch.save did not write"),
    "noise": (bytes(range(128, 256)) * 3, "unknown kind"),
    "zip of something else": (b"", "not one that torch.save wrote"),
    "torchscript": (b"", "TorchScript"),
    "cut safetensors": ((1000).to_bytes(8, "little") + b'{"a":', "cut off"),
    "bad safetensors": ((10).to_bytes(8, "little") + b'{"a":1234}' + bytes(8), "safetensors"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_checkpoint_is_named_with_the_next_step(name: str, tmp_path: Path) -> None:
    content, words = FOREIGN[name]
    file = tmp_path / "weights.pt"
    file.write_bytes(content)
    if name == "zip of something else":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("readme.txt", "weights are elsewhere")
    if name == "torchscript":
        zip_file(file, b"N.", {"constants.pkl": b"N.", "code/__torch__.py": b"", "version": b"3"})
    with pytest.raises(CheckpointError, match=words) as refused:
        read(file)
    assert refused.value.hint


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        read(tmp_path / "none.pt")


def test_a_disk_that_does_not_give_the_bytes_is_named() -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        read(Path("/proc/self/mem"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.pt").touch(mode=0)
    with pytest.raises(CheckpointError, match="chmod"):
        read(tmp_path / "a.pt")
