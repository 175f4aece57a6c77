"""The single terms of the lane loss, each unweighted and computed in at least float32."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lanenet_sad.lanes.lane import IGNORE_INDEX


def at_least_float32(tensor: Tensor) -> Tensor:
    """Raises half precision to float32; float32 and float64 stay as they are."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def segmentation_cross_entropy(
    segmentation_logits: Tensor, lane_mask: Tensor, background_weight: float = 0.4
) -> Tensor:
    """Pixel cross-entropy with less weight on the background: sum of w * loss over sum of w, as in the official code.

    Args:
        segmentation_logits: (B, L+1, H, W).
        lane_mask: (B, H, W) int64, 0..L or IGNORE_INDEX.
        background_weight: weight of class 0; lanes have 1.

    Returns:
        Scalar; 0 if every pixel is ignored.
    """
    logits = at_least_float32(segmentation_logits)
    class_weights = torch.ones(logits.shape[1], dtype=logits.dtype, device=logits.device)
    class_weights[0] = background_weight
    total = F.cross_entropy(logits, lane_mask, class_weights, ignore_index=IGNORE_INDEX, reduction="sum")
    num_background = (lane_mask == 0).sum()
    num_lane = (lane_mask != IGNORE_INDEX).sum() - num_background
    weight_sum = num_lane + background_weight * num_background.to(logits.dtype)
    return total / torch.where(weight_sum > 0, weight_sum, 1.0)


def soft_iou_loss(segmentation_probs: Tensor, lane_mask: Tensor, *, present_only: bool = True) -> Tensor:
    """1 - soft intersection over union, per image and lane class.

    The union is sum(p + y - p * y). The paper averages over all lane classes; a class that an image does not hold then
    costs 1 whatever the network does, so the default leaves it out. (The PyTorch port of ENet-SAD scores one class
    only, by an index in place of a slice. The official code has no such term.)

    Args:
        segmentation_probs: (B, L+1, H, W) after softmax.
        lane_mask: (B, H, W) int64, 0..L or IGNORE_INDEX.
        present_only: average over the lane classes present in each image, instead of over all.

    Returns:
        Scalar; 0 if no class is to be averaged.
    """
    probs, labels = _lane_planes(segmentation_probs, lane_mask)  # (B, L, H*W)
    intersection = (probs * labels).sum(dim=2)  # (B, L)
    num_pixels = labels.sum(dim=2)
    union = probs.sum(dim=2) + num_pixels - intersection
    loss = 1 - intersection / torch.where(union > 0, union, 1.0)
    return _mean_over(loss, num_pixels > 0 if present_only else torch.ones_like(loss, dtype=torch.bool))


def soft_dice_loss(segmentation_probs: Tensor, lane_mask: Tensor) -> Tensor:
    """1 - soft Dice over all lane pixels of an image: 2 * sum(p * y) / (sum(p * p) + sum(y * y)), as RESA has it.

    Helps lanes to emerge early in a short training, where cross-entropy alone is content with background. Images
    without a lane are left out: their term is the constant 1.

    Args:
        segmentation_probs: (B, L+1, H, W) after softmax.
        lane_mask: (B, H, W) int64, 0..L or IGNORE_INDEX.

    Returns:
        Scalar; 0 if no image holds a lane.
    """
    probs, labels = (planes.flatten(1) for planes in _lane_planes(segmentation_probs, lane_mask))  # (B, L*H*W)
    overlap = (probs * labels).sum(dim=1)  # (B,)
    sizes = (probs * probs).sum(dim=1) + labels.sum(dim=1) + 2e-3  # RESA adds 1e-3 to each of the two
    return _mean_over(1 - 2 * overlap / sizes, labels.any(dim=1))


def existence_cross_entropy(existence_logits: Tensor, existence: Tensor) -> Tensor:
    """Binary cross-entropy of the lane slots, mean over (B, L)."""
    logits = at_least_float32(existence_logits)
    return F.binary_cross_entropy_with_logits(logits, existence.to(logits.dtype))


def _lane_planes(segmentation_probs: Tensor, lane_mask: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities and one-hot labels of the lane classes, both (B, L, H*W) and 0 at ignored pixels."""
    probs = at_least_float32(segmentation_probs)[:, 1:]
    slots = torch.arange(1, probs.shape[1] + 1, device=lane_mask.device).view(1, -1, 1, 1)
    labels = (lane_mask[:, None] == slots).to(probs.dtype)
    known = (lane_mask != IGNORE_INDEX)[:, None]
    return (probs * known).flatten(2), labels.flatten(2)


def _mean_over(values: Tensor, selected: Tensor) -> Tensor:
    return (values * selected).sum() / selected.sum().clamp(min=1)
