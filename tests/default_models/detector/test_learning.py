"""What the network is told about its answers, in cases that can be worked out by hand."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from export_tools.default_models.detector import learning, network  # noqa: E402
from export_tools.default_models.detector.learning import Assignment, Labels  # noqa: E402

WIDTH, HEIGHT = 96, 64
POINTS, STRIDES = network.cells(WIDTH, HEIGHT)
CELLS = len(POINTS)
Box = tuple[float, float, float, float]


def labels(*objects: tuple[int, Box], ignored: tuple[Box, ...] = (), spare: int = 0) -> Labels:
    """Labels of one picture: (class, box), with `spare` empty rows behind them."""
    count = max(1, len(objects) + spare)
    boxes, classes = torch.zeros(1, count, 4), torch.full((1, count), -1)
    for place, (kind, box) in enumerate(objects):
        boxes[0, place], classes[0, place] = torch.tensor(box), kind
    unknown = torch.zeros(1, max(1, len(ignored) + spare), 4)
    for place, box in enumerate(ignored):
        unknown[0, place] = torch.tensor(box)
    return Labels(boxes, classes, unknown)


def cell(x: float, y: float, stride: int = 8) -> int:
    """The place of the cell with this centre."""
    (found,) = torch.nonzero(POINTS.eq(torch.tensor([x, y])).all(dim=1) & STRIDES.eq(stride)).flatten().tolist()
    return int(found)


def answers(boxes: dict[int, Box]) -> torch.Tensor:
    """Predicted boxes [1, cells, 4]: those given, and far from everything elsewhere."""
    predicted = torch.tensor([-90.0, -90.0, -80.0, -80.0]).repeat(1, CELLS, 1)
    for place, box in boxes.items():
        predicted[0, place] = torch.tensor(box)
    return predicted


def assigned(boxes: torch.Tensor, truth: Labels, scores: torch.Tensor | None = None) -> Assignment:
    even = torch.full((1, CELLS, 3), 0.5)
    return learning.assign(even if scores is None else scores, boxes, truth, POINTS, STRIDES)


BOX: Box = (16, 16, 48, 48)


def test_the_best_cell_is_to_score_its_overlap_and_the_others_less_by_its_fourth_power() -> None:
    best, second = cell(28, 28), cell(36, 36)
    half: Box = (16, 16, 48, 32)  # half of the box: IoU 0.5
    given = assigned(answers({best: BOX, second: half}), labels((1, BOX)))
    assert given.target[0, best].tolist() == pytest.approx([0, 1, 0])
    assert given.target[0, second].tolist() == pytest.approx([0, 0.5**4, 0])
    assert given.box[0, best].tolist() == list(BOX)


def test_no_cell_is_to_score_more_than_the_best_overlap() -> None:
    here = cell(28, 28)
    given = assigned(answers({here: (16, 16, 48, 40)}), labels((2, BOX)))
    assert given.target[0, here].tolist() == pytest.approx([0, 0, 0.75])
    assert given.target.max() == pytest.approx(0.75)


def test_among_equal_boxes_the_cell_that_scores_higher_is_preferred() -> None:
    one, other = cell(28, 28), cell(36, 36)
    scores = torch.full((1, CELLS, 3), 0.04)
    scores[0, other, 0] = 0.64
    given = assigned(answers({one: BOX, other: BOX}), labels((0, BOX)), scores)
    assert given.target[0, other, 0] == pytest.approx(1)
    assert given.target[0, one, 0] == pytest.approx((0.04 / 0.64) ** 0.5)


def test_a_box_is_found_by_a_few_cells_only_and_only_near_it() -> None:
    given = assigned(torch.tensor(BOX).repeat(1, CELLS, 1), labels((0, BOX)))
    finds = given.target[0].sum(dim=1) > 0
    assert int(finds.sum()) == learning.CELLS_PER_BOX
    far = (POINTS - torch.tensor([32.0, 32.0])).abs().amax(dim=1) >= torch.maximum(
        learning.REACH * STRIDES, torch.tensor(16.0)
    )
    assert not finds[far].any()


def test_a_box_smaller_than_a_cell_still_gets_a_cell() -> None:
    small: Box = (41, 41, 43, 43)
    assert not ((POINTS > 41) & (POINTS < 43)).all(dim=1).any()  # of any level
    given = assigned(torch.tensor(small).repeat(1, CELLS, 1), labels((1, small)))
    finds = given.target[0, :, 1] > 0
    assert int(finds.sum()) == learning.CELLS_PER_BOX
    assert ((POINTS - 42).abs().amax(dim=1)[finds] < learning.REACH * STRIDES[finds]).all()
    alone = assigned(answers({cell(44, 36): small}), labels((1, small)))
    assert alone.target[0, cell(44, 36)].tolist() == pytest.approx([0, 1, 0])


def test_a_cell_that_two_boxes_want_gets_the_one_that_it_overlaps_more() -> None:
    left, right = (16, 16, 48, 48), (24, 16, 56, 48)
    between = cell(36, 28)
    nearer: Box = (22, 16, 54, 48)
    given = assigned(answers({between: nearer}), labels((0, left), (2, right)))
    assert given.box[0, between].tolist() == list(right)
    assert given.target[0, between].tolist() == pytest.approx([0, 0, 30 / 34])
    other = assigned(answers({between: (18, 16, 50, 48)}), labels((0, left), (2, right)))
    assert other.box[0, between].tolist() == list(left)
    assert other.target[0, between].tolist() == pytest.approx([30 / 34, 0, 0])


def test_without_any_truth_the_loss_is_that_of_false_scores_alone() -> None:
    logits = torch.zeros(1, CELLS, 3, requires_grad=True)
    of_class, of_box = learning.loss(logits, answers({}), labels(), width=WIDTH, height=HEIGHT)
    weight = learning.NEGATIVE_WEIGHT * 0.5**learning.NEGATIVE_POWER
    assert of_class.item() == pytest.approx(CELLS * 3 * weight * math.log(2), rel=1e-5)
    assert of_box.item() == 0
    (of_class + of_box).backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all() and (logits.grad > 0).all()


def test_inside_an_unknown_area_no_score_is_wrong() -> None:
    unknown: Box = (40, 0, 96, 64)
    logits = torch.zeros(1, CELLS, 3, requires_grad=True)
    of_class, _ = learning.loss(logits, answers({}), labels(ignored=(unknown,)), width=WIDTH, height=HEIGHT)
    of_class.backward()
    assert logits.grad is not None
    inside = POINTS[:, 0] > 40
    assert (logits.grad[0, inside] == 0).all()
    assert (logits.grad[0, ~inside] > 0).all()


def test_an_object_inside_an_unknown_area_is_still_learnt() -> None:
    here = cell(28, 28)
    logits = torch.zeros(1, CELLS, 3, requires_grad=True)
    truth = labels((1, BOX), ignored=((0, 0, 96, 64),))
    of_class, _ = learning.loss(logits, answers({here: BOX}), truth, width=WIDTH, height=HEIGHT)
    of_class.backward()
    assert logits.grad is not None
    assert logits.grad[0, here, 1] < 0 < logits.grad[0, here, 0]
    assert int((logits.grad[0].abs().sum(dim=1) > 0).sum()) <= learning.CELLS_PER_BOX


def test_padding_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(1, CELLS, 3, generator=generator)
    boxes = torch.cat([POINTS - 12, POINTS + 12], dim=1)[None]
    objects, unknown = ((0, BOX), (2, (60.0, 10.0, 80.0, 30.0))), ((0.0, 0.0, 10.0, 10.0),)
    tight = learning.loss(logits, boxes, labels(*objects, ignored=unknown), width=WIDTH, height=HEIGHT)
    padded = learning.loss(logits, boxes, labels(*objects, ignored=unknown, spare=5), width=WIDTH, height=HEIGHT)
    assert [float(part) for part in tight] == [float(part) for part in padded]


def test_the_box_loss_falls_to_nothing_as_the_prediction_reaches_the_truth() -> None:
    here, logits = cell(28, 28), torch.zeros(1, CELLS, 3)
    losses = []
    for off in (12.0, 8.0, 4.0, 1.0, 0.0):
        predicted = answers({here: (BOX[0] + off, BOX[1], BOX[2] + off, BOX[3])})
        losses.append(float(learning.loss(logits, predicted, labels((1, BOX)), width=WIDTH, height=HEIGHT)[1]))
    assert losses == sorted(losses, reverse=True) and len(set(losses)) == 5
    assert losses[-1] == pytest.approx(0, abs=1e-6)
    # One cell whose share is its overlap, 20 / 44; the hull of both boxes is their union, so that GIoU is IoU.
    assert losses[0] == pytest.approx(learning.BOX_WEIGHT * (1 - 20 / 44) * (20 / 44), rel=1e-4)


def test_the_class_loss_falls_as_the_right_score_rises_and_the_wrong_ones_fall() -> None:
    here, losses = cell(28, 28), []
    for rise in (0.0, 2.0, 4.0, 8.0):
        logits = torch.full((1, CELLS, 3), -rise)
        logits[0, here, 1] = rise
        of_class = learning.loss(logits, answers({here: BOX}), labels((1, BOX)), width=WIDTH, height=HEIGHT)[0]
        losses.append(float(of_class))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-3 * losses[0]


def test_following_the_gradient_leads_to_the_truth() -> None:
    truth = labels((0, BOX), (2, (58.0, 20.0, 90.0, 44.0)))
    logits = torch.full((1, CELLS, 3), -2.0, requires_grad=True)
    reach = torch.full((1, CELLS, 4), math.log(14.0), requires_grad=True)
    optimizer = torch.optim.Adam([logits, reach], lr=0.1)
    losses, boxes = [], torch.zeros(0)
    for _ in range(200):
        boxes = torch.cat([POINTS - reach[..., :2].exp(), POINTS + reach[..., 2:].exp()], dim=2)
        both = sum(learning.loss(logits, boxes, truth, width=WIDTH, height=HEIGHT))
        optimizer.zero_grad()
        both.backward()
        optimizer.step()
        losses.append(both.item())
    assert losses[-1] < 0.1 * losses[0]
    scores = logits.sigmoid()[0]
    for kind, box in ((0, BOX), (2, (58.0, 20.0, 90.0, 44.0))):
        best = int(scores[:, kind].argmax())
        assert scores[best, kind] > 0.8
        assert (boxes[0, best] - torch.tensor(box)).abs().max() < 2
