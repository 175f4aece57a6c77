"""Deep supervision: labels for the blocks inside a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, final

import torch.nn.functional as F
from torch import Tensor, nn

from lanenet_sad.distillation.attention_map import attention_map
from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.distillation.settings import check_choice, check_weights
from lanenet_sad.losses.functional import existence_cross_entropy, segmentation_cross_entropy
from lanenet_sad.models.exits import ExitHead, checked_exits
from lanenet_sad.models.interface import LaneNetOutput, LaneTargets, NetworkSpec

SupervisedHead: TypeAlias = Literal["exit", "attention"]


@final
class DeepSupervision(DistillationMethod):
    """Classifiers behind blocks of the encoder that learn the labels, and nothing from each other.

    It is what the SAD paper compares SAD with: the same blocks, but labels instead of attention maps. Lee et al. 2015
    (DSN, arXiv:1409.5185) act from step 0, and so does this. For a comparison in which nothing but the target differs,
    `wait_for_schedule` starts it when SAD would start; mind that SAD's weight is that of each path, this one's of all
    blocks together.

    Losses are called "supervision_label_2" and "supervision_existence_2" for block 2.

    Args:
        network: `network.spec`.
        blocks: 1-based, behind which there is a classifier.
        weight: of all blocks together; each gets an equal part.
        head: "exit" is the head of `BeYourOwnTeacher`, by which the network can be left; "attention" supervises the
            attention map itself, by one factor and one offset per class (and has no existence loss).
        background_weight: of class 0 in the cross-entropy.
        existence_weight: of an exit's existence loss beside its segmentation loss.
        width: channels of an exit's bottleneck.
        wait_for_schedule: act from the schedule's start of distillation instead of step 0.

    Raises:
        ValueError: a block is not there, or a value is out of range.
    """

    def __init__(
        self,
        network: NetworkSpec,
        *,
        blocks: Sequence[int] = (2, 3),
        weight: float = 0.1,
        head: SupervisedHead = "exit",
        background_weight: float = 0.4,
        existence_weight: float = 0.1,
        width: int = 64,
        wait_for_schedule: bool = False,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        check_choice(name, "head", head, SupervisedHead)
        weights = {"background_weight": background_weight, "existence_weight": existence_weight}
        check_weights(name, weights | {"weight": weight})
        self.blocks = checked_exits(blocks, network.num_blocks)
        self.weight = weight
        self.background_weight = background_weight
        self.existence_weight = existence_weight
        self.heads = nn.ModuleDict(
            {
                str(block): ExitHead(network, block, width=width)
                if head == "exit"
                else AttentionClassifier(network, block)
                for block in self.blocks
            }
        )
        kinds = ("label", "existence") if head == "exit" else ("label",)
        names = frozenset(f"supervision_{kind}_{block}" for kind in kinds for block in self.blocks)
        self.imitation = names if wait_for_schedule else frozenset()
        self.has_label_losses = not wait_for_schedule

    def forward(
        self, images: Tensor, output: LaneNetOutput, targets: LaneTargets, *, imitate: bool = True
    ) -> dict[str, Tensor]:
        """The weighted label losses of every block; none before the start of a method that waits."""
        if self.imitation and not imitate:
            return {}
        share = self.weight / len(self.blocks)
        losses = {}
        for block in self.blocks:
            head = self.heads[str(block)]
            if isinstance(head, ExitHead):
                found = head(output.features)
                existence = existence_cross_entropy(found.existence_logits, targets.existence)
                losses[f"supervision_existence_{block}"] = share * self.existence_weight * existence
                logits = found.segmentation_logits
            else:
                logits = head(output.features)
            label = segmentation_cross_entropy(logits, targets.lane_mask, self.background_weight)
            losses[f"supervision_label_{block}"] = share * label
        return losses

    def exits(self) -> Mapping[int, ExitHead]:
        """The heads by block; none with head="attention"."""
        return {head.block: head for head in self.heads.values() if isinstance(head, ExitHead)}


@final
class AttentionClassifier(nn.Module):
    """Attention map F_sum^2 of a block -> class scores: normalised over the batch, then a 1x1 convolution.

    Args:
        network: `network.spec`.
        block: 1-based.
    """

    def __init__(self, network: NetworkSpec, block: int) -> None:
        super().__init__()
        self.block, self.stride = block, network.strides[block - 1]
        self.norm = nn.BatchNorm2d(1)
        self.classify = nn.Conv2d(1, network.num_classes, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """(B, L+1, H, W) logits from the encoder's features."""
        logits = self.classify(self.norm(attention_map(features[self.block - 1])[:, None]))
        return F.interpolate(logits, scale_factor=float(self.stride), mode="bilinear", align_corners=False)
