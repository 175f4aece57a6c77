"""Be Your Own Teacher: exits inside a network learn from its deepest one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lanenet_sad.distillation.attention_map import attention_map, map_distance, normalize_map, resize_map
from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.distillation.settings import check_choice, check_positive, check_weights
from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.losses.functional import at_least_float32, existence_cross_entropy, segmentation_cross_entropy
from lanenet_sad.losses.soft_targets import soft_target_cross_entropy, soft_target_kl
from lanenet_sad.models.exits import ExitHead, ExitOutput, checked_exits
from lanenet_sad.models.interface import LaneNetOutput, LaneTargets, NetworkSpec

SoftLoss: TypeAlias = Literal["kl", "cross_entropy"]
Pixels: TypeAlias = Literal["lane_weighted", "lane_band", "all"]


@final
class BeYourOwnTeacher(DistillationMethod):
    """BYOT (Zhang et al. 2019, arXiv:1905.08094): for each exit i, whose teacher is the network's own output C,

    (1 - alpha) * L_label(i) + alpha * T^2 * KL(C || i) + lambda * || F_i - F_C ||^2.

    The paper classifies images; this is its form for lanes: an exit has a label for each pixel and for each lane slot,
    the KL is per pixel, and features, whose sizes differ, are compared by their attention maps. The deepest exit is the
    network's own decoder; its loss is the task's. No gradient reaches the teacher.

    The paper has no official code. Where it and the third-party code (luanyunteng/pytorch-be-your-own-teacher) differ:

    * Soft targets: the paper's KL is the default; the code's cross-entropy (`soft_loss="cross_entropy"`) has the same
      gradient, but another value.
    * Features: the code sums the squared differences over batch and channels, with lambda = 1e-6; ours is a sum over
      the pixels of two maps of norm 1, mean over the images, and its lambda of 0.03 is a choice of ours. The forms for
      features of one shape stand in `losses.feature_distance`, which this method does not use.
    * The code weighs the label loss of the deepest exit by 1 - alpha, too; the paper does not, and neither do we. Lower
      the weights of the task loss for the code's form.
    * alpha = 0.1 and T = 3 are the code's; the paper, as its readers report, names neither.

    Losses are called "byot_label_2", "byot_existence_2", "byot_soft_2" and "byot_hint_2" for the exit behind block 2.
    The last two wait for the schedule; the weight of the label losses, 1 - alpha, is the same before and after.

    Args:
        network: `network.spec`.
        blocks: 1-based, behind which there is an exit.
        weight: of all that this method adds.
        soft_weight: alpha, share of the soft targets in an exit's loss.
        temperature: T, of the soft targets.
        hint_weight: lambda, of the features.
        soft_loss: "kl" or "cross_entropy".
        pixels: which pixels the soft targets count: most are background, so "lane_weighted" counts each 1 + the
            teacher's probability of a lane; "lane_band" only those near a labelled lane; "all" counts them alike.
        band_radius: of "lane_band", in pixels.
        soft_stride: the soft targets are compared at every so many-th pixel of every so many-th row. An exit's logits
            are smooth from one pixel to the next, so 2 saves three quarters of the cost and hardly any information.
        background_weight: of class 0 in the exits' cross-entropy.
        existence_weight: of an exit's existence loss beside its segmentation loss.
        width: channels of an exit's bottleneck.

    Raises:
        ValueError: a block is not there, or a value is out of range.
    """

    has_label_losses = True

    def __init__(
        self,
        network: NetworkSpec,
        *,
        blocks: Sequence[int] = (2, 3),
        weight: float = 1.0,
        soft_weight: float = 0.1,
        temperature: float = 3.0,
        hint_weight: float = 0.03,
        soft_loss: SoftLoss = "kl",
        pixels: Pixels = "lane_weighted",
        band_radius: int = 8,
        soft_stride: int = 2,
        background_weight: float = 0.4,
        existence_weight: float = 0.1,
        width: int = 64,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        check_choice(name, "soft_loss", soft_loss, SoftLoss)
        check_choice(name, "pixels", pixels, Pixels)
        check_positive(name, "temperature", temperature)
        weights = {"weight": weight, "hint_weight": hint_weight, "band_radius": band_radius}
        check_weights(name, weights | {"background_weight": background_weight, "existence_weight": existence_weight})
        if not 0 <= soft_weight <= 1:
            raise ValueError(f"{name} soft_weight: expected a share from 0 to 1, got {soft_weight}.")
        if not soft_stride >= 1:
            raise ValueError(f"{name} soft_stride: expected at least 1, got {soft_stride}.")
        self.blocks = checked_exits(blocks, network.num_blocks)
        self.weight, self.soft_weight, self.hint_weight = weight, soft_weight, hint_weight
        self.temperature = temperature
        self.soft_loss: SoftLoss = soft_loss
        self.pixels: Pixels = pixels
        self.band_radius, self.soft_stride = band_radius, soft_stride
        self.background_weight, self.existence_weight = background_weight, existence_weight
        self.heads = nn.ModuleDict({str(block): ExitHead(network, block, width=width) for block in self.blocks})
        self.imitation = frozenset(f"byot_{kind}_{block}" for kind in ("soft", "hint") for block in self.blocks)

    def forward(
        self, images: Tensor, output: LaneNetOutput, targets: LaneTargets, *, imitate: bool = True
    ) -> dict[str, Tensor]:
        """The weighted losses of every exit; with imitate=False those on labels alone."""
        losses: dict[str, Tensor] = {}
        found = {block: head(output.features) for block, head in self.exits().items()}
        for block, exit_output in found.items():
            label, existence = self._label_losses(exit_output, targets)
            losses |= {f"byot_label_{block}": label, f"byot_existence_{block}": existence}
        if imitate:
            weight = self._pixel_weight(output, targets)
            target = attention_map(output.features[-1].detach())
            for block, exit_output in found.items():
                losses[f"byot_soft_{block}"] = self._soft_loss(exit_output, output, weight)
                losses[f"byot_hint_{block}"] = self._hint(exit_output, target)
        return losses

    def exits(self) -> Mapping[int, ExitHead]:
        """The heads by block."""
        return {head.block: head for head in self.heads.values() if isinstance(head, ExitHead)}

    def _label_losses(self, found: ExitOutput, targets: LaneTargets) -> tuple[Tensor, Tensor]:
        factor = self.weight * (1 - self.soft_weight)
        label = segmentation_cross_entropy(found.segmentation_logits, targets.lane_mask, self.background_weight)
        existence = existence_cross_entropy(found.existence_logits, targets.existence)
        return factor * label, factor * self.existence_weight * existence

    def _soft_loss(self, found: ExitOutput, output: LaneNetOutput, pixel_weight: Tensor) -> Tensor:
        loss = soft_target_kl if self.soft_loss == "kl" else soft_target_cross_entropy
        student, teacher = (
            each.segmentation_logits[..., :: self.soft_stride, :: self.soft_stride] for each in (found, output)
        )
        value = loss(student, teacher, self.temperature, pixel_weight=pixel_weight)
        return self.weight * self.soft_weight * value

    def _hint(self, found: ExitOutput, target: Tensor) -> Tensor:
        """Attention of the bottleneck against that of the deepest block, resized to the exit's size as SAD does."""
        student = attention_map(found.feature)
        size = (int(student.shape[-2]), int(student.shape[-1]))
        distance = map_distance(normalize_map(student), normalize_map(resize_map(target, size)))
        return self.weight * self.hint_weight * distance

    @torch.no_grad()
    def _pixel_weight(self, output: LaneNetOutput, targets: LaneTargets) -> Tensor:
        """Of the pixels compared, (B, H', W'); 0 at ignored ones."""
        step, mask = self.soft_stride, targets.lane_mask
        logits = at_least_float32(output.segmentation_logits[..., ::step, ::step])
        valid = (mask != IGNORE_INDEX)[..., ::step, ::step].to(logits.dtype)
        if self.pixels == "lane_weighted":
            return valid * (2 - torch.softmax(logits, dim=1)[:, 0])
        if self.pixels == "lane_band":
            lanes = ((mask > 0) & (mask != IGNORE_INDEX)).to(logits.dtype)[:, None]
            band = F.max_pool2d(lanes, 2 * self.band_radius + 1, 1, self.band_radius)[:, 0]
            return valid * band[..., ::step, ::step]
        return valid
