"""The task loss of a lane network."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from lanenet_sad.losses.functional import (
    at_least_float32,
    existence_cross_entropy,
    segmentation_cross_entropy,
    soft_dice_loss,
    soft_iou_loss,
)
from lanenet_sad.models.interface import LaneNetOutput, LaneTargets


@final
class LaneLoss(nn.Module):
    """L = L_seg + alpha L_IoU + beta L_exist, the ENet-SAD loss without its distillation term, and Dice if asked for.

    The paper has alpha = beta = 0.1. The official code has no IoU term (here `iou_weight=0`); its author saw only a
    marginal gain from it.

    Args:
        background_weight: of class 0 in the segmentation cross-entropy.
        iou_weight: alpha, over the lane classes present in each image.
        existence_weight: beta.
        dice_weight: of the soft Dice term; not in the paper.
    """

    def __init__(
        self,
        *,
        background_weight: float = 0.4,
        iou_weight: float = 0.1,
        existence_weight: float = 0.1,
        dice_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.background_weight = background_weight
        self.iou_weight = iou_weight
        self.existence_weight = existence_weight
        self.dice_weight = dice_weight
        for name, weight in vars(self).items():
            if name.endswith("_weight") and weight < 0:
                raise ValueError(f"LaneLoss {name}: expected 0 or more, got {weight}.")

    def forward(self, output: LaneNetOutput, targets: LaneTargets) -> dict[str, Tensor]:
        """Named scalars, already weighted: "segmentation", "iou", "existence", "dice".

        A term of weight 0 is neither computed nor named. All are finite, also for a batch without any lane and for one
        where every pixel is ignored.
        """
        logits, mask = at_least_float32(output.segmentation_logits), targets.lane_mask
        losses = {"segmentation": segmentation_cross_entropy(logits, mask, self.background_weight)}
        if self.iou_weight or self.dice_weight:
            probs = logits.softmax(dim=1)
            if self.iou_weight:
                losses["iou"] = self.iou_weight * soft_iou_loss(probs, mask)
            if self.dice_weight:
                losses["dice"] = self.dice_weight * soft_dice_loss(probs, mask)
        if self.existence_weight:
            existence = existence_cross_entropy(output.existence_logits, targets.existence)
            losses["existence"] = self.existence_weight * existence
        return losses
