"""Objects that a pickle describes, as data: what a checkpoint holds without the code that wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import CamtrapEdgeError

if TYPE_CHECKING:
    from torch import Tensor

MAX_DEPTH = 100
"""Modules inside modules; the deepest published networks stay under 20."""
MAX_TENSORS = 200_000
"""A module that holds another one twice, thirty times over, would name a thousand million tensors."""


class SkeletonError(CamtrapEdgeError):
    """A pickled module whose parts are not those of a module."""

    exit_code = 2


@dataclass(eq=False)
class Skeleton:
    """An object that a pickle describes, as data: its class was neither imported nor run."""

    path: str
    """The class or function that would have made it: `ultralytics.nn.modules.block.C2f`."""
    args: tuple[Any, ...] = ()
    """What it would have been called with."""
    state: Any = None
    """What the object was then told about itself: most often the dict of its attributes."""
    keywords: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the call; rare."""
    items: list[Any] = field(default_factory=list)
    """What was appended to it, for subclasses of list."""
    entries: dict[Any, Any] = field(default_factory=dict)
    """What was set in it by key, for subclasses of dict."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"

    @property
    def name(self) -> str:
        """The last part of `path`."""
        return self.path.rpartition(".")[2]

    @property
    def attributes(self) -> dict[str, Any]:
        """`state` where it is a dict, else empty."""
        return self.state if isinstance(self.state, dict) else {}

    @property
    def children(self) -> dict[str, Skeleton]:
        """The submodules of a pickled `nn.Module`, in order; places that hold None are left out."""
        modules = self.attributes.get("_modules")
        if not isinstance(modules, dict):
            return {}
        return {name: child for name, child in modules.items() if isinstance(child, Skeleton)}

    def tensors(self, prefix: str = "") -> dict[str, Tensor]:
        """Parameters and persistent buffers of a pickled `nn.Module`, named and ordered as by its `state_dict()`.

        The tensors share their memory with the checkpoint.

        Raises:
            SkeletonError: modules nest without end, or a parameter is no tensor.
        """
        found: dict[str, Tensor] = {}
        for name, tensor in self._walk(prefix, 0):
            found[name] = tensor
            if len(found) > MAX_TENSORS:
                raise SkeletonError(f"{self.path}: more than {MAX_TENSORS} tensors; no network of the field does")
        return found

    def _walk(self, prefix: str, depth: int) -> Iterator[tuple[str, Tensor]]:
        if depth > MAX_DEPTH:
            raise SkeletonError(f"{self.path}: modules nest more than {MAX_DEPTH} deep; the checkpoint is damaged")
        fleeting = self.attributes.get("_non_persistent_buffers_set")
        fleeting = fleeting if isinstance(fleeting, (set, frozenset, list, tuple)) else ()
        for kind in ("_parameters", "_buffers"):
            own = self.attributes.get(kind)
            for name, value in own.items() if isinstance(own, dict) else ():
                if value is None or (kind == "_buffers" and name in fleeting):
                    continue
                if isinstance(value, (Skeleton, dict, list, tuple, str, int, float)):
                    raise SkeletonError(
                        f"{self.path}: its {prefix}{name} is no plain tensor, but a {type(value).__name__}"
                    )
                yield f"{prefix}{name}", value
        for name, child in self.children.items():
            yield from child._walk(f"{prefix}{name}.", depth + 1)


class ClassReference(Skeleton):
    """A class or function that a pickle names without calling it: an activation kept as a class, for example."""
