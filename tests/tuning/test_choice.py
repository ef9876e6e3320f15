"""Which variant a bundle is opened with: what was measured, if it still counts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.errors import BundleError, CamtrapEdgeError, ConfigError
from edge_runtime.tuning import stored
from edge_runtime.tuning.choice import choose, choose_beside
from edge_runtime.tuning.machine import this_machine
from edge_runtime.tuning.plan import Setup
from edge_runtime.tuning.stored import Choice, Row, Tuned

Keep = Callable[..., Path]


@pytest.fixture(scope="module")
def bundle(colour_bundle: Path) -> Bundle:
    return bundles.load(colour_bundle, task="detector")


@pytest.fixture
def variant(bundle: Bundle) -> str:
    return bundle.manifest.variants[0].name


@pytest.fixture
def keep(tmp_path: Path, bundle: Bundle, variant: str) -> Keep:
    """Writes a choice of 3 threads x 1 stream out of 3 threads, changed as asked."""

    def write(**changed: Any) -> Path:
        best = {"variant": variant, "engine": "onnxruntime", "threads": 3, "streams": 1}
        made: dict[str, Any] = {
            "task": "detector",
            "bundle": bundle.id,
            "title": bundle.title,
            "cpus": 3,
            **best,
            "reference": variant,
            "photos": 10,
            "card": "/media/card",
            "card_photos": 100,
            "decode": "reduced",
            "seed": 1,
            "made_utc": "2026-11-21T10:00:00Z",
            "machine": this_machine(),
            "rows": (Row(**best, photos_per_s=10.0, rounds=(10.0,)),),
            **changed,
        }
        file = tmp_path / "tuned.yaml"
        stored.keep(file, Choice(**made), stored.read(file))
        return file

    return write


def test_untuned_takes_a_stream_for_each_thread(bundle: Bundle, variant: str, tmp_path: Path) -> None:
    chosen = choose(bundle, "auto", cpus=3, file=tmp_path / "tuned.yaml")
    assert chosen.setup == Setup(variant, "onnxruntime", 1, 3) and "not tuned" in chosen.why


def test_a_tuned_choice_is_taken(bundle: Bundle, variant: str, keep: Keep) -> None:
    chosen = choose(bundle, "auto", cpus=3, file=keep())
    assert chosen.setup == Setup(variant, "onnxruntime", 3, 1)
    assert [each.name for each in chosen.bundle.manifest.variants] == [variant]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"bundle": "0" * 64}, "not tuned for this bundle"),
        ({"cpus": 8}, "tuned for 8 CPU threads, not 3"),
        ({"machine": msgspec.structs.replace(this_machine(), cpu="Cortex-A76")}, "another processor"),
        ({"machine": msgspec.structs.replace(this_machine(), engines={"onnxruntime": "1.0"})}, "another version"),
    ],
    ids=["bundle", "threads", "processor", "engine version"],
)
def test_a_choice_for_something_else_is_ignored_and_says_why(
    bundle: Bundle, keep: Keep, changed: dict[str, Any], why: str
) -> None:
    chosen = choose(bundle, "auto", cpus=3, file=keep(**changed))
    assert why in chosen.why and (chosen.setup.threads, chosen.setup.streams) == (1, 3)


def test_a_damaged_file_does_not_stop_the_device(bundle: Bundle, keep: Keep, caplog: pytest.LogCaptureFixture) -> None:
    file = keep()
    file.write_text(file.read_text().replace("threads: 3", "threads: many"))
    with caplog.at_level(logging.WARNING):
        chosen = choose(bundle, "auto", cpus=3, file=file)
    assert chosen.setup.streams == 3 and "it is ignored" in caplog.text
    with pytest.raises(ConfigError, match="threads"):
        stored.read(file)


def test_a_named_engine_takes_its_fastest_sound_row(bundle: Bundle, variant: str, keep: Keep) -> None:
    def row(threads: int, streams: int, speed: float, problem: str = "") -> Row:
        return Row(
            variant=variant,
            engine="onnxruntime",
            threads=threads,
            streams=streams,
            photos_per_s=speed,
            rounds=(speed,),
            problem=problem,
        )

    file = keep(rows=(row(3, 1, 9.0), row(1, 2, 12.0), row(1, 3, 99.0, "loses boxes")))
    chosen = choose(bundle, "onnxruntime", cpus=3, file=file)
    assert (chosen.setup.threads, chosen.setup.streams) == (1, 2)


def test_a_name_that_is_not_there_is_an_error_for_the_detector_only(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no variant or engine 'coral'"):
        choose(bundle, "coral", cpus=2, file=tmp_path / "none")
    assert choose_beside(bundle, "coral", cpus=2, file=tmp_path / "none").setup.streams == 2


def test_choices_for_other_bundles_and_threads_are_kept_and_the_same_one_is_replaced(keep: Keep) -> None:
    keep(bundle="1" * 64)
    keep(cpus=8)
    keep(photos=11)
    file = keep(photos=12)
    found = [(one.bundle[0], one.cpus, one.photos) for one in stored.read(file).choices]
    assert found[0][1:] == (3, 12) and len(found) == 3
    assert [path.name for path in file.parent.iterdir()] == ["tuned.yaml"]


def test_the_file_does_not_grow_without_end(keep: Keep) -> None:
    for number in range(stored.MAX_CHOICES + 3):
        file = keep(bundle=f"{number:064x}")
    kept = stored.read(file).choices
    assert len(kept) == stored.MAX_CHOICES and kept[0].bundle == f"{stored.MAX_CHOICES + 2:064x}"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, keep: Keep) -> None:
    choice = stored.read(keep()).choices[0]
    (tmp_path / "plain").write_text("")
    with pytest.raises(CamtrapEdgeError, match=r"plain/tuned\.yaml: cannot be written"):
        stored.keep(tmp_path / "plain" / "tuned.yaml", choice, Tuned(tuned=1))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"CACHE_DIRECTORY": "/var/cache/a:/var/cache/b", "XDG_CACHE_HOME": "/x"}, "/var/cache/a/tuned.yaml"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/camtrap-edge/tuned.yaml"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/u"}, "/home/u/.cache/camtrap-edge/tuned.yaml"),
        ({"HOME": "/home/u"}, "/home/u/.cache/camtrap-edge/tuned.yaml"),
    ],
)
def test_without_a_device_choices_lie_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("CACHE_DIRECTORY", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(stored.file_for(None)) == expected
    assert str(stored.file_for(Path("/data"))) == "/data/tuned.yaml"
