"""Reading one YAML file into a typed structure, with errors that name the file, the line and the key.

`msgspec` checks types and limits; this file adds what it does not know: on which line a key stands, and
that no key stands twice.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from edge_runtime.errors import ConfigError

T = TypeVar("T")

MAX_BYTES = 4 * 1024 * 1024
"""A larger file is refused before it is parsed."""


class _Loader(yaml.SafeLoader):
    """With the booleans of YAML 1.2: `off`, `on`, `yes` and `no` are words."""


_BOOL = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF"))

_PATH_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<field>[^`]+)`")


def read(file: Path, into: type[T]) -> T:
    """Read `file` as `into`, a `msgspec.Struct` that forbids unknown fields.

    Raises:
        ConfigError: the file cannot be read, is no YAML, or says something that `into` does not allow.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(file, error.strerror or str(error), hint="check the path and its permissions") from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(file, f"larger than {MAX_BYTES} bytes")
    return parse(raw, file, into)


def parse(raw: bytes, file: Path, into: type[T]) -> T:
    """As `read`, from bytes at hand; `file` only names them in errors."""
    try:
        root = yaml.compose(raw, Loader=yaml.SafeLoader)
        if root is None:
            raise ConfigError(file, "the file is empty")
        _refuse_aliases_and_duplicates(root, file, set())
        value = yaml.load(raw, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise ConfigError(file, f"no valid YAML: {error.problem}", line=line) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigError(file, f"no valid YAML: {error}") from error
    try:
        return msgspec.convert(value, into, strict=True)
    except msgspec.ValidationError as error:
        raise _located(str(error), root, file, into) from error


def error_at(file: Path, key: str, problem: str, *, hint: str = "") -> ConfigError:
    """An error about `key` (dotted) of `file`, with the line on which it stands."""
    root = yaml.compose(file.read_bytes(), Loader=yaml.SafeLoader)
    node = _walk(root, key.split("."))[0] if root else None
    return ConfigError(file, problem, line=node.start_mark.line + 1 if node else None, key=key, hint=hint)


def _refuse_aliases_and_duplicates(node: yaml.Node, file: Path, seen: set[int]) -> None:
    # An alias lets a few bytes stand for gigabytes, and a doubled key hides one of its two values.
    if id(node) in seen:
        raise ConfigError(file, "aliases (&, *) are not allowed", line=node.start_mark.line + 1)
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_aliases_and_duplicates(item, file, seen)
    elif isinstance(node, yaml.MappingNode):
        keys: dict[str, int] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(file, "keys must be plain words", line=line)
            if key.value in keys:
                raise ConfigError(file, f"stands twice, first on line {keys[key.value]}", line=line, key=key.value)
            keys[key.value] = line
            _refuse_aliases_and_duplicates(item, file, seen)


def _located(message: str, root: yaml.Node, file: Path, into: type[Any]) -> ConfigError:
    problem, _, path = message.partition(" - at `")
    steps = [name or index for name, index in _PATH_STEP.findall(path.rstrip("`"))]
    unknown = _UNKNOWN_FIELD.match(problem)
    if unknown:
        steps.append(unknown["field"])
    node, reached = _walk(root, steps)
    hint = ""
    if unknown:
        near = difflib.get_close_matches(unknown["field"], _field_names(into), n=1)
        hint = f"did you mean '{near[0]}'?" if near else ""
        problem = "unknown key"
    return ConfigError(file, problem, line=node.start_mark.line + 1, key=".".join(steps[:reached]), hint=hint)


def _walk(root: yaml.Node, steps: list[str]) -> tuple[yaml.Node, int]:
    node = root
    for depth, step in enumerate(steps):
        inner: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            inner = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
            inner = node.value[int(step)]
        if inner is None:
            return node, depth
        node = inner
    return node, len(steps)


def _field_names(struct: Any) -> list[str]:
    names: list[str] = []
    seen: set[Any] = set()
    todo: list[Any] = [struct]
    while todo:
        part = todo.pop()
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            if part not in seen:
                seen.add(part)
                fields = msgspec.structs.fields(part)
                names += [field.encode_name for field in fields]
                todo += [field.type for field in fields]
        else:
            todo += list(getattr(part, "__args__", ()))
    return names
