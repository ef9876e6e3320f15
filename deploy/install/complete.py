"""Is a folder of wheels complete for a board? pip judges conditions such as `python_version < "3.11"` by the machine
that it runs on, not by the board, so what only the board needs would be missing, and be missed in the field.

    python complete.py [--list] DIR ARCH PYTHON [EXTRA ...]

`--list` prints what is missing as pip wants it, to be downloaded; without it, anything missing is an error.

Run with a Python that has pip, whose own copy of `packaging` is used.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterable
from email.parser import HeaderParser
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name, parse_wheel_filename
from pip._vendor.packaging.version import Version

OURS = "camtrap-edge"


def missing(folder: Path, arch: str, python: str, extras: Iterable[str]) -> dict[str, str]:
    """What the wheels in `folder` still want on a board of `arch` with Python `python`: what to ask pip for; why."""
    wheels: dict[str, tuple[Version, Path]] = {}
    for file in sorted(folder.glob("*.whl")):
        name, version, _, _ = parse_wheel_filename(file.name)
        wheels[name] = (version, file)
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": arch,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    problems: dict[str, str] = {}
    asked: set[tuple[str, str]] = set()
    ask = [(OURS, extra) for extra in ("", *extras)]
    while ask:
        name, extra = ask.pop()
        if (name, extra) in asked:
            continue
        asked.add((name, extra))
        for text in _requirements(wheels[name][1]):
            wanted = Requirement(text)
            if wanted.marker is not None and not wanted.marker.evaluate({**environment, "extra": extra}):
                continue
            ask_for = f"{wanted.name}{wanted.specifier}"
            dependency = canonicalize_name(wanted.name)
            found = wheels.get(dependency)
            if found is None:
                problems[ask_for] = f"{name} wants {text}: no wheel of it"
            elif not wanted.specifier.contains(found[0], prereleases=True):
                problems[ask_for] = f"{name} wants {text}: {found[0]} is here"
            else:
                ask += [(dependency, one) for one in ("", *wanted.extras)]
    return problems


def _requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        entry = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(entry).decode("utf-8"))
    return headers.get_all("Requires-Dist") or []


def main(arguments: list[str]) -> int:
    """Check one folder; returns the exit code."""
    listed = arguments[0] == "--list"
    folder, arch, python, *extras = arguments[1:] if listed else arguments
    if not list(Path(folder).glob("camtrap_edge-*.whl")):
        sys.stderr.write(f"complete: {folder}: no wheel of {OURS}\n")
        return 1
    problems = missing(Path(folder), arch, python, extras)
    if listed:
        sys.stdout.write("".join(f"{ask_for}\n" for ask_for in problems))
        return 0
    for problem in problems.values():
        sys.stderr.write(f"complete: {problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
