"""The peers' own environments: made once in a work folder, kept for the next run, never mixed with ours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_LAST_WORDS = 400


@dataclass(frozen=True)
class Recipe:
    """What makes an environment: one `pip install` per step, in order."""

    name: str
    least_python: tuple[int, int]
    steps: tuple[tuple[str, ...], ...]


SPARROW = Recipe("sparrow-engine", (3, 11), (("sparrow-engine==0.1.30", "onnxruntime==1.25.*", "numpy"),))

# `--no-deps`: what they list beside these fetches OpenCV's desktop build, and a package that cannot be built offline.
PYTORCH = Recipe(
    "pytorch",
    (3, 10),
    (
        ("torch==2.13.0", "numpy", "opencv-python-headless", "pillow", "pyyaml", "requests", "psutil", "polars"),
        ("scipy", "matplotlib", "tqdm", "jsonpickle", "pandas", "python-dateutil", "humanfriendly", "send2trash"),
        ("fastquadtree", "dill", "scikit-learn", "clipboard", "pytest"),
        ("--no-deps", "torchvision==0.28.0", "ultralytics==8.4.190", "ultralytics-thop", "megadetector==10.0.28"),
    ),
)


@dataclass(frozen=True)
class Environment:
    """One that is ready."""

    python: Path
    versions: tuple[str, ...]
    """As pip names them: "torch 2.13.0"."""


class PeerMissing(Exception):
    """A peer cannot be had here; says why."""


def make(recipe: Recipe, work: Path) -> Environment:
    """The environment, made where it is missing or its recipe has changed.

    Raises:
        PeerMissing: Python is too old for it, or pip failed.
    """
    if sys.version_info[:2] < recipe.least_python:
        wanted, here = (".".join(map(str, version)) for version in (recipe.least_python, sys.version_info[:2]))
        raise PeerMissing(f"{recipe.name} needs Python {wanted} or later, here is {here}")
    folder = work / "environments" / recipe.name
    python, done = folder / "bin" / "python", folder / ".made-from"
    if not done.is_file() or done.read_text() != repr(recipe):
        done.unlink(missing_ok=True)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)], recipe)
        for step in recipe.steps:
            _run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *step], recipe)
        done.write_text(repr(recipe))
    wanted = {word.split("==")[0] for step in recipe.steps for word in step if not word.startswith("--")}
    listed = _run([str(python), "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"], recipe)
    pairs = [line.split("==") for line in listed.splitlines() if "==" in line]
    return Environment(python, tuple(f"{name} {version}" for name, version in pairs if name in wanted))


def clean_environ(**more: str) -> dict[str, str]:
    """This process' environment variables without those that point Python at our own packages."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {**{name: value for name, value in os.environ.items() if name not in ours}, **more}


def _run(command: Sequence[str], recipe: Recipe) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environ())
    if done.returncode != 0:
        raise PeerMissing(f"{recipe.name} cannot be installed: {done.stderr.strip()[-_LAST_WORDS:]}")
    return done.stdout
