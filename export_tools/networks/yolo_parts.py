"""What a YOLO network is rebuilt from: a pickled layer as data, and the base class of the blocks that replace it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from edge_runtime.errors import CamtrapEdgeError
from export_tools.checkpoints.skeleton import Skeleton


class LayoutError(CamtrapEdgeError):
    """A pickled network is not built as its family builds them. `where` is the layer's place, as in a state dict."""

    exit_code = 2

    def __init__(self, where: str, problem: str) -> None:
        self.where, self.problem = where, problem
        super().__init__(f"{where or 'the network'}: {problem}")


class Given:
    """One pickled layer: its plain attributes, looked up with errors that name the layer."""

    def __init__(self, skeleton: Skeleton, where: str) -> None:
        self.kind, self.where = skeleton.name, where
        self._attributes = skeleton.attributes
        self._own: Mapping[str, Any] = self._attributes.get("_parameters") or {}
        self._buffers: Mapping[str, Any] = self._attributes.get("_buffers") or {}

    def need(self, name: str, *kinds: type) -> Any:
        """An attribute that must be there, of one of these types.

        Raises:
            LayoutError: it is missing or of another type.
        """
        if name not in self._attributes:
            raise self.error(f"has no attribute '{name}'")
        return self.get(name, None, *kinds)

    def get(self, name: str, default: Any, *kinds: type) -> Any:
        """An attribute that old or new releases leave out."""
        value = self._attributes.get(name, default)
        if kinds and value is not default and not isinstance(value, kinds):
            raise self.error(f"attribute '{name}' is a {type(value).__name__}")
        return value

    def has_parameter(self, name: str) -> bool:
        """Whether the layer holds a parameter of this name (a convolution's bias may be None)."""
        return self._own.get(name) is not None

    def buffer(self, name: str) -> Tensor | None:
        """One of the layer's own buffers."""
        value = self._buffers.get(name)
        return value if isinstance(value, Tensor) else None

    def error(self, problem: str) -> LayoutError:
        """An error about this layer."""
        return LayoutError(self.where, f"{self.kind} {problem}")


class Block(nn.Module):
    """A layer made of layers: children under the checkpoint's own names; a subclass adds how they are connected.

    Raises:
        LayoutError: a child that the block's forward uses is missing, or one is there that it does not know.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    may_have: ClassVar[tuple[str, ...]] = ()

    def __init__(self, given: Given, children: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self._check(given, children)
        for name, child in children.items():
            self.add_module(name, child)
        self.set_up(given)

    def set_up(self, given: Given) -> None:
        """Take over the attributes that forward depends on."""

    def settle(self) -> None:
        """Put what only training needs out of the way; called once the weights are in."""

    def _check(self, given: Given, children: Mapping[str, nn.Module]) -> None:
        missing = [name for name in self.needs if name not in children]
        if missing:
            raise given.error(f"lacks {', '.join(missing)}")
        surplus = [name for name in children if name not in (*self.needs, *self.may_have)]
        if surplus:
            raise given.error(f"has a part that is not known: {', '.join(surplus)}")
