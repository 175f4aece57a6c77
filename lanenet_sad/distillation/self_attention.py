"""Self Attention Distillation: shallow blocks of a network imitate the attention of its deeper blocks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal, TypeAlias, final

import torch
import torch.nn.functional as F
from torch import Tensor

from lanenet_sad.distillation.attention_map import (
    Normalization,
    Reduction,
    attention_map,
    effective_support,
    loss_gradients,
    map_distance,
    normalize_map,
    resize_map,
)
from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.distillation.settings import check_choice, check_positive, check_weights
from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.models.interface import EncoderSpec, LaneNetOutput, LaneTargets

Mapping: TypeAlias = Literal["sum", "max", "gradient"]
Resize: TypeAlias = Literal["to_student", "to_target", "both_to_input"]
Target: TypeAlias = Literal["block", "label"]


@final
class SelfAttentionDistillation(DistillationMethod):
    """SAD (Hou et al. 2019, arXiv:1908.00821): for each path (s, t), || Psi(A_s) - Psi(A_t) ||^2.

    Psi is the attention map of a block, resized and normalised. Paper, official code and PyTorch port disagree; each
    can be had:

    * Normalisation: the paper's softmax is saturated on raw sums of squares (no gradient), so "l2" is the default.
    * Stop-gradient: the deeper block is a fixed target, as the paper says; `detach_target=False` is what the port does.
    * Reduction: a sum over pixels, as the official author advises; "mean" is what both published codes compute.
    * Resizing: to the mimicking block's size; the official code brings both maps to the input's size.
    * Target: the paper's is a deeper block. The official code regresses its maps to the label mask instead:
      `target="label"` does so for *every* block named in the paths. It departs from that code in two points: all lanes
      count as 1 (there: class ids 1 to 5), and the mask is normalised as the maps are (divided by its norm with "l2",
      by its sum otherwise), as raw ids cannot be reached by a normalised map. Images without a lane are left out. With
      resize="to_student" the mask is averaged down to the block, otherwise the map is brought up to the mask.

    Losses are called "sad_2_3" for the path (2, 3) and "sad_2_label" for the label as target of block 2.

    Args:
        encoder: the blocks' channels and strides, `network.spec`.
        mimic_paths: pairs (mimicking block, target block), 1-based; adjacent, skipping or reversed.
        weight: gamma, of each path.
        mapping: "sum" or "max" of the activations over the channels; "gradient": the sum for the gradient of the
            segmentation loss with respect to the features (needs a second backward pass, and hardly gains).
        power: p of the mapping.
        normalization: "l2", "softmax" (the paper's) or "standardized".
        temperature: of the softmax; without effect on "l2".
        reduction: of the squared differences.
        resize: which map is brought to whose size when they differ.
        align_corners: of the bilinear resizing.
        target: "block" or "label".
        detach_target: no gradient into the target block.

    Raises:
        ValueError: A path names a block that is not there or a block that mimics itself, or a value is out of range.
    """

    def __init__(
        self,
        encoder: EncoderSpec,
        *,
        mimic_paths: Sequence[tuple[int, int]] = ((2, 3), (3, 4)),
        weight: float = 0.1,
        mapping: Mapping = "sum",
        power: float = 2,
        normalization: Normalization = "l2",
        temperature: float = 1.0,
        reduction: Reduction = "batchmean",
        resize: Resize = "to_student",
        align_corners: bool = False,
        target: Target = "block",
        detach_target: bool = True,
    ) -> None:
        super().__init__()
        self.mimic_paths = _checked_paths(mimic_paths, encoder.num_blocks)
        name = type(self).__name__
        check_choice(name, "mapping", mapping, Mapping)
        check_choice(name, "normalization", normalization, Normalization)
        check_choice(name, "reduction", reduction, Reduction)
        check_choice(name, "resize", resize, Resize)
        check_choice(name, "target", target, Target)
        check_positive(name, "power", power)
        check_positive(name, "temperature", temperature)
        check_weights(name, {"weight": weight})
        self.weight = weight
        self.mapping: Mapping = mapping
        self.power = power
        self.normalization: Normalization = normalization
        self.temperature = temperature
        self.reduction: Reduction = reduction
        self.resize: Resize = resize
        self.align_corners = align_corners
        self.target: Target = target
        self.num_blocks = encoder.num_blocks
        self.detach_target = detach_target
        self.blocks = tuple(sorted({block for path in self.mimic_paths for block in path}))
        self.imitation = frozenset(f"sad_{suffix}" for suffix in self._suffixes())
        self._warn_without_effect(encoder)

    def forward(
        self, images: Tensor, output: LaneNetOutput, targets: LaneTargets, *, imitate: bool = True
    ) -> dict[str, Tensor]:
        """One weighted scalar for each path (or block, with the label as target).

        With activations as maps and blocks as targets only `output.features` is read; targets may be None.

        Raises:
            ValueError: the features are not those of the encoder's spec, labels are needed and not given, or
                mapping="gradient" and the output carries no graph.
        """
        self._check(output, targets)
        distances = self._distances(images, output, targets) if imitate else {}
        return {f"sad_{suffix}": self.weight * distance for suffix, distance in distances.items()}

    def _check(self, output: LaneNetOutput, targets: LaneTargets | None) -> None:
        if len(output.features) < max(self.blocks):
            raise ValueError(
                f"SAD: expected the features of {self.num_blocks} encoder blocks, as EncoderSpec says, "
                f"got {len(output.features)}."
            )
        if targets is None and (self.target == "label" or self.mapping == "gradient"):
            raise ValueError("SAD: target='label' and mapping='gradient' need targets (LaneTargets), got None.")

    def diagnostics(self, images: Tensor, output: LaneNetOutput, targets: LaneTargets) -> dict[str, float]:
        """Whether SAD is alive: "support_k" of each block and the unweighted "distance_..." of each path.

        The support is the number of pixels, at the block's own resolution, over which its normalised map is spread
        (exp of the entropy, mean over the images); see `effective_support`. With mapping="gradient" the output must
        still carry its graph; without one there is nothing to tell, and the result is empty.
        """
        if self.mapping == "gradient" and not output.segmentation_logits.requires_grad:
            return {}
        with torch.set_grad_enabled(self.mapping == "gradient"):
            maps = self._block_maps(images, output, targets, trainable=False)
            distances = self._distances(images, output, targets, maps)
        numbers = {}
        for block, block_map in maps.items():
            support = effective_support(normalize_map(block_map, self.normalization, self.temperature))
            numbers[f"support_{block}"] = float(support.mean())
        return numbers | {f"distance_{suffix}": float(distance) for suffix, distance in distances.items()}

    def _suffixes(self) -> list[str]:
        if self.target == "label":
            return [f"{block}_label" for block in self.blocks]
        return [f"{student}_{target}" for student, target in self.mimic_paths]

    def _distances(
        self, images: Tensor, output: LaneNetOutput, targets: LaneTargets, maps: dict[int, Tensor] | None = None
    ) -> dict[str, Tensor]:
        maps = self._block_maps(images, output, targets) if maps is None else maps
        if self.target == "label":
            return {f"{block}_label": self._label_distance(maps[block], images, targets) for block in self.blocks}
        return {
            f"{student}_{target}": self._path_distance(maps[student], maps[target], images)
            for student, target in self.mimic_paths
        }

    def _block_maps(
        self, images: Tensor, output: LaneNetOutput, targets: LaneTargets, *, trainable: bool = True
    ) -> dict[int, Tensor]:
        """The raw map of every block in a path, (B, H_k, W_k)."""
        features = {block: output.features[block - 1] for block in self.blocks}
        if self.mapping == "gradient":
            if not output.segmentation_logits.requires_grad:
                raise ValueError(
                    f"{type(self).__name__}: mapping='gradient' needs an output with its graph; "
                    f"run the network outside of torch.no_grad()."
                )
            features = loss_gradients(images, output, targets, self.blocks, trainable=trainable)
        channels: Literal["sum", "max"] = "max" if self.mapping == "max" else "sum"
        return {block: attention_map(feature, channels, self.power) for block, feature in features.items()}

    def _path_distance(self, student: Tensor, target: Tensor, images: Tensor) -> Tensor:
        if self.detach_target:
            target = target.detach()
        student_size, target_size = _size(student), _size(target)
        common = {"to_student": student_size, "to_target": target_size, "both_to_input": _size(images)}[self.resize]
        return map_distance(self._normalized(student, common), self._normalized(target, common), self.reduction)

    def _label_distance(self, block_map: Tensor, images: Tensor, targets: LaneTargets) -> Tensor:
        lanes = (targets.lane_mask > 0) & (targets.lane_mask != IGNORE_INDEX)
        label = lanes.to(block_map.dtype)  # (B, H, W)
        if self.resize == "to_student":
            # An average, as a thin lane would fall between the points that bilinear resizing reads.
            label = F.interpolate(label[:, None], size=_size(block_map), mode="area")[:, 0]
        has_lane = lanes.flatten(1).any(dim=1)[:, None, None]  # (B, 1, 1)
        student = self._normalized(block_map, _size(label)) * has_lane
        order = 2 if self.normalization == "l2" else 1
        return map_distance(student, F.normalize(label.flatten(1), p=order).view_as(label), self.reduction)

    def _normalized(self, block_map: Tensor, size: tuple[int, int]) -> Tensor:
        resized = resize_map(block_map, size, self.align_corners)
        return normalize_map(resized, self.normalization, self.temperature)

    def _warn_without_effect(self, encoder: EncoderSpec) -> None:
        resized = self.resize == "both_to_input" or any(
            encoder.strides[student - 1] != encoder.strides[target - 1] for student, target in self.mimic_paths
        )
        block, label = self.target == "block", self.target == "label"
        idle = {
            f"temperature={self.temperature} with normalization='l2'": self.temperature != 1
            and self.normalization == "l2",
            "align_corners=True where no map is resized": self.align_corners
            and (not resized if block else self.resize == "to_student"),
            f"resize={self.resize!r} where all blocks have one size": block
            and self.resize == "to_target"
            and not resized,
            "detach_target=False with target='label'": label and not self.detach_target,
        }
        for setting in (name for name, without_effect in idle.items() if without_effect):
            warnings.warn(f"SelfAttentionDistillation: {setting} has no effect.", UserWarning, stacklevel=3)


def _checked_paths(mimic_paths: Sequence[tuple[int, int]], num_blocks: int) -> tuple[tuple[int, int], ...]:
    paths = tuple((int(student), int(target)) for student, target in mimic_paths)
    if not paths:
        raise ValueError("mimic_paths: expected at least one pair (mimicking block, target block), got none.")
    for path in paths:
        missing = [block for block in path if not 1 <= block <= num_blocks]
        if missing:
            raise ValueError(f"Mimic path {path}: the encoder has blocks 1 to {num_blocks}, not {missing[0]}.")
        if path[0] == path[1]:
            raise ValueError(f"Mimic path {path}: a block cannot mimic itself.")
    if len(set(paths)) != len(paths):
        raise ValueError(f"mimic_paths: expected each path once, got {paths}.")
    return paths


def _size(tensor: Tensor) -> tuple[int, int]:
    return int(tensor.shape[-2]), int(tensor.shape[-1])
