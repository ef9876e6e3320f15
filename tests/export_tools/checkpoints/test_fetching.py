"""Fetching against a real server that cuts, lies, moves, and never ends."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from export_tools.checkpoints import catalogue, downloading
from export_tools.checkpoints.fetching import TRIES, FetchError, fetch
from tests.conftest import ROOT
from tests.export_tools.checkpoints.server import Behaviour, serving

BODY = random.Random(3).randbytes(700_000)
KNOWN = catalogue.Known(
    name="spruce-test",
    file="spruce.pt",
    family="yolov5",
    task="detector",
    what="a file for tests",
    licence="MIT",
    md5=hashlib.md5(BODY).hexdigest(),
    sha256=hashlib.sha256(BODY).hexdigest(),
    bytes=len(BODY),
)
SIZE_UNKNOWN = msgspec.structs.replace(KNOWN, bytes=None)
NO_HASH = msgspec.structs.replace(SIZE_UNKNOWN, md5="", sha256="")


@pytest.fixture
def pauses() -> list[float]:
    return []


def bring(
    behaviour: Behaviour, folder: Path, pauses: list[float], known: catalogue.Known = KNOWN, **options: object
) -> Path:
    with serving(behaviour) as address:
        return fetch(known, folder, progress=False, urls=[f"{address}/file"], pause=pauses.append, **options)  # type: ignore[arg-type]


def test_a_file_is_brought_whole_and_nothing_else_is_left(tmp_path: Path, pauses: list[float]) -> None:
    path = bring(Behaviour(BODY, etag='"one"'), tmp_path / "new" / "folder", pauses)
    assert path.read_bytes() == BODY
    assert [file.name for file in path.parent.iterdir()] == ["spruce.pt"]
    assert pauses == []


def test_a_file_that_is_there_is_not_fetched_again(
    tmp_path: Path, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    bring(Behaviour(BODY), tmp_path, pauses)
    behaviour = Behaviour(BODY)
    bring(behaviour, tmp_path, pauses)
    assert behaviour.requests == []
    assert "is there already, and is the right file" in caplog.text


def test_another_file_of_that_name_is_neither_replaced_nor_believed(tmp_path: Path, pauses: list[float]) -> None:
    (tmp_path / "spruce.pt").write_bytes(b"mine")
    with pytest.raises(FetchError, match=r"is another file: its md5 is \w+, the right one is"):
        bring(Behaviour(BODY), tmp_path, pauses)
    assert (tmp_path / "spruce.pt").read_bytes() == b"mine"


def test_a_cut_connection_goes_on_where_it_was_cut(tmp_path: Path, pauses: list[float]) -> None:
    behaviour = Behaviour(BODY, etag='"one"', cut_after=[300_000, 200_000])
    assert bring(behaviour, tmp_path, pauses).read_bytes() == BODY
    assert [request.get("Range") for request in behaviour.requests] == [None, "bytes=300000-", "bytes=500000-"]
    assert [request.get("If-Range") for request in behaviour.requests] == [None, '"one"', '"one"']
    assert pauses == [1.0, 1.0]


def test_the_next_call_goes_on_where_the_last_one_gave_up(tmp_path: Path, pauses: list[float]) -> None:
    with pytest.raises(FetchError, match=rf"tried {TRIES} times.*run the same command again"):
        bring(Behaviour(BODY, cut_after=[300_000] + [0] * 20), tmp_path, pauses)
    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert (tmp_path / "spruce.pt.part").stat().st_size == 300_000
    behaviour = Behaviour(BODY)
    assert bring(behaviour, tmp_path, pauses).read_bytes() == BODY
    assert behaviour.requests[0]["Range"] == "bytes=300000-"


def test_a_server_that_ignores_the_range_starts_anew(tmp_path: Path, pauses: list[float]) -> None:
    behaviour = Behaviour(BODY, ignore_range=True, cut_after=[300_000])
    assert bring(behaviour, tmp_path, pauses).read_bytes() == BODY


def test_a_file_that_changed_at_the_server_starts_anew(tmp_path: Path, pauses: list[float]) -> None:
    with pytest.raises(FetchError):
        bring(Behaviour(bytes(len(BODY)), etag='"old"', cut_after=[300_000] + [0] * 20), tmp_path, pauses)
    behaviour = Behaviour(BODY, etag='"new"')
    assert bring(behaviour, tmp_path, pauses).read_bytes() == BODY
    assert len(behaviour.requests) == 1


def test_a_beginning_of_another_file_is_noticed_by_the_hash_and_fetched_once_more(
    tmp_path: Path, pauses: list[float]
) -> None:
    (tmp_path / "spruce.pt.part").write_bytes(bytes(300_000))
    behaviour = Behaviour(BODY)
    assert bring(behaviour, tmp_path, pauses).read_bytes() == BODY
    assert [request.get("Range") for request in behaviour.requests] == ["bytes=300000-", None]


def test_a_part_that_is_whole_already_needs_no_bytes(tmp_path: Path, pauses: list[float]) -> None:
    (tmp_path / "spruce.pt.part").write_bytes(BODY)
    assert bring(Behaviour(BODY), tmp_path, pauses).read_bytes() == BODY


def test_a_part_longer_than_the_file_starts_anew(tmp_path: Path, pauses: list[float]) -> None:
    (tmp_path / "spruce.pt.part").write_bytes(BODY + b"more")
    assert bring(Behaviour(BODY), tmp_path, pauses).read_bytes() == BODY


def test_an_answer_with_another_part_than_asked_for_is_not_appended(tmp_path: Path, pauses: list[float]) -> None:
    behaviour = Behaviour(BODY, cut_after=[300_000], wrong_range=True)
    assert bring(behaviour, tmp_path, pauses).read_bytes() == BODY


@pytest.mark.parametrize("known", [KNOWN, SIZE_UNKNOWN], ids=["size known", "size unknown"])
def test_the_wrong_file_is_refused_removed_and_both_hashes_are_named(
    known: catalogue.Known, tmp_path: Path, pauses: list[float]
) -> None:
    wrong = bytes(len(BODY))
    with pytest.raises(FetchError) as refused:
        bring(Behaviour(wrong), tmp_path, pauses, known)
    assert hashlib.md5(wrong).hexdigest() in str(refused.value)
    assert KNOWN.md5 in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_right_md5_with_a_wrong_sha256_is_refused(tmp_path: Path, pauses: list[float]) -> None:
    with pytest.raises(FetchError, match="its sha256 is"):
        bring(Behaviour(BODY), tmp_path, pauses, msgspec.structs.replace(KNOWN, sha256="0" * 64))


@pytest.mark.parametrize("declared", [len(BODY) - 1, len(BODY) + 1, 10**15])
def test_a_declared_length_that_is_not_the_file_s_is_refused_at_once(
    declared: int, tmp_path: Path, pauses: list[float]
) -> None:
    with pytest.raises(FetchError, match=f"has {declared} bytes, where the catalogue says {len(BODY)}"):
        bring(Behaviour(BODY, declared=declared), tmp_path, pauses)
    assert list(tmp_path.iterdir()) == []


def test_a_length_beyond_any_checkpoint_s_is_refused_at_once(tmp_path: Path, pauses: list[float]) -> None:
    with pytest.raises(FetchError, match=f"no checkpoint has more than {downloading.HARD_LIMIT}"):
        bring(Behaviour(BODY, declared=10**15), tmp_path, pauses, SIZE_UNKNOWN)


def test_a_file_larger_than_the_disk_is_refused_before_it_fills_it(
    tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "HARD_LIMIT", 10**18)
    with pytest.raises(FetchError, match=f"is full: {10**17} more bytes are needed"):
        bring(Behaviour(BODY, declared=10**17), tmp_path, pauses, SIZE_UNKNOWN)


@pytest.mark.parametrize("known", [KNOWN, SIZE_UNKNOWN], ids=["size known", "size unknown"])
def test_an_endless_body_is_stopped(
    known: catalogue.Known, tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "HARD_LIMIT", 3_000_000)
    with pytest.raises(FetchError, match=r"sends more than \d+ bytes"):
        bring(Behaviour(BODY, endless=True), tmp_path, pauses, known)
    assert list(tmp_path.iterdir()) == []


def test_a_body_without_a_length_is_read_to_its_end(tmp_path: Path, pauses: list[float]) -> None:
    assert bring(Behaviour(BODY, declared=-1), tmp_path, pauses, SIZE_UNKNOWN).read_bytes() == BODY


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(tmp_path: Path, pauses: list[float]) -> None:
    assert bring(Behaviour(BODY, statuses=[503, 429]), tmp_path, pauses).read_bytes() == BODY
    assert pauses == [1.0, 2.0]
    behaviour = Behaviour(BODY, statuses=[404] * 9)
    with pytest.raises(FetchError, match="404"):
        bring(behaviour, tmp_path / "other", pauses)
    assert len(behaviour.requests) == 1


def test_the_second_address_is_tried_when_the_first_does_not_answer(tmp_path: Path, pauses: list[float]) -> None:
    with serving(Behaviour(BODY)) as address:
        urls = ["http://127.0.0.1:9/file", f"{address}/file"]
        assert fetch(KNOWN, tmp_path, progress=False, urls=urls, pause=pauses.append).read_bytes() == BODY


def test_a_redirect_is_followed_to_this_machine_and_nowhere_without_https(tmp_path: Path, pauses: list[float]) -> None:
    behaviour = Behaviour(BODY)
    with serving(behaviour) as address:
        behaviour.redirect = f"{address}/file"
        path = fetch(KNOWN, tmp_path, progress=False, urls=[f"{address}/moved"], pause=pauses.append)
        assert path.read_bytes() == BODY
        for evil in ("http://example.org/file", "file:///etc/passwd", "ftp://example.org/file"):
            behaviour.redirect = evil
            with pytest.raises(FetchError, match=r"is not https|404|302"):
                fetch(KNOWN, tmp_path / "x", progress=False, urls=[f"{address}/moved"], pause=pauses.append)


@pytest.mark.parametrize(
    "url", ["http://example.org/a.pt", "file:///etc/passwd", "ftp://example.org/a", "http://localhost.evil.org/a"]
)
def test_only_https_is_fetched_from_elsewhere(url: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="is not https"):
        fetch(KNOWN, tmp_path, urls=[url])


def test_a_full_disk_is_named_and_what_came_is_kept(tmp_path: Path) -> None:
    # A limit on the size of files fails a write as a full disk does; a process of its own, as it cannot be lifted.
    behaviour = Behaviour(BODY)
    code = (
        "import resource, sys; from pathlib import Path; "
        "from tests.export_tools.checkpoints.test_fetching import KNOWN;"
        "from export_tools.checkpoints.fetching import FetchError, fetch;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))\n"
        "try: fetch(KNOWN, Path(sys.argv[2]), progress=False, urls=[sys.argv[1]])\n"
        "except FetchError as error: print(error)"
    )
    with serving(behaviour) as address:
        arguments = [sys.executable, "-B", "-c", code, f"{address}/file", str(tmp_path)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
    assert "is full" in done.stdout
    assert "run the same command again" in done.stdout
    kept = (tmp_path / "spruce.pt.part").read_bytes()
    assert 0 < len(kept) <= 400_000
    assert BODY.startswith(kept)
    with serving(behaviour) as address:
        assert fetch(KNOWN, tmp_path, progress=False, urls=[f"{address}/file"]).read_bytes() == BODY


def test_without_a_published_hash_the_user_gives_one_or_accepts_the_risk(
    tmp_path: Path, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(FetchError, match="--sha256"):
        bring(Behaviour(BODY), tmp_path, pauses, NO_HASH)
    with pytest.raises(FetchError, match="the wrong file"):
        bring(Behaviour(BODY), tmp_path, pauses, NO_HASH, sha256="0" * 64)
    with pytest.raises(FetchError, match="no SHA-256"):
        bring(Behaviour(BODY), tmp_path, pauses, NO_HASH, sha256="abc")
    assert list(tmp_path.iterdir()) == []
    assert bring(Behaviour(BODY), tmp_path / "a", pauses, NO_HASH, sha256=str(KNOWN.sha256).upper()).is_file()
    assert bring(Behaviour(BODY), tmp_path / "b", pauses, NO_HASH, accept_unverified=True).is_file()
    assert f"taken unchecked; its sha256 is {KNOWN.sha256}" in caplog.text


def test_an_unchecked_download_never_goes_on_from_a_beginning_that_may_be_another_file_s(
    tmp_path: Path, pauses: list[float]
) -> None:
    (tmp_path / "spruce.pt.part").write_bytes(bytes(300_000))
    path = bring(Behaviour(BODY), tmp_path, pauses, NO_HASH, accept_unverified=True)
    assert path.read_bytes() == BODY


def test_an_unknown_name_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="did you mean 'mdv5a'"):
        fetch("mdv5aa", tmp_path)


def test_a_row_without_an_address_says_so(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="no public address"):
        fetch("megadescriptor-l-384", tmp_path, accept_unverified=True)
