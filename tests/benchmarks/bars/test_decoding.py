from __future__ import annotations

from pathlib import Path

from benchmarks.bars import decoding
from edge_runtime.models.loading import load_classifier, load_detector
from export_tools.accuracy import photos


def test_with_photos_too_small_to_be_reduced_both_ways_are_one(assets: Path) -> None:
    labelled = [one for one in photos.evaluation(assets).labelled if one.folder == "squirrels_seq"][:4]
    classifier = load_classifier("default", threads=1)
    assert classifier is not None and len(labelled) == 4
    judged = decoding.judge(load_detector("default", threads=1).bundle, classifier, labelled)
    assert judged.reduced_photos == 0 and judged.truths > 0 and judged.boxes > 0
    assert judged.full == judged.reduced
    assert (judged.missed, judged.extra, judged.confidence_change_mean) == (0, 0, 0)
    assert judged.iou_least > 0.999 and judged.named_alike == judged.animals


def test_large_photos_are_reduced_and_mostly_decided_alike(assets: Path) -> None:
    labelled = [one for one in photos.evaluation(assets).labelled if one.folder == "animl_southwest"][:6]
    classifier = load_classifier("default", threads=1)
    assert classifier is not None
    judged = decoding.judge(load_detector("default", threads=1).bundle, classifier, labelled)
    assert judged.reduced_photos >= 4
    assert judged.boxes - judged.missed >= 0.7 * judged.boxes > 0
    assert f"{judged.reduced_photos} photos decoded smaller" in decoding.table(judged)
