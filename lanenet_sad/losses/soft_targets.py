"""Losses on what another network, or a deeper exit, believes, instead of on labels; in at least float32.

Hinton et al. 2015 (arXiv:1503.02531) soften both distributions by a temperature T and multiply the loss by T^2, so that
its gradient keeps its size. Classes are dimension 1: (B, C) for images, (B, C, H, W) for pixels. The targets are
constants: no gradient reaches the teacher.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from lanenet_sad.losses.functional import at_least_float32

FeatureReduction: TypeAlias = Literal["mean", "batchmean", "masked_sum"]


def soft_target_kl(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 1.0,
    valid: Tensor | None = None,
    pixel_weight: Tensor | None = None,
) -> Tensor:
    """T^2 * KL(teacher || student), averaged over images and pixels; 0 where the two agree.

    Args:
        student_logits: (B, C) or (B, C, H, W).
        teacher_logits: the same shape; detached here.
        temperature: T.
        valid: (B,) or (B, H, W) bool, what takes part; None: all.
        pixel_weight: (B,) or (B, H, W), 0 or more, of each in the average; None: all alike.

    Returns:
        Scalar; 0 if nothing is valid.
    """
    student = F.log_softmax(at_least_float32(student_logits) / temperature, dim=1)
    teacher = F.log_softmax(at_least_float32(teacher_logits.detach()) / temperature, dim=1)
    divergence = F.kl_div(student, teacher, reduction="none", log_target=True).sum(dim=1)
    return temperature**2 * _average(divergence, valid, pixel_weight)


def soft_target_cross_entropy(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 1.0,
    valid: Tensor | None = None,
    pixel_weight: Tensor | None = None,
) -> Tensor:
    """T^2 * cross-entropy against the teacher's distribution: `soft_target_kl` + T^2 * the teacher's entropy.

    Its gradient is that of `soft_target_kl`, but it is not 0 on agreement, so shares of a total loss mislead. Arguments
    as there.
    """
    student = F.log_softmax(at_least_float32(student_logits) / temperature, dim=1)
    teacher = torch.softmax(at_least_float32(teacher_logits.detach()) / temperature, dim=1)
    return temperature**2 * _average(-(teacher * student).sum(dim=1), valid, pixel_weight)


def feature_distance(student: Tensor, teacher: Tensor, reduction: FeatureReduction = "mean") -> Tensor:
    """Squared difference of two features of one shape; no gradient reaches the teacher.

    "mean" is over all elements, "batchmean" a sum divided by the images, as papers write || F_i - F_C ||^2.
    "masked_sum" divides by nothing and leaves out elements where neither is positive, as the third-party code of BYOT
    does; it makes no difference behind a ReLU.

    No method of ours calls it, as exits differ in size: it is the published forms in one place, tested against numbers,
    for a method whose features fit. `BeYourOwnTeacher` compares attention maps instead.
    """
    squared = (at_least_float32(student) - at_least_float32(teacher.detach())).square()
    if reduction == "mean":
        return squared.mean()
    if reduction == "batchmean":
        return squared.sum() / squared.shape[0]
    if reduction == "masked_sum":
        return (squared * ((student > 0) | (teacher > 0))).sum()
    raise ValueError(f"Reduction of a feature distance: expected mean, batchmean or masked_sum, got {reduction!r}.")


def mean_probs(logits: Sequence[Tensor]) -> Tensor:
    """What an ensemble believes: the mean of the members' distributions over dimension 1.

    `models.exits.ExitEnsemble` returns its logarithm, which it computes without leaving log space.
    """
    return torch.stack([torch.softmax(at_least_float32(each), dim=1) for each in logits]).mean(dim=0)


def _average(values: Tensor, valid: Tensor | None, weight: Tensor | None) -> Tensor:
    if weight is None and valid is None:
        return values.mean()
    share = torch.ones_like(values) if weight is None else weight.to(values.dtype)
    if valid is not None:
        share = share * valid
    total = share.sum()
    return (values * share).sum() / torch.where(total > 0, total, 1.0)
