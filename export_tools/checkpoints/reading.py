"""Reading a checkpoint file: what it is, what it holds, and whether it is a known one. Nothing in it is ever run."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from edge_runtime.errors import CamtrapEdgeError
from export_tools.checkpoints import catalogue, foreign, torch_files
from export_tools.checkpoints.catalogue import Known
from export_tools.checkpoints.errors import CheckpointError, damaged

__all__ = ["Checkpoint", "CheckpointError", "read"]

Format = Literal["safetensors", "torch-zip", "torch-legacy", "folder"]
_BLOCK = 4 * 1024 * 1024
_START = 4096


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint file holds, as plain data."""

    path: Path
    bytes: int
    """0 for a folder."""
    sha256: str
    """In hexadecimal; empty for a folder, as is `md5`."""
    md5: str
    format: Format
    content: Any
    """Plain data (dicts, lists, text, numbers, numpy arrays) with `torch.Tensor`s on the CPU in the type that the file
    has; a `Skeleton` wherever an object of a class was pickled."""
    info: Mapping[str, Any] = field(default_factory=dict)
    """`megadetector_info.json` of the zip; empty without."""
    known: Known | None = None
    """Its row of the catalogue, by hash."""


def read(path: Path, *, trust_pickle: bool = False) -> Checkpoint:
    """Read a checkpoint: a safetensors file, what `torch.save` wrote (either layout), or a folder (only its path).

    Memory: each storage once. Nothing in the file is run, whatever it says.

    Args:
        trust_pickle: take classes as data that no checkpoint of this field needs; else such a file is refused unless
            its hash is in the catalogue.

    Raises:
        CheckpointError: the file is missing, cut, foreign, damaged or not to be trusted; says which, and what to do.
    """
    try:
        if path.is_dir():
            return Checkpoint(path, 0, "", "", "folder", {})
        with path.open("rb") as stream:
            return _read(path, stream, trust_pickle)
    except FileNotFoundError as error:
        raise CheckpointError(path, "there is no such file", hint="check the path") from error
    except PermissionError as error:
        raise CheckpointError(path, "may not be read", hint=f"give yourself the right: chmod u+r {path}") from error
    except MemoryError as error:
        raise CheckpointError(path, "there is not enough memory to read it", hint="close other programs") from error
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise damaged(path, "it points to places outside itself") from error
        raise CheckpointError(path, f"cannot be read: {error.strerror or error}", hint="check the disk") from error


def _read(path: Path, stream: BinaryIO, trust_pickle: bool) -> Checkpoint:
    size, sha256, md5 = _hashes(stream)
    known = catalogue.by_hash(sha256, md5)
    trusted = trust_pickle or known is not None
    stream.seek(0)
    start = stream.read(_START)
    stream.seek(0)
    info: Mapping[str, Any] = {}
    if start.startswith(b"PK\x03\x04"):
        _need_torch()
        name: Format = "torch-zip"
        content, info = torch_files.read_zip(stream, path, size, trusted=trusted)
    elif start.startswith(torch_files.LEGACY_START):
        _need_torch()
        name = "torch-legacy"
        content = torch_files.read_legacy(stream, path, size, trusted=trusted)
    elif foreign.is_safetensors(start, size):
        _need_torch()
        name, content = "safetensors", _safetensors(path)
    else:
        raise foreign.explained(path, start, size)
    return Checkpoint(path, size, sha256, md5, name, content, info, known)


def _hashes(stream: BinaryIO) -> tuple[int, str, str]:
    # MD5 because it is what MegaDetector publishes; it tells a known file, and is no guard against a forger.
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    while block := stream.read(_BLOCK):
        sha256.update(block)
        md5.update(block)
        size += len(block)
    return size, sha256.hexdigest(), md5.hexdigest()


def _safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise _missing("safetensors") from error
    try:
        return load_file(path)
    except (SafetensorError, ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(
            path, f"no safetensors file, or a damaged one: {str(error)[:200]}", hint="get it again and compare its hash"
        ) from error


def _need_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise _missing("torch") from error


def _missing(package: str) -> CamtrapEdgeError:
    return CamtrapEdgeError(f"reading checkpoints needs {package}: pip install 'camtrap-edge[export]'")
