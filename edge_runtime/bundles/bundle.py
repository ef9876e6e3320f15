"""Opening a bundle: nothing of it is used before every listed file has been checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from edge_runtime import checked_yaml
from edge_runtime.bundles.manifest import ListedFile, Manifest, Task, Variant
from edge_runtime.bundles.tables import KINDS, Label, Taxon, read_labels, read_taxa
from edge_runtime.errors import BundleError

__all__ = ["DEFAULTS", "KINDS", "MANIFEST", "Bundle", "load", "read_labels", "safe_relative", "sha256_of"]

MANIFEST = "manifest.yaml"
DEFAULTS = Path(__file__).parent / "default"
"""The bundles that the package carries."""
_CHUNK = 1 << 20
_ARTICLE: dict[Task, str] = {"detector": "a detector", "classifier": "a classifier", "embedder": "an embedder"}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle."""

    folder: Path
    id: str
    """SHA-256 of the manifest, 64 hex digits: names the whole content."""
    manifest: Manifest
    labels: tuple[Label, ...]
    """By output class; empty for an embedder."""
    taxa: tuple[Taxon, ...] = ()
    """What a classifier may answer with where it is sure of no single label."""

    @property
    def title(self) -> str:
        """Name, version and the head of the id, for reports and logs."""
        return f"{self.manifest.name} {self.manifest.version} ({self.id[:12]})"

    def path(self, entry: ListedFile) -> Path:
        return self.folder / entry.file

    def only(self, name: str) -> Bundle:
        """The same bundle as if the variant called `name` were its only one.

        Raises:
            BundleError: there is none of that name.
        """
        variants = tuple(variant for variant in self.manifest.variants if variant.name == name)
        if not variants:
            there = ", ".join(variant.name for variant in self.manifest.variants)
            raise BundleError(self.folder, f"has no variant '{name}'", hint=f"it has: {there}")
        return replace(self, manifest=msgspec.structs.replace(self.manifest, variants=variants))

    def variant(self, engines: frozenset[str]) -> Variant:
        """The first variant that one of `engines` runs.

        Raises:
            BundleError: there is none.
        """
        for variant in self.manifest.variants:
            if variant.engine in engines:
                return variant
        wanted = ", ".join(sorted({variant.engine for variant in self.manifest.variants}))
        raise BundleError(self.folder, f"needs one of these engines: {wanted}", hint="install it, or export the bundle")


def load(folder: Path, *, task: Task | None) -> Bundle:
    """Open the bundle in `folder` and check every hash in it (BUNDLE.md).

    Args:
        task: that it must be for; None for any.

    Raises:
        BundleError: it is missing, damaged, or made for another task.
        ConfigError: its manifest says something that is not allowed; names the line.
    """
    manifest_file = folder / MANIFEST
    if not manifest_file.is_file() or manifest_file.is_symlink():
        raise BundleError(folder, f"no bundle: there is no {MANIFEST}", hint="make one with edge-export")
    raw = manifest_file.read_bytes()
    manifest = checked_yaml.parse(raw, manifest_file, Manifest)
    # A classifier's features are an embedding too, so its bundle may be opened as an embedder.
    if task and manifest.task != task and not (task == "embedder" and manifest.embedding):
        lacks = ", and has no 'embedding' part" if task == "embedder" else ""
        raise BundleError(folder, f"is {_ARTICLE[manifest.task]}, not {_ARTICLE[task]}{lacks}")
    entries: dict[str, ListedFile] = {}
    beside = [entry for variant in manifest.variants for entry in variant.files]
    for entry in (*manifest.variants, *beside, *manifest.files):
        if entry.file in entries:
            raise BundleError(folder, f"lists '{entry.file}' twice")
        entries[entry.file] = entry
        _check_file(folder, entry)
    for table in (manifest.labels, manifest.taxa, manifest.golden):
        if table and table not in entries:
            raise BundleError(folder, f"its table '{table}' is not listed under 'files'")
    labels = read_labels(folder / manifest.labels) if manifest.labels else ()
    return Bundle(
        folder=folder,
        id=hashlib.sha256(raw).hexdigest(),
        manifest=manifest,
        labels=labels,
        taxa=read_taxa(folder / manifest.taxa, labels) if manifest.taxa else (),
    )


def safe_relative(name: str) -> bool:
    """Whether `name` is a path that stays inside its folder on every system."""
    parts = name.split("/")
    return not any(part in ("", ".", "..") for part in parts) and "\\" not in name and "\0" not in name


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's bytes as 64 hex digits, read in pieces."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _check_file(folder: Path, entry: ListedFile) -> None:
    if not safe_relative(entry.file):
        raise BundleError(folder, f"'{entry.file}' leaves the bundle's folder")
    path = folder
    for part in entry.file.split("/"):
        path = path / part
        if path.is_symlink():
            raise BundleError(folder, f"'{entry.file}' passes through a symbolic link")
    if not path.is_file():
        raise BundleError(folder, f"'{entry.file}' is missing", hint="copy the bundle again")
    if path.stat().st_size != entry.bytes:
        raise BundleError(
            folder, f"'{entry.file}' has {path.stat().st_size} bytes, not {entry.bytes}", hint="copy the bundle again"
        )
    if sha256_of(path) != entry.sha256:
        raise BundleError(folder, f"'{entry.file}' is not what the manifest names (sha256)", hint="do not use it")
