"""How far apart two predictions for the same images are."""

from __future__ import annotations

import torch
from torch import Tensor

from lanenet_sad.losses.functional import at_least_float32
from lanenet_sad.losses.soft_targets import soft_target_kl
from lanenet_sad.models.interface import LaneNetOutput


def prediction_kl(
    student: LaneNetOutput, teacher: LaneNetOutput, temperature: float, *, valid: Tensor, lane_emphasis: float
) -> Tensor:
    """T^2 KL of the teacher's softened class probabilities from the student's; no gradient into the teacher.

    Args:
        student: learns.
        teacher: is learnt from.
        temperature: T.
        valid: (B, H, W) bool, the pixels that count.
        lane_emphasis: a pixel counts 1 + this times the teacher's probability of a lane.
    """
    taught = at_least_float32(teacher.segmentation_logits.detach())
    pixel_weight = 1 + lane_emphasis * (1 - taught.softmax(dim=1)[:, 0]) if lane_emphasis else None
    return soft_target_kl(student.segmentation_logits, taught, temperature, valid=valid, pixel_weight=pixel_weight)


def existence_kl(student: LaneNetOutput, teacher: LaneNetOutput, temperature: float) -> Tensor:
    """The same for the existence of each lane slot, mean over (B, L); a slot is there or not, two classes."""
    logits = (student.existence_logits, teacher.existence_logits.detach())
    two_classes = [torch.stack((torch.zeros_like(there), there), dim=1) for there in logits]  # (B, 2, L)
    return soft_target_kl(two_classes[0], two_classes[1], temperature)


def lane_agreement(one: LaneNetOutput, other: LaneNetOutput, valid: Tensor) -> float:
    """Share of pixels of the same class among the valid ones that either output gives to a lane; 1 if there are none.

    `valid` is (B, H, W) bool.
    """
    first, second = (output.segmentation_logits.argmax(dim=1) for output in (one, other))
    lanes = valid & ((first > 0) | (second > 0))
    count = int(lanes.sum())
    return float((lanes & (first == second)).sum()) / count if count else 1.0
