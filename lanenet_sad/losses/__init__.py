"""What a lane network is trained to make small."""

from lanenet_sad.losses.functional import (
    at_least_float32,
    existence_cross_entropy,
    segmentation_cross_entropy,
    soft_dice_loss,
    soft_iou_loss,
)
from lanenet_sad.losses.lane_loss import LaneLoss
from lanenet_sad.losses.soft_targets import (
    feature_distance,
    mean_probs,
    soft_target_cross_entropy,
    soft_target_kl,
)

__all__ = [
    "LaneLoss",
    "at_least_float32",
    "existence_cross_entropy",
    "feature_distance",
    "mean_probs",
    "segmentation_cross_entropy",
    "soft_dice_loss",
    "soft_iou_loss",
    "soft_target_cross_entropy",
    "soft_target_kl",
]
