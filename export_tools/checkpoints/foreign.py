"""Files that are no checkpoint, by how they begin: each with a sentence that says what to do."""

from __future__ import annotations

from pathlib import Path

from export_tools.checkpoints.errors import CheckpointError

MAX_HEADER = 100 * 1024 * 1024
"""The longest header that safetensors allows, bytes."""

_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a git-lfs pointer: the weights themselves were not fetched", "run 'git lfs pull'"),
    (b"\xff\xd8\xff", "a JPEG photo", "give the path of a checkpoint"),
    (b"\x89PNG", "a PNG picture", "give the path of a checkpoint"),
    (b"%PDF", "a PDF document", "give the path of a checkpoint"),
    (b"\x89HDF", "an HDF5 file (Keras)", "export it to ONNX where it was made, and use 'edge-export import'"),
    (b"\x1f\x8b", "a gzip file", "unpack it first: gunzip or tar -xzf"),
    (b"7z\xbc\xaf", "a 7-Zip file", "unpack it first"),
    (b"Rar!", "a RAR file", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it first: zstd -d"),
    (b"\x7fELF", "a program", "give the path of a checkpoint"),
    (b"MZ", "a program", "give the path of a checkpoint"),
    (b"PK\x05\x06", "an empty zip file", "get it again"),
)
_PAGES = (b"<!doctype", b"<html", b"<head")


def is_safetensors(start: bytes, size: int) -> bool:
    """Whether a file of `size` bytes begins as a safetensors file: the header's length, then a JSON object."""
    if len(start) < 9:
        return False
    header = int.from_bytes(start[:8], "little")
    return 2 <= header <= min(MAX_HEADER, size - 8) and start[8:9] == b"{"


def explained(path: Path, start: bytes, size: int) -> CheckpointError:
    """The error for a file that is no checkpoint."""
    if size == 0:
        return CheckpointError(path, "the file is empty", hint="get it again")
    what, hint = _kind(start)
    return CheckpointError(path, f"no checkpoint, but {what}", hint=hint)


def _kind(start: bytes) -> tuple[str, str]:
    for beginning, what, hint in _KINDS:
        if start.startswith(beginning):
            return what, hint
    if start[257:262] == b"ustar":
        return "a tar archive", "unpack it first; PyTorch 0.1 wrote tars too: save such a file again with PyTorch 1"
    if start[4:8] == b"TFL3":
        return "a TensorFlow Lite model", "export it to ONNX where it was made, and use 'edge-export import'"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= MAX_HEADER:
        return "the beginning of a safetensors file whose header is cut off", "the download broke off: get it again"
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return (
            "a Python pickle that torch.save did not write",
            "load it where it was made, and save the model's state_dict with torch.save or as safetensors",
        )
    if b"onnx" in start[:64].lower() or start[:2] in (b"\x08\x07", b"\x08\x08", b"\x08\x09", b"\x08\x0a"):
        return "an ONNX graph", "use 'edge-export import'"
    return _text(start)


def _text(start: bytes) -> tuple[str, str]:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:100].lower().startswith(_PAGES):
        return "a web page, saved instead of the file that it links to", "download the file itself, and check its size"
    if text.startswith(b"<?xml"):
        return "an XML file (an OpenVINO graph?)", "use 'edge-export import' for a graph"
    try:
        text.decode("utf-8", errors="strict") if len(start) < 4096 else text[:-4].decode("utf-8")
        printable = b"\0" not in text
    except UnicodeDecodeError:
        printable = False
    if printable:
        return f"a text file that begins {text[:30].decode('utf-8', errors='replace')!r}", "give a checkpoint's path"
    return (
        "a file of an unknown kind",
        "checkpoints are .pt, .pth, .ckpt, .bin (torch.save) or .safetensors; a cut download begins like one too",
    )
