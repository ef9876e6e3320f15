"""Checkpoint files made by hand, byte by byte, for tests."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

from export_tools.checkpoints.torch_files import LEGACY_START

LEGACY_HEAD = LEGACY_START + pickle.dumps(1001, 2) + pickle.dumps({"protocol_version": 1001, "little_endian": True}, 2)


def zip_file(path: Path, data_pickle: bytes, records: Mapping[str, bytes] | None = None, root: str = "archive") -> Path:
    """A zip as `torch.save` writes it, around any pickle."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{root}/data.pkl", data_pickle)
        for name, data in (records or {}).items():
            archive.writestr(f"{root}/{name}", data)
    return path


def legacy_file(path: Path, data_pickle: bytes, tail: bytes = b"") -> Path:
    """A file of the layout before PyTorch 1.6, around any pickle."""
    path.write_bytes(LEGACY_HEAD + data_pickle + (tail or pickle.dumps([], 2)))
    return path


def tensor_pickle(
    *, size: str = "(K\x04t", stride: str = "(K\x01t", offset: str = "K\x00", count: str = "K\x04", kind: str = "Float"
) -> bytes:
    """A pickle of one tensor over the storage "0"; the arguments are pickle code."""
    code = "\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"
    code += f"ctorch\n{kind}Storage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu{count}tQ"
    code += f"{offset}{size}{stride}\x89ccollections\nOrderedDict\n)RtR."
    return code.encode("latin-1")
