import pytest
import torch
from factories import make_output, make_spec, make_targets

from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.losses import (
    LaneLoss,
    existence_cross_entropy,
    segmentation_cross_entropy,
    soft_dice_loss,
    soft_iou_loss,
)
from lanenet_sad.models import LaneNetOutput, LaneTargets


def total(losses: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(losses.values())).sum()


def test_losses_are_named_and_already_weighted():
    output, targets = make_output(make_spec()), make_targets()
    losses = LaneLoss(background_weight=0.2, iou_weight=0.3, existence_weight=0.5, dice_weight=0.7)(output, targets)
    probs = output.segmentation_logits.softmax(dim=1)
    expected = {
        "segmentation": segmentation_cross_entropy(output.segmentation_logits, targets.lane_mask, 0.2),
        "iou": 0.3 * soft_iou_loss(probs, targets.lane_mask),
        "existence": 0.5 * existence_cross_entropy(output.existence_logits, targets.existence),
        "dice": 0.7 * soft_dice_loss(probs, targets.lane_mask),
    }
    assert set(losses) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)


def test_default_terms_are_the_papers():
    assert set(LaneLoss()(make_output(make_spec()), make_targets())) == {"segmentation", "iou", "existence"}


def test_terms_of_weight_zero_are_not_computed():
    broken = make_output(make_spec())._replace(existence_logits=torch.full((2, 4), torch.nan))
    losses = LaneLoss(iou_weight=0, existence_weight=0)(broken, make_targets())
    assert set(losses) == {"segmentation"}
    assert losses["segmentation"].isfinite()


@pytest.mark.parametrize("label", [0, IGNORE_INDEX], ids=["no lane", "all ignored"])
def test_finite_without_any_lane(label):
    output = make_output(make_spec())
    targets = LaneTargets(torch.full((2, 16, 32), label), torch.zeros(2, 4))
    losses = LaneLoss(dice_weight=0.3)(output, targets)
    total(losses).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert output.segmentation_logits.grad.isfinite().all()
    if label == IGNORE_INDEX:
        assert not output.segmentation_logits.grad.any()


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_finite_at_huge_logits(scale):
    leaf = (make_output(make_spec()).segmentation_logits.detach() * scale).requires_grad_()
    output = LaneNetOutput(leaf, torch.full((2, 4), scale), ())
    loss = total(LaneLoss(dice_weight=0.3)(output, make_targets()))
    loss.backward()
    assert loss.isfinite()
    assert leaf.grad.isfinite().all()


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(torch.bfloat16, torch.float32), (torch.float16, torch.float32), (torch.float64, torch.float64)],
    ids=str,
)
def test_half_is_raised_and_double_stays(dtype, expected):
    losses = LaneLoss(dice_weight=0.3)(make_output(make_spec(), dtype=dtype), make_targets())
    assert {loss.dtype for loss in losses.values()} == {expected}


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match=r"LaneLoss iou_weight: expected 0 or more, got -1"):
        LaneLoss(iou_weight=-1)
