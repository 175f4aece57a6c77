"""Relation-based distillation: how lanes and background relate inside a network, as they do inside a trained one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.distillation.settings import check_pairs, check_weights
from lanenet_sad.distillation.teacher import FrozenTeacher, frozen_teacher
from lanenet_sad.losses.functional import at_least_float32
from lanenet_sad.losses.relations import (
    angle_relation_loss,
    distance_relation_loss,
    flow_matrix,
    flow_relation_loss,
    similarity_relation_loss,
)
from lanenet_sad.models.interface import LaneNetOutput, LaneTargets, NetworkSpec

_LOSSES = {
    "distance": distance_relation_loss,
    "angle": angle_relation_loss,
    "similarity": similarity_relation_loss,
}


@final
class RelationDistillation(DistillationMethod):
    """Relation-based distillation from a frozen teacher, over lane regions. Names: "relation_distance_3_3" and so on.

    The papers relate the images of a batch; 4 to 12 road scenes are too few and too alike for that. Here the feature of
    a block is averaged over each lane slot of each image that shows it, and over its background, and these regions of
    the whole batch are what is related, as `losses.relations` says:

    * distance and angle: RKD (Park et al. 2019), with the paper's factors 1 and 2.
    * similarity: SP (Tung and Mori 2019).
    * flow: FSP (Yim et al. 2017), which relates two layers' channels, not regions; student and teacher must have the
      same widths there.

    Widths may differ otherwise, and so may resolutions, as each network is averaged at its own.

    Args:
        network: channels, strides and lane slots of the student, `network.spec`.
        teacher_weights: file of a trained network with as many lane slots; its blocks may differ.
        pairs: (student block, teacher block), 1-based, whose regions are related.
        weight: of all; the four below are factors on it.
        distance_weight: of RKD-D.
        angle_weight: of RKD-A.
        similarity_weight: of SP.
        flow_weight: of FSP. It is not normalised and grows with the fourth power of the activations: for ENet start
            with 1e-5.
        flow_blocks: (shallow, deep), the same blocks in student and teacher; the shallow one is averaged down to the
            deep one's size.
        margin: by how many pixels of the block a lane's region is widened on each side.
        wait_for_schedule: act only after the schedule's start; the papers act from step 0.

    Raises:
        FileNotFoundError: there is no such teacher.
        ValueError: the teacher has another lane count, a block is not there or, for flow, of another width, or a value
            is out of range.
    """

    def __init__(
        self,
        network: NetworkSpec,
        *,
        teacher_weights: Path,
        pairs: Sequence[tuple[int, int]] = ((4, 4),),
        weight: float = 0.1,
        distance_weight: float = 1.0,
        angle_weight: float = 2.0,
        similarity_weight: float = 0.0,
        flow_weight: float = 0.0,
        flow_blocks: tuple[int, int] = (2, 3),
        margin: int = 1,
        wait_for_schedule: bool = False,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        factors = {"distance": distance_weight, "angle": angle_weight, "similarity": similarity_weight}
        check_weights(name, {f"{kind}_weight": factor for kind, factor in {**factors, "flow": flow_weight}.items()})
        check_weights(name, {"weight": weight, "margin": margin})
        if not any((*factors.values(), flow_weight)):
            raise ValueError(f"{name}: expected a relation with a weight above 0, got none.")
        self.weight = weight
        self.factors = {kind: factor for kind, factor in factors.items() if factor}
        self.flow_weight = flow_weight
        self.flow_blocks = (int(flow_blocks[0]), int(flow_blocks[1]))
        self.margin = margin
        self.teacher = frozen_teacher(teacher_weights, network, holder=self)
        self.pairs = check_pairs(name, pairs, network.num_blocks, self.teacher.spec.num_blocks)
        if flow_weight:
            _check_flow(self.flow_blocks, network, self.teacher)
        names = {f"relation_{kind}_{s}_{t}" for kind in self.factors for s, t in self.pairs}
        names |= {self._flow_name()} if flow_weight else set()
        self.imitation = frozenset(names) if wait_for_schedule else frozenset()
        self.has_label_losses = not wait_for_schedule

    def forward(
        self, images: Tensor, output: LaneNetOutput, targets: LaneTargets, *, imitate: bool = True
    ) -> dict[str, Tensor]:
        """One weighted scalar for each relation and pair; 0 where the batch has too few regions.

        Raises:
            ValueError: the teacher does not take images of this size.
        """
        if self.imitation and not imitate:
            return {}
        taught = self.teacher(images)
        num_lanes = output.existence_logits.shape[1]
        losses = {}
        for student_block, teacher_block in self.pairs if self.factors else ():
            features = (output.features[student_block - 1], taught.features[teacher_block - 1])
            student, teacher = region_means(features, targets.lane_mask, num_lanes, self.margin)
            for kind, factor in self.factors.items():
                loss = self.weight * factor * _LOSSES[kind](student, teacher)
                losses[f"relation_{kind}_{student_block}_{teacher_block}"] = loss
        if self.flow_weight:
            student, teacher = (self._flow(one.features) for one in (output, taught))
            losses[self._flow_name()] = self.weight * self.flow_weight * flow_relation_loss(student, teacher)
        return losses

    def _flow(self, features: Sequence[Tensor]) -> Tensor:
        shallow, deep = (features[block - 1] for block in self.flow_blocks)
        ratio = shallow.shape[-1] // deep.shape[-1]
        return flow_matrix(F.avg_pool2d(shallow, ratio) if ratio > 1 else shallow, deep)

    def _flow_name(self) -> str:
        return f"relation_flow_{self.flow_blocks[0]}_{self.flow_blocks[1]}"


def region_means(features: Sequence[Tensor], lane_mask: Tensor, num_lanes: int, margin: int = 0) -> tuple[Tensor, ...]:
    """The mean of each feature over every lane that the masks show, and over every image's background.

    A pixel of a feature counts for a lane by the share of it that the lane's label covers, and for the background by
    its share of background where no (widened) lane is; ignored pixels count for nothing. A region is left out if any
    of the features has no pixel of it: on a coarse one widened lanes may cover all background.

    Args:
        features: (B, C_k, H_k, W_k) each, of any widths and sizes.
        lane_mask: (B, H, W), 0..L or `IGNORE_INDEX`.
        num_lanes: L.
        margin: by how many pixels of each feature lanes are widened on each side.

    Returns:
        (N, C_k) for each feature, the same regions in all: image by image, background first; N is B * (L + 1) at most.
    """
    found = [_means_of_all_regions(feature, lane_mask, num_lanes, margin) for feature in features]
    shown = torch.stack([of_one for _, of_one in found]).all(dim=0)  # (B, L+1)
    return tuple(means[shown] for means, _ in found)


def _means_of_all_regions(feature: Tensor, lane_mask: Tensor, num_lanes: int, margin: int) -> tuple[Tensor, Tensor]:
    """(B, L+1, C) means, and (B, L+1) whether there is such a region."""
    feature = at_least_float32(feature)
    size = (int(feature.shape[-2]), int(feature.shape[-1]))
    classes = torch.arange(num_lanes + 1, device=lane_mask.device).view(1, -1, 1, 1)
    planes = (lane_mask[:, None] == classes).to(feature.dtype)  # (B, L+1, H, W)
    shares = F.interpolate(planes, size=size, mode="area")
    lanes = F.max_pool2d(shares[:, 1:], 2 * margin + 1, stride=1, padding=margin)
    background = shares[:, :1] * (lanes.amax(dim=1, keepdim=True) == 0)
    weights = torch.cat((background, lanes), dim=1).flatten(2)  # (B, L+1, H_k*W_k)
    total = weights.sum(dim=2)
    shown = total > 0
    weights = weights / torch.where(shown, total, 1.0)[:, :, None]
    with torch.autocast(feature.device.type, enabled=False):
        return weights @ feature.flatten(2).transpose(1, 2), shown


def _check_flow(blocks: tuple[int, int], student: NetworkSpec, teacher: FrozenTeacher) -> None:
    if blocks[0] >= blocks[1]:
        raise ValueError(f"RelationDistillation flow_blocks: expected (shallow, deep), got {blocks}.")
    for block in blocks:
        for who, count in (("student", student.num_blocks), ("teacher", teacher.spec.num_blocks)):
            if not 1 <= block <= count:
                raise ValueError(
                    f"RelationDistillation flow_blocks {blocks}: the {who} has blocks 1 to {count}, not {block}."
                )
        widths = (student.channels[block - 1], teacher.spec.channels[block - 1])
        if widths[0] != widths[1]:
            raise ValueError(
                f"RelationDistillation flow_blocks {blocks}: block {block} has {widths[0]} channels in the student and "
                f"{widths[1]} in the teacher {teacher.path}, and flow needs the same; set flow_weight to 0."
            )
