"""Feature refinement: a network learns from a pyramid over its own features, which is dropped after training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lanenet_sad.distillation.attention_map import Reduction, attention_map, map_distance, normalize_map
from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.distillation.bifpn import BiFPN, separable_unit
from lanenet_sad.distillation.settings import check_choice, check_positive, check_weights
from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.losses.functional import at_least_float32, segmentation_cross_entropy
from lanenet_sad.losses.soft_targets import soft_target_kl
from lanenet_sad.models.initialization import expect_background
from lanenet_sad.models.interface import LaneNetOutput, LaneTargets, NetworkSpec

HeadLevel: TypeAlias = Literal["finest", "deepest"]
SoftPixels: TypeAlias = Literal["valid", "all"]
Fusion: TypeAlias = Literal["weighted", "sum"]


@final
class FeatureRefinement(DistillationMethod):
    """FRSKD (Ji et al. 2021, arXiv:2103.08273): a BiFPN over the block features is the network's own teacher.

    The self-teacher refines the features F_i of the blocks to maps T_i of the same size and classifies the pixels from
    one of them. It learns from the labels as the network does, from step 0 on. Once the schedule lets imitation act,
    the network learns from the teacher: from its class probabilities, alpha * T^2 * KL(teacher -> network), and from
    its attention, beta * sum_i d(att(F_i), att(T_i)) with att = sum of squares over the channels, divided by its norm
    over height and width. The teacher is a fixed target of both.

    The losses are called "frskd_label", "frskd_soft" and "frskd_attention"; one of weight 0 is neither computed nor
    named. Where the paper's two published codes differ from each other or from us:

    * alpha, beta and T are those of the segmentation code: 1, 50 and 1; for classification it has 2, 100 and 4.
    * d is the mean over images and pixels, as in both codes, so that blocks with few pixels count more and beta grows
      with the size of the input; reduction="batchmean" sums over the pixels (the equal beta is then 50 / (H*W)).
    * The KL is a mean over pixels; both codes also count ignored ones (soft_pixels="all"), we leave them out.
    * The teacher reads the features with their graph, as in the code: its label loss trains the encoder, too.
      `detach_features=True` makes it a mere observer.
    * The classifier reads the finest map, as in the segmentation code, and the last layer then only goes up; the
      classification code reads the deepest ("deepest").
    * Fusion is weighted, as in the classification code; the segmentation code has plain sums (fusion="sum").
    * The width is 64, one for all blocks, which keeps the cost moderate; width="double" is the classification code's
      twice the channels of each block.

    Args:
        network: the shapes of the blocks and the number of lanes, `network.spec`.
        blocks: that the teacher refines, 1-based, shallow to deep.
        width: channels of the refined maps, or "double".
        num_layers: of the BiFPN.
        fusion: "weighted" or "sum".
        head_level: which refined map the teacher's classifier reads.
        label_weight: of the teacher's cross-entropy.
        soft_weight: alpha.
        attention_weight: beta, of every block.
        temperature: T, of both class distributions.
        soft_pixels: which pixels the KL counts: all, or those with a label.
        reduction: of the attention's squared differences.
        background_weight: of class 0 in the teacher's cross-entropy.
        detach_features: no gradient from the teacher's label loss into the encoder.

    Raises:
        ValueError: A block is not there, or a value is out of range.
    """

    has_label_losses = True

    def __init__(
        self,
        network: NetworkSpec,
        *,
        blocks: Sequence[int] = (2, 3, 4),
        width: int | Literal["double"] = 64,
        num_layers: int = 2,
        fusion: Fusion = "weighted",
        head_level: HeadLevel = "finest",
        label_weight: float = 1.0,
        soft_weight: float = 1.0,
        attention_weight: float = 50.0,
        temperature: float = 1.0,
        soft_pixels: SoftPixels = "valid",
        reduction: Reduction = "mean",
        background_weight: float = 0.4,
        detach_features: bool = False,
    ) -> None:
        super().__init__()
        self.blocks = _checked_blocks(blocks, network.num_blocks)
        owner = type(self).__name__
        check_choice(owner, "fusion", fusion, Fusion)
        check_choice(owner, "head_level", head_level, HeadLevel)
        check_choice(owner, "soft_pixels", soft_pixels, SoftPixels)
        check_choice(owner, "reduction", reduction, Reduction)
        weights = {"soft_weight": soft_weight, "attention_weight": attention_weight}
        check_weights(owner, weights | {"background_weight": background_weight})
        check_positive(owner, "label_weight", label_weight)  # nothing else trains the teacher
        check_positive(owner, "temperature", temperature)
        if width != "double" and not (isinstance(width, int) and width >= 1):
            raise ValueError(f"{owner} width: expected at least 1, or 'double', got {width!r}.")
        if num_layers < 1:
            raise ValueError(f"{owner} num_layers: expected at least 1, got {num_layers}.")
        self.label_weight = label_weight
        self.soft_weight = soft_weight
        self.attention_weight = attention_weight
        self.temperature = temperature
        self.soft_pixels: SoftPixels = soft_pixels
        self.reduction: Reduction = reduction
        self.background_weight = background_weight
        self.detach_features = detach_features
        named = {"frskd_soft": soft_weight, "frskd_attention": attention_weight}
        self.imitation = frozenset(name for name, weight in named.items() if weight)
        channels = [network.channels[block - 1] for block in self.blocks]
        pyramid = BiFPN(
            channels,
            [network.strides[block - 1] for block in self.blocks],
            [2 * count if width == "double" else width for count in channels],
            num_layers=num_layers,
            weighted=fusion == "weighted",
            ends_at_finest=head_level == "finest",
        )
        level = 0 if head_level == "finest" else len(channels) - 1
        head_width = 2 * channels[level] if width == "double" else width
        self.teacher: nn.Module = SelfTeacher(pyramid, _classifier(head_width, network.num_classes), level=level)

    def forward(
        self, images: Tensor, output: LaneNetOutput, targets: LaneTargets, *, imitate: bool = True
    ) -> dict[str, Tensor]:
        """The teacher's label loss and, if `imitate`, what the network is to learn from the teacher.

        Raises:
            ValueError: the features are not those of the network's spec.
        """
        features = self._features(output)
        refined, logits = self._taught(features, targets)
        label = segmentation_cross_entropy(logits, targets.lane_mask, self.background_weight)
        losses = {"frskd_label": self.label_weight * label}
        if imitate and self.soft_weight:
            valid = targets.lane_mask != IGNORE_INDEX if self.soft_pixels == "valid" else None
            soft = soft_target_kl(output.segmentation_logits, logits, self.temperature, valid)
            losses["frskd_soft"] = self.soft_weight * soft
        if imitate and self.attention_weight:
            distances = self._attention_distances(features, refined)
            losses["frskd_attention"] = self.attention_weight * torch.stack(distances).sum()
        return losses

    def diagnostics(self, images: Tensor, output: LaneNetOutput, targets: LaneTargets) -> dict[str, float]:
        """Whether there is something to learn from the teacher.

        "frskd_teacher_lead" is by how much its cross-entropy on the labels is below the network's, and
        "frskd_distance_k" the unweighted attention distance of block k. The teacher is read with its running
        statistics, and they stay as they are.
        """
        training = self.teacher.training
        self.teacher.eval()
        with torch.no_grad():
            features = self._features(output)
            refined, logits = self._taught(features, targets)
            student, teacher = (
                segmentation_cross_entropy(one, targets.lane_mask, self.background_weight)
                for one in (output.segmentation_logits, logits)
            )
            distances = self._attention_distances(features, refined)
        self.teacher.train(training)
        named = zip(self.blocks, distances, strict=True)
        return {"frskd_teacher_lead": float(student - teacher)} | {
            f"frskd_distance_{block}": float(distance) for block, distance in named
        }

    def _features(self, output: LaneNetOutput) -> list[Tensor]:
        if len(output.features) < max(self.blocks):
            raise ValueError(
                f"FeatureRefinement: expected the features of at least {max(self.blocks)} encoder blocks, "
                f"got {len(output.features)}."
            )
        return [output.features[block - 1] for block in self.blocks]

    def _taught(self, features: list[Tensor], targets: LaneTargets) -> tuple[tuple[Tensor, ...], Tensor]:
        """The refined maps, and the teacher's logits at the labels' size, (B, L+1, H, W)."""
        seen = [feature.detach() for feature in features] if self.detach_features else features
        refined, logits = self.teacher(seen)
        size = targets.lane_mask.shape[-2:]
        logits = at_least_float32(logits)
        if logits.shape[-2:] != size:
            logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return refined, logits

    def _attention_distances(self, features: Sequence[Tensor], refined: Sequence[Tensor]) -> list[Tensor]:
        return [
            map_distance(
                normalize_map(attention_map(feature)), normalize_map(attention_map(target.detach())), self.reduction
            )
            for feature, target in zip(features, refined, strict=True)
        ]


@final
class SelfTeacher(nn.Module):
    """A pyramid over block features and a pixel classifier on one of its maps.

    Args:
        pyramid: K features -> K refined maps.
        classify: a refined map -> class logits of the same size.
        level: index of the map that it reads; 0 is the finest.
    """

    def __init__(self, pyramid: nn.Module, classify: nn.Module, *, level: int) -> None:
        super().__init__()
        self.pyramid = pyramid
        self.classify = classify
        self.level = level

    def forward(self, features: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], Tensor]:
        """The refined maps, and (B, L+1, H_i, W_i) logits at the size of the map that the classifier reads."""
        refined: tuple[Tensor, ...] = self.pyramid(features)
        return refined, self.classify(refined[self.level])


def _classifier(width: int, num_classes: int) -> nn.Sequential:
    """Separable convolution and 1x1 to the classes; starts, as the networks do, with nine pixels in ten background."""
    last = nn.Conv2d(width, num_classes, 1)
    expect_background(last)
    return nn.Sequential(nn.ReLU(), separable_unit(width), nn.ReLU(inplace=True), last)


def _checked_blocks(blocks: Sequence[int], num_blocks: int) -> tuple[int, ...]:
    numbers = tuple(int(block) for block in blocks)
    missing = [block for block in numbers if not 1 <= block <= num_blocks]
    if missing:
        raise ValueError(
            f"FeatureRefinement blocks {numbers}: the encoder has blocks 1 to {num_blocks}, not {missing[0]}."
        )
    if len(numbers) < 2 or list(numbers) != sorted(set(numbers)):
        raise ValueError(f"FeatureRefinement blocks: expected two or more, shallow to deep, got {numbers}.")
    return numbers
