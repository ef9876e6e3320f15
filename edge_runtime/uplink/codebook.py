"""The codebook: the table that turns the codes of a payload into names. PAYLOAD.md, section Codebook."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from edge_runtime.errors import PayloadError, UnknownPayloadError
from edge_runtime.uplink.payload import Envelope, Message

VERSION = 1
MAX_BODY = 256 * 1024
"""Bytes of the JSON document; a longer one is refused before it is unpacked any further."""
MAX_COMPRESSED = 128 * 1024
"""Bytes on the wire."""

_EPOCH = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Codebook:
    """The names of one device's codes. Codes are places in the tuples, so a tuple may only grow."""

    device: str
    epoch: str
    """16 hexadecimal digits, random for each journal: sequence numbers count from 1 in each epoch."""
    cameras: tuple[str, ...]
    labels: tuple[str, ...]
    models: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What inferred, by task: the bundle's name, version and id."""
    time_zone: str = "UTC"
    """The zone to which the cameras' clocks are set."""
    individuals: tuple[str, ...] = ()
    """Names of known animals. One name may stand for animals of several labels."""
    body: bytes = field(default=b"", repr=False, compare=False)
    """The document over which the digest goes: as received, so that unknown fields count; made where empty."""

    def __post_init__(self) -> None:
        if not _EPOCH.fullmatch(self.epoch):
            raise PayloadError(f"epoch: '{self.epoch}' is not 16 hexadecimal digits")
        if not self.body:
            object.__setattr__(self, "body", self._document())
        if len(self.body) > MAX_BODY:
            raise PayloadError(f"a codebook of {len(self.body)} bytes is more than {MAX_BODY}")

    @property
    def digest(self) -> bytes:
        """SHA-256 of the document, 32 bytes."""
        return hashlib.sha256(self.body).digest()

    @property
    def wire_id(self) -> int:
        """The digest's first 14 bits, by which a standard message names its codebook."""
        return int.from_bytes(self.digest[:2], "big") >> 2

    @property
    def tiny_id(self) -> int:
        """The digest's first 9 bits, by which a tiny message names its codebook."""
        return self.wire_id >> 5

    def matches(self, message: Message) -> bool:
        """Whether the message names this codebook."""
        return message.codebook == (self.tiny_id if message.envelope is Envelope.TINY else self.wire_id)

    def to_bytes(self) -> bytes:
        """The document, compressed, as it stands on the topic."""
        return zlib.compress(self.body, 9)

    @classmethod
    def from_bytes(cls, payload: bytes) -> Codebook:
        """The opposite of `to_bytes`, for bytes from anywhere.

        Raises:
            UnknownPayloadError: of a later version.
            PayloadError: no codebook, or too large a one.
        """
        body = _unpack(payload)
        try:
            version = msgspec.json.decode(body, type=_Version).v
            if version != VERSION:
                raise UnknownPayloadError(f"codebook version {version} is not known to this program")
            document = msgspec.json.decode(body, type=_Document)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise PayloadError(f"no codebook: {error}") from error
        return cls(
            device=document.device,
            epoch=document.epoch,
            cameras=document.cameras,
            labels=document.labels,
            models=document.models,
            time_zone=document.time_zone,
            individuals=document.individuals,
            body=body,
        )

    def camera_code(self, name: str) -> int:
        """The code of a camera.

        Raises:
            PayloadError: the codebook has no such camera.
        """
        return _code(self.cameras, name, "camera")

    def label_code(self, name: str) -> int:
        """The code of a label.

        Raises:
            PayloadError: the codebook has no such label.
        """
        return _code(self.labels, name, "label")

    def camera_name(self, code: int) -> str:
        """The name of a camera.

        Raises:
            PayloadError: the codebook has no such code.
        """
        return _name(self.cameras, code, "camera")

    def label_name(self, code: int) -> str:
        """The name of a label.

        Raises:
            PayloadError: the codebook has no such code.
        """
        return _name(self.labels, code, "label")

    def individual_number(self, name: str) -> int | None:
        """The number of an individual; None where it has none."""
        return self.individuals.index(name) if name in self.individuals else None

    def individual_name(self, number: int) -> str | None:
        """The name of an individual; None where the codebook names no individuals at all.

        Raises:
            PayloadError: it names others, but not this one.
        """
        return _name(self.individuals, number, "individual") if self.individuals else None

    def _document(self) -> bytes:
        document: dict[str, Any] = {
            "v": VERSION,
            "device": self.device,
            "epoch": self.epoch,
            "cameras": self.cameras,
            "labels": self.labels,
            "models": dict(self.models),
            "time_zone": self.time_zone,
        }
        if self.individuals:  # Left out where there is none: an update of the program alone makes no new codebook.
            document["individuals"] = self.individuals
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        try:
            return text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise PayloadError("a name in the codebook is no Unicode text: rename the folder or the label") from error


class _Version(msgspec.Struct):
    v: int


class _Document(msgspec.Struct):
    # Unknown fields are skipped: a newer device may say more than this program reads.
    device: str
    epoch: str
    cameras: tuple[str, ...]
    labels: tuple[str, ...]
    models: dict[str, str] = {}
    time_zone: str = "UTC"
    individuals: tuple[str, ...] = ()


def _unpack(payload: bytes) -> bytes:
    if len(payload) > MAX_COMPRESSED:
        raise PayloadError(f"a codebook of {len(payload)} bytes is more than {MAX_COMPRESSED}")
    unpacker = zlib.decompressobj()
    try:
        body = unpacker.decompress(payload, MAX_BODY + 1)
    except zlib.error as error:
        raise PayloadError(f"no codebook: {error}") from error
    if len(body) > MAX_BODY:
        raise PayloadError(f"a codebook that unpacks to more than {MAX_BODY} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise PayloadError("no codebook: cut, or with something behind its end")
    return body


def _code(names: tuple[str, ...], name: str, kind: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        raise PayloadError(f"the codebook has no {kind} '{name}'") from None


def _name(names: tuple[str, ...], code: int, kind: str) -> str:
    if not 0 <= code < len(names):
        raise PayloadError(f"the codebook has {len(names)} {kind}s and none with code {code}")
    return names[code]
