"""How deep a pickle's values nest, and how large they would be if nothing were shared.

Reading a pickle takes no recursion here, but those who use what was read may well walk through it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from export_tools.checkpoints.errors import damaged
from export_tools.checkpoints.skeleton import Skeleton

MAX_DEPTH = 400
"""A module inside a module takes three steps; YOLOv5's checkpoints nest 25 deep."""
MAX_EXPANDED = 50_000_000
"""Values counted once for each way to them: two lists that hold the next one twice, thirty times over, are 60 values
in the file and 2,000,000,000 for a program that walks them."""


def check(value: Any, file: Path) -> None:
    """Raise CheckpointError where `value` nests deeper than MAX_DEPTH or expands beyond MAX_EXPANDED.

    A way that leads back to where it came from counts as an end.
    """
    done: dict[int, tuple[int, int]] = {}
    """Depth and expanded count below a container, by its id."""
    open_now: set[int] = set()
    todo: list[tuple[Any, bool]] = [(value, False)]
    while todo:
        item, closing = todo.pop()
        key = id(item)
        if closing:
            below = [done[id(part)] for part in _parts(item) if id(part) in done]
            depth = 1 + max((deep for deep, _ in below), default=0)
            count = 1 + sum(many for _, many in below)
            if depth > MAX_DEPTH:
                raise damaged(file, f"its values nest more than {MAX_DEPTH} deep")
            if count > MAX_EXPANDED:
                raise damaged(file, f"its values stand for more than {MAX_EXPANDED} values")
            open_now.discard(key)
            done[key] = depth, count
        elif key not in done and key not in open_now and isinstance(item, _CONTAINERS):
            open_now.add(key)
            todo.append((item, True))
            todo.extend((part, False) for part in _parts(item))


_CONTAINERS = (dict, list, tuple, set, frozenset, Skeleton)


def _parts(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        yield from item.keys()
        yield from item.values()
    elif isinstance(item, Skeleton):
        yield from (item.args, item.state, item.keywords, item.items, item.entries)
    else:
        yield from item
