"""Checkpoints made to run code, or to exhaust the machine: nothing runs, and the error says what it was."""

from __future__ import annotations

import contextlib
import copyreg
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from export_tools.checkpoints import pickles
from export_tools.checkpoints.reading import CheckpointError, read
from tests.export_tools.checkpoints import live
from tests.export_tools.checkpoints.files import legacy_file, tensor_pickle, zip_file

LIVE = "tests.export_tools.checkpoints.live"
EXTENSION = 240


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def in_protocol(protocol: int) -> Callable[[str], bytes]:
    return lambda marker: pickle.dumps(live.RunsCommand(marker), protocol)


ATTACKS: dict[str, Callable[[str], bytes]] = {
    **{f"reduce, protocol {protocol}": in_protocol(protocol) for protocol in range(6)},
    "reduce posix.system": lambda m: b"cposix\nsystem\n(" + text(f"touch {m}") + b"tR.",
    "inst": lambda m: b"(" + text(f"touch {m}") + b"iposix\nsystem\n.",
    "obj": lambda m: b"(cposix\nsystem\n" + text(f"touch {m}") + b"o.",
    "stack global": lambda m: b"\x80\x04\x8c\x05posix\x8c\x06system\x93(" + text(f"touch {m}") + b"tR.",
    "newobj": lambda m: f"\x80\x02c{LIVE}\nRunsWhenMade\n(".encode("latin-1") + text(m) + b"t\x81.",
    "newobj ex": lambda m: (
        f"\x80\x04c{LIVE}\nRunsWhenNamed\n)}}".encode("latin-1") + text("path") + text(m) + b"s\x92."
    ),
    "build": lambda m: f"\x80\x02c{LIVE}\nRunsWhenBuilt\n)\x81".encode("latin-1") + text(m) + b"b.",
    "eval": lambda m: b"cbuiltins\neval\n(" + text(f"open({m!r}, 'w').close()") + b"tR.",
    "exec by its old name": lambda m: b"c__builtin__\nexec\n(" + text(f"open({m!r}, 'w').close()") + b"tR.",
    "getattr chain": lambda m: (
        b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n("
        + text("os")
        + b"tR"
        + text("system")
        + b"tR("
        + text(f"touch {m}")
        + b"tR."
    ),
    "inside the arguments of a module": lambda m: (
        b"ctorch.nn.modules.linear\nIdentity\n(cposix\nsystem\n(" + text(f"touch {m}") + b"tRtR."
    ),
    "extension registry": lambda m: b"\x80\x02\x82" + bytes([EXTENSION]) + b"(" + text(f"touch {m}") + b"tR.",
    "inside a persistent id": lambda m: b"(X\x07\x00\x00\x00storagecposix\nsystem\n(" + text(f"touch {m}") + b"tRtQ.",
}


@pytest.fixture
def registered() -> Iterator[None]:
    copyreg.add_extension("posix", "system", EXTENSION)
    yield
    copyreg.remove_extension("posix", "system", EXTENSION)


@pytest.mark.parametrize("wrapped", [zip_file, legacy_file])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.usefixtures("registered")
def test_an_attack_runs_nothing_whether_refused_or_read_as_data(
    attack: Callable[[str], bytes], wrapped: Callable[[Path, bytes], Path], tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    code = attack(str(marker))
    file = wrapped(tmp_path / "attack.pt", code)

    with pytest.raises(CheckpointError, match=r"--trust-pickle|only the program that wrote it knows") as refused:
        read(file)
    assert str(file) in str(refused.value)
    assert not marker.exists()

    with contextlib.suppress(CheckpointError):
        read(file, trust_pickle=True)
    assert not marker.exists()

    class Python(pickle.Unpickler):
        def persistent_load(self, identity: object) -> object:
            return identity

    with contextlib.suppress(Exception), (tmp_path / "attack.pkl").open("w+b") as stream:
        stream.write(code)
        stream.seek(0)
        Python(stream).load()
    assert marker.exists(), "this attack is none: Python itself does not run it"


@pytest.mark.parametrize(
    "name",
    [
        "os system",
        "subprocess Popen",
        "builtins getattr",
        "builtins __import__",
        "builtins compile",
        "torch load",
        "torch.hub load",
        "torch.jit load",
        "torch.serialization load",
        "torch.utils.cpp_extension load_inline",
        "torch.storage _load_from_bytes",
        "numpy load",
        "numpy.testing._private.utils runstring",
        "pickle loads",
        "marshal loads",
        "types CodeType",
        "types FunctionType",
        "cloudpickle.cloudpickle _make_function",
        "runpy run_path",
        "pydoc pipepager",
        "operator attrgetter",
        "importlib import_module",
        "socket socket",
        "shutil rmtree",
        "webbrowser open",
    ],
)
def test_a_pickle_that_names_what_no_checkpoint_needs_is_refused_by_that_name(name: str, tmp_path: Path) -> None:
    file = zip_file(tmp_path / "names.pt", b"c" + name.replace(" ", "\n").encode() + b"\n.")
    with pytest.raises(CheckpointError, match=name.replace(" ", r"\.")) as refused:
        read(file)
    assert "run any command" in str(refused.value)
    assert "Nothing in it was run" in str(refused.value)


def test_with_trust_a_foreign_object_becomes_a_skeleton(tmp_path: Path) -> None:
    code = b"cposix\nsystem\n(" + text("touch /nowhere") + b"tR."
    skeleton = read(zip_file(tmp_path / "a.pt", code), trust_pickle=True).content
    assert (skeleton.path, skeleton.args) == ("posix.system", ("touch /nowhere",))


def test_a_dotted_name_inside_a_known_package_is_only_a_name(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    code = b"\x80\x04" + text("torch.nn.modules.module") + text("sys.modules.os.system") + b"\x93("
    content = read(zip_file(tmp_path / "a.pt", code + text(f"touch {marker}") + b"tR.")).content
    assert content.path == "torch.nn.modules.module.sys.modules.os.system"
    assert not marker.exists()


def doubled(times: int, pair: bytes) -> bytes:
    """Code that nests `pair` of the top of the stack with itself, again and again."""
    return b"".join(b"q\x00" + pair for _ in range(times))


BOMBS = {
    "a memo place of four thousand million": b"\x80\x02Nr\xff\xff\xff\xff0R.",
    "bytes of an exabyte": b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"x.",
    "text of an exabyte": b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b"x.",
    "a bytearray of an exabyte": b"\x80\x05\x96" + struct.pack("<Q", 2**60) + b"x.",
    "a number of two gigabytes": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"1.",
    "a text number of a megabyte": b"L" + b"9" * 2**20 + b"L\n.",
    "a key that takes for ever to hash": b"\x80\x02}K\x00" + doubled(60, b"h\x00\x86") + b"Ns.",
    "a set whose item takes for ever to hash": b"\x80\x02c__builtin__\nset\n(]K\x00"
    + doubled(60, b"h\x00\x86")
    + b"atR.",
    "lists that stand for 2 ** 60 lists": b"\x80\x02K\x00" + doubled(60, b"h\x00\x86") + b".",
    "lists nested a hundred thousand deep": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "tuples nested a hundred thousand deep": b"\x80\x02)" + b"\x85" * 100_000 + b".",
    "a shape that is a bomb": tensor_pickle(size="(K\x00" + doubled(60, b"h\x00\x86").decode("latin-1") + "t"),
    "a storage key that is a bomb": b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nK\x00"
    + doubled(60, b"h\x00\x86")
    + b"NK\x01tQ.",
    "an empty stack": b"\x80\x020.",
    "a stack used up": b"\x80\x02R.",
    "no end": b"\x80\x02N",
    "a memo place never filled": b"\x80\x02h\x07.",
    "an unknown instruction": b"\x80\x02\xff.",
    "append to a number": b"\x80\x02K\x01K\x02a.",
    "a state for a number": b"\x80\x02K\x01}b.",
    "call of a number": b"\x80\x02K\x01)R.",
    "a list as key": b"\x80\x02}]Ns.",
    "a mark left open": b"\x80\x02(N.",
    "a persistent text": b"Pstorage\n.",
    "an out-of-band buffer": b"\x80\x05\x97.",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_or_broken_pickle_is_an_error_and_takes_little_memory(bomb: bytes, tmp_path: Path) -> None:
    import torch  # noqa: F401  # loaded now, so that its own memory is not counted

    file = zip_file(tmp_path / "bomb.pt", bomb, {"data/0": bytes(16)})
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError) as refused:
            read(file)
        assert tracemalloc.get_traced_memory()[1] < 60 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert len(str(refused.value)) < 1000


def test_a_pickle_of_too_many_instructions_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MAX_STEPS", 1000)
    file = zip_file(tmp_path / "long.pt", b"\x80\x02" + b"N0" * 1000 + b"N.")
    with pytest.raises(CheckpointError, match="more than 1000 instructions"):
        read(file)


TENSORS = {
    "longer than its storage": {"size": "(K\x05t"},
    "behind its storage": {"offset": "K\x01"},
    "of a stride that leaves it": {"stride": "(K\x02t"},
    "of a negative offset": {"offset": "J\xff\xff\xff\xff"},
    "of a negative stride": {"stride": "(J\xff\xff\xff\xfft"},
    "of a negative size": {"size": "(J\xff\xff\xff\xfft"},
    "of a size beyond all numbers": {"size": "(\x8a\x09" + "\xff" * 8 + "\x00t"},
    "expanded to a terabyte": {"size": "(\x8a\x06\x00\x00\x00\x00\x00\x01t", "stride": "(K\x00t"},
    "empty in one dimension and endless in two": {
        "size": "(K\x00\x8a\x08" + "\xff" * 7 + "\x0f" + "\x8a\x08" + "\xff" * 7 + "\x0ft",
        "stride": "(K\x01K\x01K\x01t",
    },
    "of a size and no stride": {"stride": ")"},
    "of a text for a size": {"size": "X\x01\x00\x00\x004"},
    "of fractions": {"size": "(G\x40\x10\x00\x00\x00\x00\x00\x00t"},
    "over a storage that is shorter than it says": {"count": "K\x05"},
    "over a storage of minus one": {"count": "J\xff\xff\xff\xff"},
    "over a storage of an exabyte": {"count": "\x8a\x08" + "\xff" * 7 + "\x0f"},
    "of a type of storage that is none": {"kind": "Imaginary"},
}


@pytest.mark.parametrize("parts", TENSORS.values(), ids=TENSORS)
def test_a_tensor_that_its_storage_does_not_hold_is_an_error(parts: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        read(zip_file(tmp_path / "a.pt", tensor_pickle(**parts), {"data/0": bytes(16)}))
    storage = pickle.dumps(["0"], 2) + struct.pack("<q", 4) + bytes(16)
    with pytest.raises(CheckpointError):
        read(legacy_file(tmp_path / "b.pt", tensor_pickle(**parts), storage))


def test_the_tensor_of_these_attacks_reads_where_nothing_is_wrong_with_it(tmp_path: Path) -> None:
    values = struct.pack("<4f", 1, 2, 3, 4)
    assert read(zip_file(tmp_path / "a.pt", tensor_pickle(), {"data/0": values})).content.tolist() == [1, 2, 3, 4]
    tail = pickle.dumps(["0"], 2) + struct.pack("<q", 4) + values
    assert read(legacy_file(tmp_path / "b.pt", tensor_pickle(), tail)).content.tolist() == [1, 2, 3, 4]


def test_a_compressed_zip_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "bomb.pt"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", tensor_pickle(count="J\x00\x00\x00\x04"))
        archive.writestr("archive/data/0", bytes(256 * 1024 * 1024))
    assert file.stat().st_size < 1024 * 1024
    with pytest.raises(CheckpointError, match="compressed"):
        read(file)


def test_a_zip_that_declares_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    file = zip_file(tmp_path / "a.pt", tensor_pickle(), {"data/0": bytes(16)})
    raw = file.read_bytes()
    entry = raw.rindex(b"PK\x01\x02")
    lying = raw[: entry + 20] + struct.pack("<II", 2**31, 2**31) + raw[entry + 28 :]
    file.write_bytes(lying)
    with pytest.raises(CheckpointError, match="more bytes than the file has"):
        read(file)


def test_a_changed_byte_of_a_storage_is_noticed(tmp_path: Path) -> None:
    file = zip_file(tmp_path / "a.pt", tensor_pickle(), {"data/0": b"0123456789abcdef"})
    file.write_bytes(file.read_bytes().replace(b"0123456789abcdef", b"0123456789abcdeF"))
    with pytest.raises(CheckpointError, match="archive/data/0 cannot be read"):
        read(file)


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "", "0/0"])
def test_a_storage_is_only_ever_looked_for_inside_the_zip(key: str, tmp_path: Path) -> None:
    code = tensor_pickle().replace(b"X\x01\x00\x00\x000", text(key))
    with pytest.raises(CheckpointError, match="missing from its zip"):
        read(zip_file(tmp_path / "a.pt", code, {"data/0": bytes(16)}))
