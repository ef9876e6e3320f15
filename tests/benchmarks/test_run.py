"""`edge-bench run`: real worker processes on real photos; documents that hold all that was measured."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from benchmarks import cli
from benchmarks.document import reading
from edge_runtime.bundles import bundle as bundles
from edge_runtime.models import loading
from export_tools import bundle_writer
from tests.benchmarks.live import measured, started, wait_for_workers, workers_of


def test_a_document_holds_every_sample_of_every_stage(layered_bundle: Path, small_photos: Path, tmp_path: Path) -> None:
    (told,) = measured(tmp_path, layered_bundle, "--photos", small_photos, "--seconds", 1.5, "--processes", 3)
    assert told.boundary == ("read", "decode", "preprocess", "infer", "postprocess")
    assert len(told.processes) == 3 and told.photos.n == 4 and told.model.input_shape == (1, 3, 64, 64)
    for process in told.processes:
        assert set(process.samples_ns) == {*told.boundary, "whole"}
        stages = [process.samples_ns[stage] for stage in told.boundary]
        for whole, *parts in zip(process.samples_ns["whole"], *stages, strict=True):
            assert sum(parts) == whole
        assert process.wall_ns >= 0.5e9 and process.wall_ns >= sum(process.samples_ns["whole"])
        assert list(process.photo[:5]) == [0, 1, 2, 3, 0] and list(process.start_ns) == sorted(process.start_ns)
        assert process.cpu_ns > 0 and process.peak_rss_bytes and process.load_ns > process.first_inference_ns > 0
    assert told.stats["infer"].n == sum(process.photos for process in told.processes)
    assert told.throughput_measured_ips < 1e9 / told.stats["whole"].mean_ns * 1.01
    assert told.platform.runtime.name == "onnxruntime" and told.device.cores >= 1
    assert set(told.platform.libraries) == {"numpy", "opencv-python-headless", "pillow", "simplejpeg"}
    assert told.energy == () or told.telemetry


def test_a_float_model_agrees_with_itself_and_the_default_is_held_against_its_float_graph(
    layered_bundle: Path, small_photos: Path, tmp_path: Path
) -> None:
    short = ("--seconds", 0.3, "--processes", 1)
    (told,) = measured(tmp_path / "a", layered_bundle, "--photos", small_photos, *short)
    assert told.accuracy is not None and told.accuracy.how == "measured"
    assert all(measure.value == pytest.approx(1) for measure in told.accuracy.measures)
    (told,) = measured(tmp_path / "b", "default", "--count", 12, *short)
    assert told.accuracy is not None and told.accuracy.against == "camtrap-edge-lite0-float fp32"
    kept = next(measure for measure in told.accuracy.measures if measure.name == "boxes kept")
    assert 5 <= kept.n <= 60 and kept.low is not None and kept.high is not None
    assert kept.low <= kept.value <= kept.high and kept.value >= 0.5
    assert told.photos.name == "sample card" and told.accuracy.photos_sha256 == told.photos.sha256


def test_several_photos_at_once_and_as_many_as_possible(
    layered_bundle: Path, small_photos: Path, tmp_path: Path
) -> None:
    short = (layered_bundle, "--photos", small_photos, "--seconds", 1, "--processes", 2)
    (multi,) = measured(tmp_path / "multi", *short, "--scenario", "multi")
    assert set(multi.stats) == {"whole"} and multi.processes[0].photos == 8 * len(multi.processes[0].photo)
    (offline,) = measured(tmp_path / "offline", *short, "--scenario", "offline", "--streams", 2, "--threads", 1)
    assert offline.model.streams == 2 and "infer" in offline.stats
    # Two at once: latencies overlap, so their sum is more than the time that passed.
    process = offline.processes[0]
    assert sum(process.samples_ns["whole"]) > 1.3 * process.wall_ns


def test_a_burst_counts_from_the_start_of_the_process_and_a_card_goes_to_the_journal(tmp_path: Path) -> None:
    short = ("default", "--seconds", 1, "--count", 12)
    (trap,) = measured(tmp_path / "trap", *short, "--scenario", "trap")
    assert "load" in trap.boundary and "journal" in trap.boundary and len(trap.processes) >= 3
    for process in trap.processes:
        assert process.photos == 10 and len(process.photo) == 1
        assert process.load_ns < process.samples_ns["first"][0] < process.samples_ns["whole"][0]
    (card,) = measured(tmp_path / "card", *short, "--scenario", "card", "--processes", 3)
    assert card.processes[0].photos == 12 and "load" not in card.boundary
    assert card.throughput_measured_ips == pytest.approx(
        12 * len(card.processes) / sum(process.wall_ns / 1e9 for process in card.processes)
    )


def test_only_detectors_go_the_whole_way(layered_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", str(layered_bundle), "--scenario", "card"]) == 2
    assert "scenario 'card' is for detectors" in capsys.readouterr().err


def test_every_variant_takes_turns_and_says_that_it_did(small_photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    own = bundles.load(loading.DEFAULT_CLASSIFIER, task="classifier")
    graph = own.path(own.manifest.variants[0])
    described = {name: getattr(own.manifest, name) for name in bundle_writer.Description.__dataclass_fields__}
    two = bundle_writer.write(
        tmp_path / "two",
        bundle_writer.Description(**described),
        [bundle_writer.Graph(graph, name, name, "int8") for name in ("onnxruntime", "openvino")],
        labels=own.folder / own.manifest.labels,
        taxa=own.folder / own.manifest.taxa,
    )
    documents = measured(tmp_path / "r", two.folder, "--photos", small_photos, "--seconds", 1, "--processes", 3)
    assert [document.model.variant for document in documents] == ["onnxruntime", "openvino"]
    assert len({document.run.batch for document in documents}) == 1
    starts = sorted((p.started_ns, number) for number, one in enumerate(documents) for p in one.processes)
    rounds = [{number for _, number in starts[place : place + 2]} for place in (0, 2, 4)]
    assert rounds == [{0, 1}] * 3
    assert all(document.accuracy is None for document in documents)


def test_whoever_interrupts_keeps_what_was_measured(layered_bundle: Path, small_photos: Path, tmp_path: Path) -> None:
    run = started(tmp_path, layered_bundle, "--photos", small_photos, "--seconds", 600, "--processes", 600)
    wait_for_workers(run, 3)  # one at a time: two have ended
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130 and "what was measured is kept" in err, err
    ((_, told),) = reading.read_all([tmp_path])[0]
    assert told.run.interrupted and told.verdict.status != "stable" and len(told.processes) >= 2
    assert "ended early by its user" in told.verdict.reasons and str(tmp_path) in out


def test_whoever_interrupts_at_once_leaves_nothing_behind(
    layered_bundle: Path, small_photos: Path, tmp_path: Path
) -> None:
    run = started(tmp_path, layered_bundle, "--photos", small_photos, "--seconds", 600, "--processes", 1)
    wait_for_workers(run, 1)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    assert run.returncode == 130 and not list(tmp_path.rglob("*.json"))
    assert not workers_of(run.pid)


def test_a_graph_that_does_not_load_is_an_error_and_no_row(
    layered_bundle: Path, small_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = bundles.load(layered_bundle, task="embedder")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(own.path(own.manifest.variants[0]).read_bytes()[:3000])
    described = {name: getattr(own.manifest, name) for name in bundle_writer.Description.__dataclass_fields__}
    graph = bundle_writer.Graph(broken, "fp32", "onnxruntime", "fp32")
    bad = bundle_writer.write(tmp_path / "bad", bundle_writer.Description(**described), [graph])
    good_and_bad = ["run", str(bad.folder), str(layered_bundle), "--photos", str(small_photos)]
    good_and_bad += ["--seconds", "0.5", "--processes", "2", "-o", str(tmp_path / "r")]
    assert cli.main(good_and_bad) == 1
    assert "process 1 of ten-layers" in capsys.readouterr().err
    ((_, told),) = reading.read_all([tmp_path / "r"])[0]
    assert told.model.bundle_id == own.id and len(told.processes) == 2


def test_what_cannot_be_measured_is_said_before_anything_runs(
    layered_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, problem in (
        (["run", str(tmp_path / "nothing")], "no bundle"),
        (["run", str(layered_bundle), "--photos", str(tmp_path / "nothing")], "is no folder"),
        (["run", str(layered_bundle), "--variant", "int4"], "has no variant or engine 'int4'"),
        (["run", str(layered_bundle), "--seconds", "0"], "--seconds 0"),
    ):
        assert cli.main(arguments) in (1, 2)
        assert problem in capsys.readouterr().err


def test_scripts_get_the_files_and_the_figures(
    layered_bundle: Path, small_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", str(layered_bundle), "--photos", str(small_photos), "--seconds", "1", "--processes", "2"]
    assert cli.main([*arguments, "--json", "-o", str(tmp_path)]) == 0
    (told,) = json.loads(capsys.readouterr().out)["documents"]
    document = reading.read(Path(told["file"]))
    assert told["p99_ms"] is None and told["n"] == document.stats["whole"].n
    assert told["p50_ms"] == document.stats["whole"].p50.value_ns / 1e6


def test_the_photos_are_only_read(layered_bundle: Path, small_photos: Path, tmp_path: Path) -> None:
    card = tmp_path / "card"
    shutil.copytree(small_photos, card)
    before = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in card.iterdir()}
    measured(tmp_path / "r", layered_bundle, "--photos", card, "--seconds", 0.2, "--processes", 1)
    assert {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in card.iterdir()} == before
