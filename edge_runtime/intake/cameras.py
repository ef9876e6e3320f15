"""Which camera took a photo: the name of a place in the field, from settings, folders or the photo itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from edge_runtime.settings import Camera
from edge_runtime.values import Capture

MAX_LENGTH = 40
"""Characters, as in `settings.Camera`."""

UNKNOWN = "camera"
"""Name of a camera of which nothing at all is known."""

# Folders that cameras make themselves say nothing of the place: 100MEDIA, 101RECNX (DCF, CIPA DC-009).
_DCF_FOLDER = re.compile(r"[1-9]\d\d[A-Z0-9_]{5}", re.ASCII | re.IGNORECASE)
_HASH_LENGTH = 6


def camera_name(path: PurePosixPath, capture: Capture, cameras: Sequence[Camera]) -> str:
    """Name of the camera that took the photo at `path` (relative to the watched root), 1 to 40 characters.

    1. The first of `cameras` with the photo's serial number, or with a `folder` pattern that matches the photo's
       folder or a folder above it, whatever the case (cards are written with FAT). It gives the name as it is.
    2. Else the folders above `DCIM`, or all of the photo's folders, without those that cameras make; and behind them
       the serial number where the photo tells one. Thus two cameras whose cards were copied into one folder stay two.
    3. Else, with no folder that says anything: make, model and serial number, as far as the photo tells them.
    4. Else "camera".

    Names that are too long or that cannot be written as text end in `~` and a hash of the full name.
    """
    for camera in cameras:
        if _matches(camera, path.parent, capture):
            return camera.name
    place = "/".join(_place(path.parent))
    if not place:
        # Many makes stand in the model already: Canon, "Canon EOS 50D".
        in_model = capture.model.casefold().startswith(capture.make.casefold())
        place = capture.model if in_model else f"{capture.make} {capture.model}".strip()
    return _writable(" ".join(part for part in (place, capture.serial) if part) or UNKNOWN)


def _matches(camera: Camera, folder: PurePosixPath, capture: Capture) -> bool:
    if camera.serial is not None:
        return camera.serial == capture.serial
    if camera.folder is None:
        return False
    pattern = camera.folder.strip("/").casefold()
    return any(fnmatchcase(str(part).casefold(), pattern) for part in (folder, *folder.parents))


def _place(folder: PurePosixPath) -> list[str]:
    parts = list(folder.parts)
    upper = [part.upper() for part in parts]
    if "DCIM" in upper:
        parts = parts[: upper.index("DCIM")]
    return [part for part in parts if not _DCF_FOLDER.fullmatch(part)]


def _writable(name: str) -> str:
    raw = name.encode("utf-8", "surrogateescape")
    text = "".join(c if c.isprintable() else "?" for c in raw.decode("utf-8", "replace"))
    if text == name and len(name) <= MAX_LENGTH:
        return name
    digest = hashlib.sha256(raw).hexdigest()[:_HASH_LENGTH]
    return f"{text[: MAX_LENGTH - 1 - _HASH_LENGTH]}~{digest}"
