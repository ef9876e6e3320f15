"""The public checkpoints of the field: where they are, what they are, and how to tell that a file is the right one."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from edge_runtime import checked_yaml
from edge_runtime.bundles.manifest import Sha256, Task, Text

FILE = Path(__file__).parent / "catalogue.yaml"

Name = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9._-]{0,63}$")]
Md5 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
Url = Annotated[str, msgspec.Meta(pattern="^https://[^ ]+$")]


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One public checkpoint."""

    name: Name
    aliases: tuple[Name, ...] = ()
    file: FileName
    """As it is called on disk; mostly as where it is published."""
    family: Name
    """The loader that takes it, as in `--family`."""
    task: Task
    what: Text
    """One line: the network and what it was trained on."""
    licence: Text
    md5: Md5 = ""
    """As published; empty where nobody published one."""
    sha256: Sha256 = ""
    bytes: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """None where the size is not known for sure."""
    urls: tuple[Url, ...] = ()
    """Tried in this order; empty where there is no public address that anybody may fetch from."""

    @property
    def has_hash(self) -> bool:
        return bool(self.md5 or self.sha256)


class _Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    checkpoints: tuple[Known, ...]


@functools.cache
def entries() -> tuple[Known, ...]:
    """Every row, in the order of the file."""
    return checked_yaml.read(FILE, _Catalogue).checkpoints


def by_name(name: str) -> Known | None:
    """The row with this name, alias or file name."""
    return next((known for known in entries() if name in (known.name, known.file, *known.aliases)), None)


def by_hash(sha256: str, md5: str) -> Known | None:
    """The row of the file with these hashes (hexadecimal), by either."""
    return next((k for k in entries() if (k.sha256 and k.sha256 == sha256) or (k.md5 and k.md5 == md5)), None)


@dataclass(frozen=True)
class Row:
    """One line of `edge-export fetch --list`, as text."""

    name: str
    task: str
    family: str
    licence: str
    size: str
    checksum: str
    """`md5`, `sha256` or `no published hash`."""
    address: str
    """The host it comes from, or `no public address`."""
    what: str


def rows() -> tuple[Row, ...]:
    """The catalogue as a table of text, in the order of the file."""
    return tuple(_row(known) for known in entries())


def _row(known: Known) -> Row:
    checksum = "sha256" if known.sha256 else "md5" if known.md5 else "no published hash"
    size = f"{known.bytes / 1e6:.1f} MB" if known.bytes else "?"
    address = urlsplit(known.urls[0]).hostname if known.urls else None
    address = address or "no public address"
    return Row(known.name, known.task, known.family, known.licence, size, checksum, address, known.what)
