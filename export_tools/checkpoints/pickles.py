"""Reading a pickle without running anything in it.

A pickle is a program for a small stack machine, and Python's own machine imports and calls whatever the program
names. This one knows the same instructions (the table of Python's `pickletools`, protocols 0 to 5) but keeps what
would be imported as a `ClassReference`, and what would be called as a `Skeleton`. The few calls that make plain
values (tensors, ordered dicts, numpy arrays) are made by functions of this package, handed in as `makers`.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from export_tools.checkpoints import nesting
from export_tools.checkpoints.errors import damaged
from export_tools.checkpoints.pickle_machine import Machine, Maker, short

MAX_STEPS = 3_000_000
"""Instructions of one pickle. A whole YOLOv5x6 has about 100,000; each could make a new object."""


class Source(Protocol):
    """Where a pickle is read from. `read` and `readline` give less at the end, as those of files do."""

    def read(self, count: int, /) -> bytes: ...
    def readline(self) -> bytes: ...
    def tell(self) -> int: ...


def load(
    source: Source,
    file: Path,
    *,
    makers: Mapping[str, Maker],
    persistent: Callable[[Any], Any],
    trusted: bool,
    constants: Mapping[str, Any] = MappingProxyType({}),
) -> Any:
    """Read one pickle, up to its end mark; `source` then stands behind it.

    Args:
        file: only named in errors.
        makers: by dotted path, what makes a plain value of a call's arguments.
        persistent: gives the value for a persistent id.
        constants: by dotted path, names that stand for a plain value.
        trusted: whether names outside `names.is_known` are taken as data too.

    Raises:
        CheckpointError: the pickle is damaged, or names what no checkpoint needs.
    """
    machine = Machine(file, makers, constants, persistent, trusted)
    try:
        for step, (instruction, argument, _) in enumerate(pickletools.genops(source)):  # type: ignore[arg-type]
            if step >= MAX_STEPS:
                raise damaged(file, f"its pickle has more than {MAX_STEPS} instructions")
            machine.step(instruction.name, argument)
        value = machine.result()
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, struct.error) as error:
        raise damaged(file, f"its pickle cannot be read: {short(error)}") from error
    nesting.check(value, file)
    return value
