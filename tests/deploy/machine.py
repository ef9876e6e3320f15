"""A machine to install on: this one's own system under an overlay, so that everything is real and nothing stays."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MOUNT = """
set -e
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
for place in "$2" "$3"; do
    mkdir -p "$1/root$place"
    mount --bind "$place" "$1/root$place"
done
root=$1/root; shift 3
eval "$1"; shift
exec "$@"
"""


class Machine:
    """Each command sees the same files, what earlier ones wrote included. Root only.

    Args:
        folder: holds what is written, in `upper`; `shared` below it is seen at the same path inside.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shared = folder / "shared"
        for name in ("upper", "work", "root", "shared"):
            (folder / name).mkdir(parents=True)
        if os.geteuid() != 0 or not shutil.which("unshare"):
            pytest.skip("an overlay of this machine needs root and unshare")
        probe = self.run("true")
        if probe.returncode != 0:
            pytest.skip(f"no overlay of this machine: {probe.stderr.strip()[-200:]}")
        self.write("/usr/local/bin/dpkg", "#!/bin/sh\necho arm64\n", mode=0o755)

    def run(
        self, *command: str, inside: bool = True, prepare: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the machine, or outside it where it can see the machine at `root`.

        Args:
            prepare: shell commands before it, outside, with the machine's root in `$root`.
        """
        enter = ["chroot", str(self.root)] if inside else []
        return subprocess.run(
            [
                *("unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNT, "sh", str(self.folder)),
                *(str(CHECKOUT), str(self.shared), prepare, *enter, *command),
            ],
            capture_output=True,
            text=True,
            env={"PATH": PATH, "LC_ALL": "C.UTF-8", **(env or {})},
            check=False,
        )

    @property
    def root(self) -> Path:
        """Where the machine's files lie while a command runs."""
        return self.folder / "root"

    def written(self, path: str) -> Path:
        """What was written at `path`, seen from outside."""
        return self.folder / "upper" / path.lstrip("/")

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        file = self.written(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def everything(self) -> dict[str, str]:
        """All that was ever written: path, and a hash of the content or what kind of thing it is."""
        upper = self.folder / "upper"
        return {
            str(path.relative_to(upper)): _digest(path)
            for path in sorted(upper.rglob("*"))
            if "__pycache__" not in path.parts
        }


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    if path.is_file():
        return f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return f"{path.stat().st_mode:o}"


def make_wheel(folder: Path, name: str, version: str, files: Mapping[str, str], **headers: str) -> Path:
    """A wheel of a few Python files; `headers` are `requires` (one a line) and `entry_points`."""
    entry_points = headers.pop("entry_points", "")
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n"
    metadata += "Provides-Extra: station\n"
    for line in headers.pop("requires", "").splitlines():
        metadata += f"Requires-Dist: {line}\n"
    contents = {
        **files,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if entry_points:
        contents[f"{info}/entry_points.txt"] = f"[console_scripts]\n{entry_points}\n"
    record = "".join(
        f"{path},sha256={urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
        for path, text in contents.items()
    )
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in contents.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return wheel


def list_hashes(folder: Path, *, arch: str = "aarch64", python: str) -> None:
    """What wheelhouse.sh leaves beside the wheels."""
    (folder / "TARGET").write_text(f"arch={arch}\npython={python}\n")
    files = [folder / "TARGET", *sorted(folder.glob("*.whl"))]
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (folder / "SHA256SUMS").write_text("".join(lines))
