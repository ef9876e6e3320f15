"""The stack machine of pickles, with nothing in it that imports or calls what a pickle names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from export_tools.checkpoints import names
from export_tools.checkpoints.errors import CheckpointError, damaged
from export_tools.checkpoints.skeleton import ClassReference, Skeleton

MAX_KEY_PARTS = 1_000
"""Parts of one dict key: a tuple of tuples of tuples takes for ever to hash."""

Maker = Callable[[tuple[Any, ...]], Any]
"""Makes a plain value of a call's arguments."""

_LITERALS = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    )
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_IGNORED = frozenset(["PROTO", "FRAME"])


class Machine:
    """Takes the instructions of one pickle, one after the other. Its errors are `pickles.load`'s to translate."""

    def __init__(
        self,
        file: Path,
        makers: Mapping[str, Maker],
        constants: Mapping[str, Any],
        persistent: Callable[[Any], Any],
        trusted: bool,
    ) -> None:
        self._file, self._makers, self._persistent, self._trusted = file, makers, persistent, trusted
        self._names: dict[str, Any] = dict(constants)
        """What each name that was met stands for."""
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        """The stacks under each open mark."""
        self._memo: dict[int, Any] = {}
        self._places: dict[int, int] = {}
        """Where in the memo a skeleton stands, by its id: a numpy array takes its skeleton's place."""

    def step(self, name: str, argument: Any) -> None:
        """Carry out one instruction, named as in `pickletools.opcodes`."""
        if name in _LITERALS:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name not in _IGNORED:
            step: Callable[[Machine, Any], None] = _STEPS.get(name, Machine._unknown)
            step(self, argument)

    def result(self) -> Any:
        """The pickle's value, after its last instruction."""
        if len(self._stack) != 1 or self._below:
            raise damaged(self._file, "its pickle ends in the middle")
        return self._stack[0]

    # The stack.

    def _push(self, value: Any) -> None:
        # Evaluated after its argument: closing a mark changes which stack is the top one.
        self._stack.append(value)

    def _pop(self, _: Any = None) -> Any:
        if not self._stack:
            raise damaged(self._file, "its pickle takes from an empty stack")
        return self._stack.pop()

    def _mark(self, _: Any) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _pop_mark(self, _: Any = None) -> list[Any]:
        if not self._below:
            raise damaged(self._file, "its pickle closes a mark that it did not open")
        items, self._stack = self._stack, self._below.pop()
        return items

    def _drop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_mark()

    def _duplicate(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def _stop(self, _: Any) -> None:
        pass

    def _unknown(self, _: Any) -> None:
        raise CheckpointError(
            self._file,
            "its pickle refers to objects by numbers or buffers that only the program that wrote it knows",
            hint="no checkpoint of this field needs that; get the file from its author again, saved by torch.save",
        )

    # The memo.

    def _put(self, place: Any) -> None:
        value = self._stack[-1]
        place = len(self._memo) if place is None else place
        self._memo[place] = value
        if isinstance(value, Skeleton):
            self._places[id(value)] = place

    def _get(self, place: Any) -> None:
        self._stack.append(self._memo[place])

    # Plain containers.

    def _append(self, _: Any) -> None:
        self._extend([self._pop()])

    def _appends(self, _: Any) -> None:
        self._extend(self._pop_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, Skeleton) and not isinstance(target, ClassReference):
            target.items.extend(items)
        elif isinstance(target, list):
            target.extend(items)
        else:
            raise damaged(self._file, f"its pickle appends to a {type(target).__name__}")

    def _set_item(self, _: Any) -> None:
        value = self._pop()
        self._set([self._pop(), value])

    def _set_items(self, _: Any) -> None:
        self._set(self._pop_mark())

    def _set(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, Skeleton) and not isinstance(target, ClassReference):
            target = target.entries
        if not isinstance(target, dict):
            raise damaged(self._file, f"its pickle sets entries in a {type(target).__name__}")
        target.update(self._pairs(items))

    def _pairs(self, items: list[Any]) -> dict[Any, Any]:
        if len(items) % 2:
            raise damaged(self._file, "its pickle has a key without a value")
        return {self._key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}

    def _key(self, key: Any) -> Any:
        todo, parts = [key], 0
        while todo:
            part = todo.pop()
            parts += 1
            if parts > MAX_KEY_PARTS:
                raise damaged(self._file, f"its pickle has a key of more than {MAX_KEY_PARTS} parts")
            if isinstance(part, (tuple, frozenset)):
                todo.extend(part)
        return key

    def _tuple(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self._stack.append(tuple(reversed(items)))

    def _marked_set(self, make: Callable[[Any], Any]) -> None:
        items = self._pop_mark()
        self._push(make(self._key(item) for item in items))

    def _add_items(self, _: Any) -> None:
        items = [self._key(item) for item in self._pop_mark()]
        if not isinstance(self._stack[-1], set):
            raise damaged(self._file, f"its pickle adds items to a {type(self._stack[-1]).__name__}")
        self._stack[-1].update(items)

    # Names, calls and states: what Python's own machine would import and run.

    def _name(self, module: Any, name: Any) -> Any:
        if not isinstance(module, str) or not isinstance(name, str):
            raise damaged(self._file, "its pickle names a class by something that is no text")
        path = names.canonical(module, name)
        if not self._trusted and not names.is_known(path):
            raise CheckpointError(
                self._file,
                f"names '{path:.120}', which no checkpoint of this field needs. A pickle can make a program that opens "
                "it run any command with your rights. Nothing in it was run",
                hint="if you know where the file is from, --trust-pickle reads the rest of it, as data all the same; "
                "files whose hash is in the catalogue (edge-export fetch --list) need no such word",
            )
        return self._names.setdefault(path, ClassReference(path))

    def _global(self, argument: Any) -> None:
        module, _, name = argument.partition(" ")
        self._stack.append(self._name(module, name))

    def _stack_global(self, _: Any) -> None:
        name = self._pop()
        self._stack.append(self._name(self._pop(), name))

    def _instance(self, argument: Any) -> None:
        module, _, name = argument.partition(" ")
        self._call(self._name(module, name), tuple(self._pop_mark()))

    def _object(self, _: Any) -> None:
        made, *arguments = self._pop_mark()
        self._call(made, tuple(arguments))

    def _reduce(self, _: Any) -> None:
        arguments = self._pop()
        self._call(self._pop(), arguments)

    def _new_with_keywords(self, _: Any) -> None:
        keywords, arguments = self._pop(), self._pop()
        self._call(self._pop(), arguments, keywords)

    def _call(self, made: Any, arguments: Any, keywords: Any = None) -> None:
        if not isinstance(made, Skeleton) or not isinstance(arguments, tuple):
            raise damaged(self._file, f"its pickle calls a {type(made).__name__}")
        path = made.path
        if not isinstance(made, ClassReference):
            path, arguments = f"{path}.__call__", (made, *arguments)
        elif path in ("copyreg._reconstructor", "copyreg.__newobj__") and isinstance(arguments[0], ClassReference):
            path, arguments = arguments[0].path, arguments[2:] if path.endswith("_reconstructor") else arguments[1:]
        if path in self._makers and not keywords:
            for argument in arguments:
                if isinstance(argument, (tuple, frozenset)):
                    self._key(argument)
            self._stack.append(self._make(path, arguments))
        else:
            self._stack.append(Skeleton(path, arguments, keywords=dict(keywords or {})))

    def _make(self, path: str, arguments: tuple[Any, ...]) -> Any:
        try:
            return self._makers[path](arguments)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError, RuntimeError) as error:
            raise damaged(self._file, f"{path} cannot be made from what it says: {short(error)}") from error

    def _build(self, _: Any) -> None:
        state = self._pop()
        target = self._stack[-1]
        if isinstance(target, ClassReference) or not (hasattr(target, "__dict__") or isinstance(target, dict)):
            raise damaged(self._file, f"its pickle gives a state to a {type(target).__name__}")
        if not isinstance(target, Skeleton):
            return  # notes on an ordered dict (a state dict's versions) or on a tensor: not part of the weights
        target.state = state
        maker = f"{target.path}+state"
        if maker in self._makers:
            value = self._make(maker, (target,))
            place = self._places.get(id(target))
            if place is not None:
                self._memo[place] = value
            self._stack[-1] = value

    def _persistent_id(self, argument: Any) -> None:
        self._stack.append(self._persistent(argument))

    def _binary_persistent_id(self, _: Any) -> None:
        self._stack.append(self._persistent(self._pop()))


def short(error: Exception) -> str:
    """What an error says, in one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


_STEPS: dict[str, Callable[[Machine, Any], Any]] = {
    "MARK": Machine._mark,
    "POP": Machine._drop,
    "POP_MARK": Machine._pop_mark,
    "DUP": Machine._duplicate,
    "STOP": Machine._stop,
    "PUT": Machine._put,
    "BINPUT": Machine._put,
    "LONG_BINPUT": Machine._put,
    "MEMOIZE": lambda machine, _: machine._put(None),
    "GET": Machine._get,
    "BINGET": Machine._get,
    "LONG_BINGET": Machine._get,
    "EMPTY_LIST": lambda machine, _: machine._push([]),
    "EMPTY_DICT": lambda machine, _: machine._push({}),
    "EMPTY_SET": lambda machine, _: machine._push(set()),
    "EMPTY_TUPLE": lambda machine, _: machine._push(()),
    "LIST": lambda machine, _: machine._push(machine._pop_mark()),
    "TUPLE": lambda machine, _: machine._push(tuple(machine._pop_mark())),
    "TUPLE1": lambda machine, _: machine._tuple(1),
    "TUPLE2": lambda machine, _: machine._tuple(2),
    "TUPLE3": lambda machine, _: machine._tuple(3),
    "DICT": lambda machine, _: machine._push(machine._pairs(machine._pop_mark())),
    "FROZENSET": lambda machine, _: machine._marked_set(frozenset),
    "APPEND": Machine._append,
    "APPENDS": Machine._appends,
    "SETITEM": Machine._set_item,
    "SETITEMS": Machine._set_items,
    "ADDITEMS": Machine._add_items,
    "GLOBAL": Machine._global,
    "STACK_GLOBAL": Machine._stack_global,
    "INST": Machine._instance,
    "OBJ": Machine._object,
    "REDUCE": Machine._reduce,
    "NEWOBJ": Machine._reduce,
    "NEWOBJ_EX": Machine._new_with_keywords,
    "BUILD": Machine._build,
    "PERSID": Machine._persistent_id,
    "BINPERSID": Machine._binary_persistent_id,
}
