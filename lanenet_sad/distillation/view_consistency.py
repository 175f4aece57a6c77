"""Augmentation-based self-distillation: a network says the same about two views of one image."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from lanenet_sad.distillation.agreement import existence_kl, lane_agreement, prediction_kl
from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.distillation.settings import check_positive, check_weights
from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.models.interface import LaneNetOutput, LaneTargets, NetworkSpec


@final
class ViewConsistency(DistillationMethod):
    """Self-distillation by data distortion, after Xu and Liu 2019 (doi:10.1609/aaai.v33i01.33015565).

    The network sees each image of a batch a second time: in a mirror, and with other brightness, contrast and noise.
    Both views have labels and train the network from step 0. After the schedule's start, the prediction for the second
    view, turned back and with its lane slots back in place, also learns from the prediction for the first:
    T^2 KL per labelled pixel, counting 1 + lane_emphasis * the teaching view's probability of a lane.

    The teaching view gets no gradient; `symmetric=True` lets either view teach the other, at half the weight each. The
    paper, on classification, makes the views' global features agree as well as their class probabilities. A mirrored
    feature is not the feature of the mirrored road, so only the predictions are compared here.

    A step costs twice the images; halve the batch size for the same memory. Other methods combine with it and see the
    larger batch. Losses: "view", and "view_existence" if it has a weight.

    Args:
        network: lane slots of the student, `network.spec`.
        weight: of the KL over pixels.
        existence_weight: of the same over the lane slots' existence.
        temperature: T.
        lane_emphasis: see above; 0: all pixels alike.
        symmetric: see above.
        flip: the second view is seen in a mirror; slot k is slot L + 1 - k there.
        brightness: largest change, as a share of the standard deviation that images are normalised by.
        contrast: largest relative change around the image's mean.
        noise: largest standard deviation of Gaussian noise, in the same unit as brightness.

    Raises:
        ValueError: a value is out of range, or nothing would make the views differ.
    """

    def __init__(
        self,
        network: NetworkSpec,
        *,
        weight: float = 1.0,
        existence_weight: float = 0.0,
        temperature: float = 1.0,
        lane_emphasis: float = 1.0,
        symmetric: bool = False,
        flip: bool = True,
        brightness: float = 0.4,
        contrast: float = 0.2,
        noise: float = 0.1,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        strengths = {"brightness": brightness, "contrast": contrast, "noise": noise}
        weights = {"weight": weight, "existence_weight": existence_weight, "lane_emphasis": lane_emphasis}
        check_weights(name, weights | strengths)
        check_positive(name, "temperature", temperature)
        if contrast >= 1:
            raise ValueError(f"{name} contrast: expected less than 1, got {contrast}.")
        if not (flip or any(strengths.values())):
            raise ValueError(f"{name}: the two views would be equal; set flip, brightness, contrast or noise.")
        self.num_lanes = network.num_lanes
        self.weight = weight
        self.existence_weight = existence_weight
        self.temperature = temperature
        self.lane_emphasis = lane_emphasis
        self.symmetric = symmetric
        self.flip = flip
        self.brightness = brightness
        self.contrast = contrast
        self.noise = noise
        self.imitation = frozenset({"view", "view_existence"} if existence_weight else {"view"})
        self._num_images = 0  # of the batch that was extended last

    def extend_batch(self, images: Tensor, targets: LaneTargets) -> tuple[Tensor, LaneTargets]:
        """The batch, and the second view of each of its images behind it: (2B, 3, H, W).

        Random numbers come from torch's global generator of the images' device, which training seeds at each step.
        """
        self._num_images = len(images)
        second = self._changed(mirrored(images) if self.flip else images)
        labels = mirrored_targets(targets) if self.flip else targets
        both = LaneTargets(
            torch.cat((targets.lane_mask, labels.lane_mask)), torch.cat((targets.existence, labels.existence))
        )
        return torch.cat((images, second)), both

    def forward(
        self, images: Tensor, output: LaneNetOutput, targets: LaneTargets, *, imitate: bool = True
    ) -> dict[str, Tensor]:
        """The weighted KL over pixels, and over lane slots if it has a weight.

        Raises:
            ValueError: the output is not for a batch of `extend_batch`.
        """
        if not imitate:
            return {}
        first, second, valid = self._views(output, targets)
        ways = [(second, first), (first, second)] if self.symmetric else [(second, first)]
        pixels = [
            prediction_kl(learns, teaches, self.temperature, valid=valid, lane_emphasis=self.lane_emphasis)
            for learns, teaches in ways
        ]
        losses = {"view": self.weight * torch.stack(pixels).mean()}
        if self.existence_weight:
            slots = [existence_kl(learns, teaches, self.temperature) for learns, teaches in ways]
            losses["view_existence"] = self.existence_weight * torch.stack(slots).mean()
        return losses

    def diagnostics(self, images: Tensor, output: LaneNetOutput, targets: LaneTargets) -> dict[str, float]:
        """The share "view_agreement" of pixels with the same class, of those that either view gives to a lane."""
        first, second, valid = self._views(output, targets)
        return {"view_agreement": lane_agreement(first, second, valid)}

    def _views(self, output: LaneNetOutput, targets: LaneTargets) -> tuple[LaneNetOutput, LaneNetOutput, Tensor]:
        """What the network said about the first views, about the second ones, turned back, and the labelled pixels."""
        count = self._num_images
        if not count or len(output.segmentation_logits) < 2 * count:
            raise ValueError(
                f"ViewConsistency: expected the output for a batch that extend_batch has doubled, got one for "
                f"{len(output.segmentation_logits)} images; call extend_batch before the network."
            )
        first, second = (
            LaneNetOutput(output.segmentation_logits[part], output.existence_logits[part], ())
            for part in (slice(count), slice(count, 2 * count))
        )
        return first, mirrored_output(second) if self.flip else second, targets.lane_mask[:count] != IGNORE_INDEX

    def _changed(self, images: Tensor) -> Tensor:
        """Images with other brightness, contrast and noise, each by its own random amount."""
        strengths = torch.rand(3, len(images), 1, 1, 1, device=images.device, dtype=images.dtype)
        brighter = self.brightness * (2 * strengths[0] - 1)
        stretched = self.contrast * (2 * strengths[1] - 1)
        changed = images + stretched * (images - images.mean(dim=(1, 2, 3), keepdim=True)) + brighter
        return changed + self.noise * strengths[2] * torch.randn_like(images) if self.noise else changed


def mirrored(images: Tensor) -> Tensor:
    """Images, masks or maps (..., H, W) as seen in a mirror."""
    return images.flip(-1)


def mirrored_targets(targets: LaneTargets) -> LaneTargets:
    """The labels of mirrored images: what was slot k is slot L + 1 - k; ignored pixels stay so."""
    mask, num_lanes = targets.lane_mask, targets.existence.shape[1]
    is_lane = (mask > 0) & (mask != IGNORE_INDEX)
    return LaneTargets(mirrored(torch.where(is_lane, num_lanes + 1 - mask, mask)), targets.existence.flip(1))


def mirrored_output(output: LaneNetOutput) -> LaneNetOutput:
    """What a network said about mirrored images, as if it had said it of the images; without features.

    Its own inverse.
    """
    logits = output.segmentation_logits
    slots = torch.cat((logits[:, :1], logits[:, 1:].flip(1)), dim=1)
    return LaneNetOutput(mirrored(slots), output.existence_logits.flip(1), ())
