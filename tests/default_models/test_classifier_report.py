"""What is counted as right and wrong of a classifier's answers."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from edge_runtime.bundles import bundle as bundles
from edge_runtime.values import Box, Species
from export_tools.default_models import answers, classifier_report, imagenet_labels, known_crops
from export_tools.default_models.known_crops import KnownCrop

TAXONOMY = imagenet_labels.taxonomy()
BUNDLE = bundles.DEFAULTS / "efficientnet-lite0"


def crop(kind: str, *, side: int = 300, infrared: bool = False) -> KnownCrop:
    species = {**known_crops.BY_SOURCE, **known_crops.BY_FILE, **known_crops.EVALUATION}.get(kind)
    return KnownCrop(
        Path(f"{kind}.jpg"), f"{kind}.jpg:0,0,1,1", kind, kind, Box(0, 0, 1, 1), kind, species, side, infrared
    )


@pytest.mark.parametrize(
    ("kind", "said", "right"),
    [
        ("lion", "lion", True),
        ("lion", "big cat", True),
        ("lion", "carnivore", True),
        ("lion", "tiger", False),
        ("lion", "dog family", False),
        ("fox", "kit fox", True),
        ("fox", "fox", True),
        ("goat", "ibex", False),
        ("goat", "antelope, cattle or sheep family", True),
        ("crow", "jay", False),
        ("crow", "crow family", True),
        ("raccoon", "carnivore", True),
        ("raccoon", "weasel family", False),
        ("burrowing owl", "bird", True),
        ("burrowing owl", "game bird", False),
        ("snake", "lizard or snake", True),
        ("rabbit", "rabbit or hare", True),
    ],
)
def test_a_group_is_right_where_the_animal_belongs_to_it(kind: str, said: str, right: bool) -> None:
    assert answers.is_right(TAXONOMY, crop(kind), said) is right


def test_every_animal_that_the_lists_name_is_in_the_label_table_or_has_a_lineage() -> None:
    for table in (known_crops.BY_SOURCE, known_crops.BY_FILE, known_crops.EVALUATION):
        for kind, species in table.items():
            assert set(species) <= set(TAXONOMY.labels), kind
            assert bool(species) != (kind in known_crops.LACKING), kind


def test_answers_are_counted_by_what_the_table_knows_and_by_rank() -> None:
    crops = [crop(kind) for kind in ("lion", "lion", "fox", "wolf", "goat", "crow", "rabbit", "unheard of")]
    said = ["lion", "big cat", "dog family", "coyote", "ibex", "crow family", "", "lion"]
    given = [Species(name, 0.9) if name else None for name in said]
    best = ["lion", "tiger", "red fox", "coyote", "ibex", "jay", "", "lion"]
    found = answers.judge(TAXONOMY, crops, given, best)
    counts = {
        field.name: (share.count, share.of)
        for field in dataclasses.fields(found)
        if dataclasses.is_dataclass(share := getattr(found, field.name))
    }
    assert (found.crops, found.known) == (7, 5)
    assert counts == {
        "top1": (2, 5),
        "named": (2, 5),
        "right": (1, 2),
        "lacking_named": (1, 2),
        "rolled": (3, 7),
        "rolled_right": (3, 3),
        "answered": (6, 7),
        "answered_right": (4, 6),
    }
    assert {rank: (share.count, share.of) for rank, share in found.by_rank.items()} == {
        "genus": (1, 1),
        "family": (2, 2),
    }
    assert [(wrong.said, wrong.truth) for wrong in answers.wrong(TAXONOMY, crops, given)] == [
        ("coyote", "wolf"),
        ("ibex", "goat"),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation folder with one cat, which its truth calls a cougar, and a photo in which nobody named anything."""
    folder = tmp_path_factory.mktemp("evaluation")
    (folder / "truth").mkdir()
    cat = cv2.cvtColor(np.asarray(data.chelsea()), cv2.COLOR_RGB2BGR)
    rows = []
    for name, species in (("cat.jpg", "cougar"), ("unnamed.jpg", None)):
        cv2.imwrite(str(folder / name), cat)
        row = {"path": name, "species": species, "grey": False, "width": cat.shape[1], "height": cat.shape[0]}
        rows.append({**row, "boxes": [{"class": "animal", "xywh_norm": [0.0, 0.0, 1.0, 1.0]}]})
    (folder / "truth" / "manifest.json").write_text(json.dumps(rows))
    return folder


def test_a_sure_and_wrong_answer_is_listed_with_its_photo(folder: Path) -> None:
    report = classifier_report.report(bundles.load(BUNDLE, task="classifier"), folder)
    (one,) = report.lists
    (wrong,) = one.wrong
    assert (wrong.said, wrong.truth) == ("domestic cat", "cougar") and wrong.crop.startswith("cat.jpg")
    assert (one.found.crops, one.found.top1.count, one.found.named.count, one.found.right.count) == (1, 0, 1, 0)
    text = classifier_report.table(report)
    assert "most probable label right  0 of 1: 0.000" in text
    assert f"{wrong.confidence:.2f} domestic cat, is: cougar  cat.jpg" in text
    assert json.loads(json.dumps(dataclasses.asdict(report)))["lists"][0]["wrong"][0]["truth"] == "cougar"


def test_the_packaged_card_tells_what_the_bundle_does_with_the_real_photos(assets: Path) -> None:
    report = classifier_report.report(bundles.load(BUNDLE, task="classifier"), assets)
    (one,) = report.lists
    assert one.found.crops >= 50
    card = (BUNDLE / "MODEL_CARD.md").read_text(encoding="utf-8")
    told = [int(number) for number in re.findall(r"\| camera-trap photos \| INT8 \| (\d+) of \d+", card)]
    # Another processor rounds differently: a crop or two may fall to the other side.
    assert len(told) == 2
    for number, share in zip(told, (one.found.top1, one.found.rolled), strict=True):
        assert abs(number - share.count) <= 2
