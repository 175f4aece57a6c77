"""Knowledge distillation: a network learns the soft predictions of a trained one."""

from __future__ import annotations

from pathlib import Path
from typing import final

from torch import Tensor

from lanenet_sad.distillation.agreement import existence_kl, lane_agreement, prediction_kl
from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.distillation.settings import check_positive, check_weights
from lanenet_sad.distillation.teacher import frozen_teacher
from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.models.interface import LaneNetOutput, LaneTargets, NetworkSpec


@final
class KnowledgeDistillation(DistillationMethod):
    """KD (Hinton et al. 2015, arXiv:1503.02531) from a frozen teacher, pixel by pixel. Names: "kd", "kd_existence".

    L = L_task + kd_weight T^2 KL(teacher || student), both softened by the temperature T, over the labelled pixels.
    The paper's form is a T^2 KL + (1 - a) CE; the task loss keeps its weight here, so a is kd_weight / (1 + kd_weight)
    and the whole is 1 + kd_weight times larger. (The attention-transfer code has a = 0.9, T = 4, for classification.
    With that, little would be left of a lane network's task. torchdistill's alpha multiplies the *cross-entropy*, hence
    the unmistakable name.)

    More than nine pixels in ten are background, so each pixel counts 1 + lane_emphasis * the teacher's probability of
    a lane there. With an emphasis of 1 and T = 2 the background carried a student that knew nothing yet: in a short run
    it learned no lane at all (docs/experiments/ablation), hence the defaults.

    Args:
        network: channels, strides and lane slots of the student, `network.spec`.
        teacher_weights: file of a trained network with as many lane slots.
        kd_weight: of the KL over pixels.
        existence_weight: of the same over the lane slots' existence; the paper has no such term.
        temperature: T.
        lane_emphasis: see above; 0: all pixels alike.
        wait_for_schedule: act only after the schedule's start; the paper acts from step 0.

    Raises:
        FileNotFoundError: there is no such teacher.
        ValueError: the teacher has another lane count, or a value is out of range.
    """

    def __init__(
        self,
        network: NetworkSpec,
        *,
        teacher_weights: Path,
        kd_weight: float = 1.0,
        existence_weight: float = 0.0,
        temperature: float = 1.0,
        lane_emphasis: float = 9.0,
        wait_for_schedule: bool = False,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        weights = {"kd_weight": kd_weight, "existence_weight": existence_weight, "lane_emphasis": lane_emphasis}
        check_weights(name, weights)
        check_positive(name, "temperature", temperature)
        self.kd_weight = kd_weight
        self.existence_weight = existence_weight
        self.temperature = temperature
        self.lane_emphasis = lane_emphasis
        self.teacher = frozen_teacher(teacher_weights, network, holder=self)
        names = frozenset({"kd", "kd_existence"} if existence_weight else {"kd"})
        self.imitation = names if wait_for_schedule else frozenset()
        self.has_label_losses = not wait_for_schedule

    def forward(
        self, images: Tensor, output: LaneNetOutput, targets: LaneTargets, *, imitate: bool = True
    ) -> dict[str, Tensor]:
        """The weighted KL over pixels, and over lane slots if it has a weight.

        Raises:
            ValueError: the teacher does not take images of this size.
        """
        if self.imitation and not imitate:
            return {}
        taught = self.teacher(images)
        valid = targets.lane_mask != IGNORE_INDEX
        losses = {
            "kd": self.kd_weight
            * prediction_kl(output, taught, self.temperature, valid=valid, lane_emphasis=self.lane_emphasis)
        }
        if self.existence_weight:
            losses["kd_existence"] = self.existence_weight * existence_kl(output, taught, self.temperature)
        return losses

    def diagnostics(self, images: Tensor, output: LaneNetOutput, targets: LaneTargets) -> dict[str, float]:
        """The share "kd_agreement" of pixels with the same class, of those that student or teacher gives to a lane."""
        agreement = lane_agreement(output, self.teacher(images), targets.lane_mask != IGNORE_INDEX)
        return {"kd_agreement": agreement}
