"""Soft targets against the goldens, and by hand."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.losses import segmentation_cross_entropy
from lanenet_sad.losses.soft_targets import (
    feature_distance,
    mean_probs,
    soft_target_cross_entropy,
    soft_target_kl,
)

DTYPES = [(torch.float64, {"rtol": 1e-9, "atol": 1e-12}), (torch.float32, {"rtol": 2e-5, "atol": 1e-6})]
EXITS = (1, 2, 3)


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared / "goldens" / "distillation" / "byot.npz")


def tensors(golden, name, numbers, dtype):
    return [torch.from_numpy(golden[f"{name}{number}"]).to(dtype) for number in numbers]


def check(golden, key, found, tolerance):
    found = torch.stack(list(found)) if not isinstance(found, torch.Tensor) else found
    torch.testing.assert_close(found, torch.from_numpy(np.asarray(golden[key])).to(found.dtype), **tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES, ids=["float64", "float32"])
def test_goldens_of_exits_that_classify_images(golden, dtype, tolerance):
    *students, deepest = tensors(golden, "in_logits", (*EXITS, 4), dtype)
    temperature, labels = float(golden["T"]), torch.from_numpy(golden["in_labels"])
    check(golden, "ce", (F.cross_entropy(logits, labels) for logits in (*students, deepest)), tolerance)
    soft = [soft_target_cross_entropy(student, deepest, temperature) for student in students]
    divergence = [soft_target_kl(student, deepest, temperature) for student in students]
    check(golden, "soft_ce_T2", soft, tolerance)
    check(golden, "kl_T2", divergence, tolerance)
    check(golden, "kl", (value / temperature**2 for value in divergence), tolerance)
    check(golden, "ensemble_mean_prob", mean_probs([*students, deepest]), tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES, ids=["float64", "float32"])
@pytest.mark.parametrize(
    ("reduction", "key"),
    [("masked_sum", "feat_sum_masked"), ("mean", "feat_mse_mean"), ("batchmean", "feat_l2_batchmean")],
)
def test_goldens_of_features(golden, reduction, key, dtype, tolerance):
    *students, deepest = tensors(golden, "in_feat", (*EXITS, 4), dtype)
    check(golden, key, (feature_distance(student, deepest, reduction) for student in students), tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES, ids=["float64", "float32"])
def test_goldens_of_totals(golden, dtype, tolerance):
    """The three forms of the whole loss: the third-party code's, and the paper's with T = 3 and T = 1."""
    *students, deepest = tensors(golden, "in_logits", (*EXITS, 4), dtype)
    *features, target = tensors(golden, "in_feat", (*EXITS, 4), dtype)
    temperature, labels = float(golden["T"]), torch.from_numpy(golden["in_labels"])
    hard = torch.stack([F.cross_entropy(logits, labels) for logits in (*students, deepest)])
    soft = sum(soft_target_cross_entropy(student, deepest, temperature) for student in students)
    softened, plain = (sum(soft_target_kl(each, deepest, t) for each in students) for t in (temperature, 1.0))
    masked, squared = (
        sum(feature_distance(each, target, kind) for each in features) for kind in ("masked_sum", "batchmean")
    )
    port = 0.9 * hard.sum() + 0.1 * soft + 1e-6 * masked
    paper = [0.9 * hard[:3].sum() + hard[3] + 0.1 * kl + 0.03 * squared for kl in (softened, plain)]
    check(golden, "total_port_alpha0.1_beta1e-6", port, tolerance)
    check(golden, "total_paper_alpha0.1_lambda0.03_T2", paper[0], tolerance)
    check(golden, "total_paper_alpha0.1_lambda0.03_T1", paper[1], tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES, ids=["float64", "float32"])
def test_goldens_of_segmentation(golden, dtype, tolerance):
    *students, deepest = tensors(golden, "seg_in_logits", EXITS, dtype)
    labels = torch.from_numpy(golden["seg_in_labels"])
    check(golden, "seg_wce", (segmentation_cross_entropy(each, labels) for each in (*students, deepest)), tolerance)
    valid = labels != IGNORE_INDEX
    for temperature in (1, 3):
        for pixels, mask in (("allpix", None), ("validpix", valid)):
            found = [soft_target_kl(student, deepest, temperature, mask) for student in students]
            check(golden, f"seg_kl_T{temperature}_{pixels}_T2", found, tolerance)


def test_weights_select_pixels_and_scale_does_not_matter():
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    weight = torch.zeros(2, 4, 5)
    weight[0, 1, 2] = 7.0
    expected = soft_target_kl(student[:1, :, 1, 2], teacher[:1, :, 1, 2], 2.0)
    torch.testing.assert_close(soft_target_kl(student, teacher, 2.0, pixel_weight=weight), expected)
    doubled = soft_target_kl(student, teacher, 2.0, torch.ones(2, 4, 5, dtype=torch.bool), torch.full((2, 4, 5), 2.0))
    torch.testing.assert_close(doubled, soft_target_kl(student, teacher, 2.0))


def test_by_hand():
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[math.log(3.0), 0.0]])
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert float(soft_target_kl(student, teacher)) == pytest.approx(expected)
    assert float(soft_target_cross_entropy(student, teacher)) == pytest.approx(math.log(2))


@pytest.mark.parametrize("loss", [soft_target_kl, soft_target_cross_entropy])
def test_gradient_reaches_the_student_alone_and_is_the_same_for_both(loss):
    torch.manual_seed(0)
    student, teacher = (torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    loss(student, teacher, 3.0).backward()
    expected = (torch.softmax(student / 3, 1) - torch.softmax(teacher / 3, 1)).detach() * 3 / 8
    torch.testing.assert_close(student.grad, expected)
    assert teacher.grad is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_finite_at_huge_logits_and_zero_on_agreement(dtype):
    torch.manual_seed(0)
    teacher = (torch.randn(2, 5, 3, 3) * 1e3).to(dtype)
    student = (-teacher).clone().requires_grad_()
    loss = soft_target_kl(student, teacher, 1.0)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert student.grad.isfinite().all()
    assert float(soft_target_kl(teacher, teacher, 3.0)) == 0
    nothing = torch.zeros(2, 3, 3, dtype=torch.bool)
    assert float(soft_target_kl(student.detach(), teacher, valid=nothing)) == 0


def test_an_unknown_reduction_is_named():
    with pytest.raises(ValueError, match="expected mean, batchmean or masked_sum, got 'median'"):
        feature_distance(torch.zeros(1), torch.zeros(1), "median")
