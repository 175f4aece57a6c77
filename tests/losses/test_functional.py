"""The terms of the lane loss against independent numbers and naive loops."""

import math

import numpy as np
import pytest
import torch

from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.losses import existence_cross_entropy, segmentation_cross_entropy, soft_dice_loss, soft_iou_loss

TOLERANCES = [
    pytest.param(torch.float64, {"rtol": 1e-9, "atol": 1e-12}, id="float64"),
    pytest.param(torch.float32, {"rtol": 2e-5, "atol": 1e-6}, id="float32"),
]


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared / "goldens" / "distillation" / "seg_losses.npz")


def inputs(golden, dtype):
    logits = torch.from_numpy(golden["in_logits"]).to(dtype)
    return logits, logits.softmax(dim=1), torch.from_numpy(golden["in_labels"])


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
@pytest.mark.parametrize(("background_weight", "key"), [(0.4, "ce_w04_weightedmean"), (1.0, "ce_unweighted")])
def test_cross_entropy_golden(golden, dtype, tolerance, background_weight, key):
    logits, _, mask = inputs(golden, dtype)
    np.testing.assert_allclose(segmentation_cross_entropy(logits, mask, background_weight), golden[key], **tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
@pytest.mark.parametrize(
    ("present_only", "key"), [(True, "iou_loss_fg_present_only"), (False, "iou_loss_fg_mean_per_sample")]
)
def test_soft_iou_golden(golden, dtype, tolerance, present_only, key):
    _, probs, mask = inputs(golden, dtype)
    np.testing.assert_allclose(soft_iou_loss(probs, mask, present_only=present_only), golden[key], **tolerance)


@pytest.mark.parametrize("present_only", [True, False])
def test_soft_iou_is_not_the_ports_single_class(golden, present_only):
    _, probs, mask = inputs(golden, torch.float64)
    faulty = float(golden["iou_loss_port_bug_single_class_index1"])
    assert abs(float(soft_iou_loss(probs, mask, present_only=present_only)) - faulty) > 1e-3


@pytest.mark.parametrize("slot", [1, 2, 3, 4])
def test_soft_iou_scores_every_lane_class(slot):
    mask = torch.zeros(1, 4, 6, dtype=torch.int64)
    mask[0, :, :2] = slot
    logits = torch.zeros(1, 5, 4, 6, requires_grad=True)
    soft_iou_loss(logits.softmax(dim=1), mask).backward()
    assert bool((logits.grad[0, slot, :, :2] < 0).all())  # more of this class here makes the loss smaller


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_dice_golden(golden, dtype, tolerance):
    _, probs, mask = inputs(golden, dtype)
    np.testing.assert_allclose(soft_dice_loss(probs, mask), golden["dice_resa"], **tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_existence_golden(golden, dtype, tolerance):
    logits = torch.from_numpy(golden["in_exist_logits"]).to(dtype)
    existence = torch.from_numpy(golden["in_exist"]).float()
    np.testing.assert_allclose(existence_cross_entropy(logits, existence), golden["exist_bce_mean"], **tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_the_papers_total_without_distillation(golden, dtype, tolerance):
    logits, probs, mask = inputs(golden, dtype)
    existence_logits = torch.from_numpy(golden["in_exist_logits"]).to(dtype)
    total = (
        segmentation_cross_entropy(logits, mask)
        + 0.1 * soft_iou_loss(probs, mask, present_only=False)
        + 0.1 * existence_cross_entropy(existence_logits, torch.from_numpy(golden["in_exist"]))
    )
    np.testing.assert_allclose(total, golden["paper_total_no_distill"], **tolerance)


def naive_cross_entropy(logits, mask, background_weight):
    total = weights = 0.0
    for image, row, column in np.ndindex(*mask.shape):
        label = mask[image, row, column]
        if label == IGNORE_INDEX:
            continue
        scores = logits[image, :, row, column]
        weight = background_weight if label == 0 else 1.0
        total += weight * (math.log(sum(math.exp(score) for score in scores)) - scores[label])
        weights += weight
    return total / weights


def naive_iou(probs, mask):
    losses = []
    for image in range(len(mask)):
        for slot in range(1, probs.shape[1]):
            overlap = union = 0.0
            for row, column in np.ndindex(*mask.shape[1:]):
                if mask[image, row, column] == IGNORE_INDEX:
                    continue
                p, y = probs[image, slot, row, column], float(mask[image, row, column] == slot)
                overlap += p * y
                union += p + y - p * y
            if (mask[image] == slot).any():
                losses.append(1 - overlap / union)
    return sum(losses) / len(losses)


def small_case():
    logits = np.random.default_rng(1).normal(size=(2, 3, 2, 2))
    mask = np.array([[[0, 1], [IGNORE_INDEX, 2]], [[0, 0], [1, IGNORE_INDEX]]])
    return logits, mask


def test_cross_entropy_equals_a_naive_loop_and_ignores():
    logits, mask = small_case()
    ours = segmentation_cross_entropy(torch.from_numpy(logits), torch.from_numpy(mask), 0.4)
    np.testing.assert_allclose(ours, naive_cross_entropy(logits, mask, 0.4), rtol=1e-12)


def test_soft_iou_equals_a_naive_loop_and_ignores():
    logits, mask = small_case()
    probs = torch.from_numpy(logits).softmax(dim=1)
    np.testing.assert_allclose(soft_iou_loss(probs, torch.from_numpy(mask)), naive_iou(probs.numpy(), mask), rtol=1e-12)


def test_dice_leaves_images_without_lanes_out():
    logits, mask = small_case()
    probs, labels = torch.from_numpy(logits).softmax(dim=1), torch.from_numpy(mask)
    emptied = labels.clone()
    emptied[1] = 0
    torch.testing.assert_close(soft_dice_loss(probs, emptied), soft_dice_loss(probs[:1], labels[:1]))


@pytest.mark.parametrize("term", [soft_iou_loss, soft_dice_loss])
def test_overlap_losses_vanish_on_agreement_and_are_one_on_disagreement(term):
    mask = torch.zeros(1, 8, 8, dtype=torch.int64)
    mask[:, :, 3:5] = 1
    right = torch.nn.functional.one_hot(mask, 2).permute(0, 3, 1, 2).double()
    assert float(term(right, mask)) == pytest.approx(0, abs=1e-4)
    assert float(term(right.flip(1), mask)) == pytest.approx(1, abs=1e-4)
