"""Attention maps: where a block of the network is active, made comparable between blocks.

Zagoruyko and Komodakis 2017 (arXiv:1612.03928) define the maps, Hou et al. 2019 (SAD, arXiv:1908.00821) let the blocks
of one network imitate each other's. The order is map -> resize -> normalise -> compare. All of it is computed in at
least float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from lanenet_sad.losses.functional import at_least_float32, segmentation_cross_entropy
from lanenet_sad.models.interface import LaneNetOutput, LaneTargets

ChannelMapping: TypeAlias = Literal["sum", "mean", "max"]
Normalization: TypeAlias = Literal["l2", "softmax", "standardized"]
Reduction: TypeAlias = Literal["sum", "batchmean", "mean"]


def attention_map(feature: Tensor, mapping: ChannelMapping = "sum", power: float = 2) -> Tensor:
    """How active a feature (or a gradient) is at each pixel.

    "sum" is F_sum^p, the sum of |A_c|^p over the channels; "max" is F_max^p, their maximum; "mean" differs from the sum
    by a factor, which matters to a softmax and to no other normalisation. A larger power favours strong activations.

    Args:
        feature: (B, C, H, W).
        mapping: over the channels.
        power: p; the SAD paper takes 2.

    Returns:
        (B, H, W), 0 or more.
    """
    feature = at_least_float32(feature)
    # A square needs no |A|, which autograd would keep beside A.
    strength = feature.square() if power == 2 else feature.abs()
    if power not in (1, 2):
        strength = strength.pow(power)
    if mapping == "sum":
        return strength.sum(dim=1)
    if mapping == "mean":
        return strength.mean(dim=1)
    if mapping == "max":
        return strength.amax(dim=1)
    raise ValueError(f"Attention mapping: expected sum, mean or max, got {mapping!r}.")


def loss_gradients(
    images: Tensor, output: LaneNetOutput, targets: LaneTargets, blocks: Sequence[int], *, trainable: bool
) -> dict[int, Tensor]:
    """D L_seg / d features of some blocks, of which gradient-based maps are made.

    Per image: what a loss that is summed over the images would have, so that they do not depend on the batch size.

    Args:
        images: (B, 3, H, W), what the network was given.
        output: what it returned, with its graph, which is kept.
        targets: the labels.
        blocks: 1-based, 0 for the images.
        trainable: the gradients are differentiable themselves, so that a loss on their maps trains.

    Returns:
        By block, in the shape of its feature.
    """
    # The loss is a mean over the batch; times B, an image's gradient is that of its own loss.
    loss = segmentation_cross_entropy(output.segmentation_logits, targets.lane_mask) * len(images)
    inputs = [output.features[block - 1] if block else images for block in blocks]
    gradients = torch.autograd.grad(loss, inputs, create_graph=trainable, retain_graph=True)
    return {block: at_least_float32(gradient) for block, gradient in zip(blocks, gradients, strict=True)}


def resize_map(maps: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Resizes (B, H, W) maps to `size` = (height, width), bilinearly and without smoothing before it shrinks.

    SAD resizes the deeper, smaller map; the official Torch7 code aligns the corners, the PyTorch port does not.
    """
    if maps.shape[-2:] == torch.Size(size):
        return maps
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=align_corners)[:, 0]


def normalize_map(maps: Tensor, normalization: Normalization = "l2", temperature: float = 1.0) -> Tensor:
    """Makes maps of blocks with different activations comparable; per image, over height and width.

    * "l2": divided by the Euclidean norm. Its loss has a gradient of the size of the task's, and it does not see scale.
    * "softmax": what the SAD paper writes. The raw sums of squares of an untrained ENet differ by thousands, so the
      softmax is 1 at one pixel and 0 elsewhere, and its gradient is exactly 0.
    * "standardized": softmax of (map - mean) / deviation; spread over some hundred pixels, but its gradient is
      tens of times the task's.

    Args:
        maps: (B, H, W), 0 or more.
        normalization: see above.
        temperature: divides what goes into a softmax; without effect on "l2".

    Returns:
        (B, H, W). An all-zero map stays zero under "l2" and becomes uniform under the other two.
    """
    flat = maps.flatten(1)  # (B, H*W)
    if normalization == "softmax":
        return torch.softmax(flat / temperature, dim=1).view_as(maps)
    if normalization not in ("l2", "standardized"):
        raise ValueError(f"Attention normalisation: expected l2, softmax or standardized, got {normalization!r}.")
    # Neither of the two sees the scale, so it is taken out first as a constant: squares of activations in the thousands
    # would overflow, and those of a gradient would vanish, in float32.
    peak = flat.detach().amax(dim=1, keepdim=True)
    flat = flat / torch.where(peak > 0, peak, 1.0)
    if normalization == "l2":
        norm: Tensor = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
        norm = norm.clamp(min=1)  # the peak is 1, so this only spares all-zero maps a division by 0
        return (flat / norm).view_as(maps)
    centred = flat - flat.mean(dim=1, keepdim=True)
    deviation = (centred.square().mean(dim=1, keepdim=True) + 1e-12).sqrt()
    return torch.softmax(centred / deviation / temperature, dim=1).view_as(maps)


def map_distance(student: Tensor, target: Tensor, reduction: Reduction = "batchmean") -> Tensor:
    """Squared difference of two (B, H, W) maps.

    "batchmean", the default, sums over the pixels and averages over the images, as the author of the official code
    advises; "mean" also divides by the number of pixels, which makes the port's term nearly inert; "sum" divides by
    nothing.
    """
    squared = (student - target).square()
    if reduction == "sum":
        return squared.sum()
    if reduction == "batchmean":
        return squared.sum() / squared.shape[0]
    if reduction == "mean":
        return squared.mean()
    raise ValueError(f"Reduction of a map distance: expected sum, batchmean or mean, got {reduction!r}.")


def effective_support(maps: Tensor) -> Tensor:
    """Over how many pixels each map is spread: exp of the entropy of the map divided by its sum.

    1 for a map with a single non-zero pixel, H*W for a uniform one; 0 for an all-zero map. A SAD whose maps have a
    support of one pixel is dead.

    Args:
        maps: (B, H, W), 0 or more, normalised or not.

    Returns:
        (B,).
    """
    flat = maps.flatten(1)
    total = flat.sum(dim=1, keepdim=True)
    share = flat / torch.where(total > 0, total, 1.0)
    entropy = -torch.xlogy(share, share).sum(dim=1)
    return torch.where(total[:, 0] > 0, entropy.exp(), 0.0)
