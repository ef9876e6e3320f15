"""Engines are kept between two starts, and a file that is not exactly ours is never used."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.engines.engine_cache import FORMAT, MOST, EngineCache, EngineCacheError, Facts, cache_folder

GRAPH = "5e" * 32
ENGINE = bytes(range(256)) * 40
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def facts(**changed: str | int | bool) -> Facts:
    return {
        "graph_sha256": GRAPH,
        "gpu": "Orin",
        "driver": "540.4",
        "power_mode": "pmode:0002",
        "tf32": False,
    } | changed


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "cache" / "engines")


def keep(cache: EngineCache, made_from: Facts, engine: bytes = ENGINE) -> Path:
    assert cache.engine(made_from, lambda: engine) == engine
    return cache.file(made_from)


def never() -> bytes:
    raise AssertionError("built, though an engine is kept")


def test_an_engine_is_built_once(cache: EngineCache) -> None:
    keep(cache, facts())
    assert cache.engine(facts(), never) == ENGINE


def test_a_file_says_in_its_first_two_lines_what_it_is_and_what_for(cache: EngineCache) -> None:
    first, second, rest = keep(cache, facts()).read_bytes().split(b"\n", 2)
    assert first + b"\n" == FORMAT
    assert json.loads(second)["facts"] == facts()
    assert rest == ENGINE


@pytest.mark.parametrize("name", facts())
def test_an_engine_made_from_other_facts_is_not_used(name: str, cache: EngineCache) -> None:
    keep(cache, facts(**{name: "another"}))
    assert cache.engine(facts(), lambda: b"new") == b"new"


def spoilt(file: Path, how: str) -> None:
    content = file.read_bytes()
    start = content.index(b"\n", len(FORMAT)) + 1
    written = {
        "truncated": content[:-1],
        "header only": content[:start],
        "cut in the header": content[: start - 20],
        "longer": content + b"x",
        "changed": content[:start] + b"x" + content[start + 1 :],
        "of another format": content.replace(b"engine 1", b"engine 2", 1),
        "bare": content[start:],
        "empty": b"",
        "of another GPU": content.replace(b'"Orin"', b'"Thor"', 1),
        "list for a header": FORMAT + b"[]\n" + content[start:],
        "list for facts": FORMAT + b'{"facts": [], "bytes": 1, "sha256": ""}\n' + content[start:],
    }
    file.write_bytes(written[how])


REASONS = {
    "truncated": "has 10239 bytes of 10240",
    "header only": "has 0 bytes of 10240",
    "cut in the header": "its header is damaged",
    "longer": "has 10241 bytes of 10240",
    "changed": "its bytes are not those that were written",
    "of another format": "is no engine of this format",
    "bare": "is no engine of this format",
    "empty": "is no engine of this format",
    "of another GPU": "was made for gpu 'Thor', not 'Orin'",
    "list for a header": "its header is damaged",
    "list for facts": "was made for nothing that it names",
}


@pytest.mark.parametrize("how", REASONS)
def test_a_spoilt_file_is_refused_with_the_reason_and_built_again(
    how: str, cache: EngineCache, caplog: pytest.LogCaptureFixture
) -> None:
    spoilt(keep(cache, facts()), how)
    assert cache.engine(facts(), lambda: b"new") == b"new"
    assert REASONS[how] in caplog.text and "built again" in caplog.text
    assert cache.engine(facts(), never) == b"new"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(
    mode: int, cache: EngineCache, caplog: pytest.LogCaptureFixture
) -> None:
    file = keep(cache, facts())
    file.chmod(mode)
    assert cache.engine(facts(), lambda: b"new") == b"new"
    assert f"can be written by others (mode 0{mode:o})" in caplog.text
    assert file.stat().st_mode & 0o777 == 0o600


@needs_root
def test_a_file_of_another_user_is_refused(cache: EngineCache, caplog: pytest.LogCaptureFixture) -> None:
    file = keep(cache, facts())
    os.chown(file, 65534, -1)
    assert cache.engine(facts(), lambda: b"new") == b"new"
    assert "belongs to another user (uid 65534" in caplog.text
    assert file.stat().st_uid == os.geteuid()


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_plain_file_is_refused(kind: str, cache: EngineCache, caplog: pytest.LogCaptureFixture) -> None:
    file = keep(cache, facts())
    if kind == "link":
        elsewhere = file.rename(cache.folder.parent / "elsewhere")
        file.symlink_to(elsewhere)
    else:
        file.unlink()
        os.mkfifo(file, 0o600)
    assert cache.engine(facts(), lambda: b"new") == b"new"
    assert "not used" in caplog.text
    assert file.is_file() and not file.is_symlink()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_is_an_error_that_says_what_to_do(mode: int, cache: EngineCache) -> None:
    keep(cache, facts())
    cache.folder.chmod(mode)
    with pytest.raises(EngineCacheError, match=r"can be written by others.*chmod go-w"):
        cache.engine(facts(), never)


@needs_root
def test_a_folder_of_another_user_is_an_error(cache: EngineCache) -> None:
    cache.folder.mkdir(parents=True)
    os.chown(cache.folder, 65534, -1)
    with pytest.raises(EngineCacheError, match="belongs to another user"):
        cache.engine(facts(), never)


def test_the_folder_is_made_for_us_alone(cache: EngineCache) -> None:
    before = os.umask(0)
    try:
        file = keep(cache, facts())
    finally:
        os.umask(before)
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineCacheError, match=r"file/engines: cannot be made: Not a directory"):
        EngineCache(tmp_path / "file" / "engines").engine(facts(), never)


def test_nothing_is_built_where_the_disk_has_no_room_for_it(cache: EngineCache) -> None:
    with pytest.raises(EngineCacheError, match=r"MB are free.*free some space"):
        cache.engine(facts(), never, needs=1 << 60)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k,mode=700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_on_a_full_disk_there_is_an_error_and_no_half_of_a_file(tiny_disk: Path) -> None:
    cache = EngineCache(tiny_disk)
    other = keep(cache, facts(graph_sha256="0f" * 32))
    with pytest.raises(EngineCacheError, match=r"of 1\.0 MB: No space left.*CACHE_DIRECTORY"):
        cache.engine(facts(), lambda: bytes(1_000_000))
    assert [file for file in tiny_disk.iterdir() if file.suffix != ".lock"] == [other]
    assert cache.engine(facts(), lambda: b"small") == b"small"


def test_a_process_killed_while_it_writes_leaves_nothing_that_is_used(cache: EngineCache) -> None:
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from edge_runtime.engines.engine_cache import EngineCache\n"
        # The kernel kills whoever writes beyond the limit: in the middle of the file.
        "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        f"EngineCache(Path(sys.argv[1])).engine({facts()!r}, lambda: bytes(100_000))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(cache.folder)], check=False)
    assert ran.returncode == -signal.SIGXFSZ
    (half,) = cache.folder.glob("*.tmp")
    assert half.stat().st_size == 4096
    assert cache.engine(facts(), lambda: b"new") == b"new"
    assert not half.exists()


def test_a_build_that_fails_leaves_nothing_and_the_next_one_is_free_to_begin(cache: EngineCache) -> None:
    with pytest.raises(ZeroDivisionError):
        cache.engine(facts(), lambda: bytes(1 // 0))
    assert list(cache.folder.glob("*.engine")) == []
    keep(cache, facts())


def test_a_successful_build_removes_what_the_same_graph_cannot_use_any_more(cache: EngineCache) -> None:
    old_driver = keep(cache, facts(driver="535.1"))
    other_graph = keep(cache, facts(graph_sha256="0f" * 32))
    other_mode = keep(cache, facts(power_mode="pmode:0000"))
    now = keep(cache, facts())
    assert not old_driver.exists()
    assert other_graph.exists() and other_mode.exists() and now.exists()


def test_a_failed_build_removes_nothing(cache: EngineCache) -> None:
    old_driver = keep(cache, facts(driver="535.1"))
    with pytest.raises(ZeroDivisionError):
        cache.engine(facts(), lambda: bytes(1 // 0))
    assert old_driver.exists()


def test_the_cache_stays_bounded_and_keeps_what_was_used_last(cache: EngineCache) -> None:
    def of(number: int) -> Facts:
        return facts(graph_sha256=f"{number:064d}"[::-1])

    files = [keep(cache, of(number)) for number in range(MOST)]
    for age, file in enumerate(reversed(files)):
        os.utime(file, (1e9 - age, 1e9 - age))
    cache.engine(of(0), never)
    keep(cache, of(MOST))
    left = set(cache.folder.glob("*.engine"))
    assert len(left) == MOST
    assert files[0] in left and files[1] not in left


def test_an_engine_that_is_discarded_is_built_again(cache: EngineCache) -> None:
    keep(cache, facts())
    cache.discard(facts())
    assert cache.engine(facts(), lambda: b"new") == b"new"


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"CACHE_DIRECTORY": "/var/cache/camtrap-edge", "XDG_CACHE_HOME": "/x"}, "/var/cache/camtrap-edge/engines"),
        ({"CACHE_DIRECTORY": "/var/cache/a:/var/cache/b"}, "/var/cache/a/engines"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/camtrap-edge/engines"),
        ({"XDG_CACHE_HOME": "relative"}, "~/.cache/camtrap-edge/engines"),
        ({}, "~/.cache/camtrap-edge/engines"),
    ],
)
def test_engines_lie_where_the_system_keeps_what_can_be_made_again(environment: dict[str, str], folder: str) -> None:
    assert cache_folder(environment) == Path(folder).expanduser()


def test_a_second_process_says_that_it_waits_and_takes_what_the_first_built(
    cache: EngineCache, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first = _other_process(cache, build="(print('building', flush=True), sys.stdin.read(), b'first')[2]")
    assert first.stdout is not None and first.stdin is not None
    assert first.stdout.readline() == "building\n"

    class Waiting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "waiting for it" in record.getMessage():
                first.stdin.close()  # type: ignore[union-attr]

    log, handler = logging.getLogger("edge_runtime.engines.engine_cache"), Waiting()
    log.addHandler(handler)
    try:
        assert cache.engine(facts(), never) == b"first"
    finally:
        log.removeHandler(handler)
    assert first.wait(timeout=30) == 0
    first.stdout.close()


def _other_process(cache: EngineCache, *, build: str) -> subprocess.Popen[str]:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from edge_runtime.engines.engine_cache import EngineCache\n"
        f"EngineCache(Path(sys.argv[1])).engine({facts()!r}, lambda: {build})\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(cache.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
