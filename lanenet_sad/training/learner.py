"""The network, its task loss and its distillation in one forward: what DDP wraps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.losses.lane_loss import LaneLoss
from lanenet_sad.models.interface import LaneNetOutput, LaneTargets
from lanenet_sad.models.lanenet import LaneNet


class LearnerOutput(NamedTuple):
    """Losses of one batch. All are weighted: their sum is what is minimised."""

    task: dict[str, Tensor]
    distillation: dict[str, Tensor]
    output: LaneNetOutput

    @property
    def total(self) -> Tensor:
        """What is minimised, a scalar."""
        return torch.stack([*self.task.values(), *self.distillation.values()]).sum()


class Learner(nn.Module):
    """Model + task loss + distillation methods.

    Args:
        network: the lane network.
        loss: the task loss.
        distillation: methods, already built for the network's encoder.
    """

    def __init__(self, network: LaneNet, loss: LaneLoss, distillation: Sequence[DistillationMethod] = ()) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.distillation = nn.ModuleList(distillation)

    def forward(self, images: Tensor, targets: LaneTargets, distillation_scale: float) -> LearnerOutput:
        """Losses of a batch.

        Args:
            images: (B, 3, H, W), normalised.
            targets: labels of the batch.
            distillation_scale: factor on imitation losses; at 0 they are neither computed nor added.
        """
        output: LaneNetOutput = self.network(images)
        distillation: dict[str, Tensor] = {}
        for method in self.methods():
            if distillation_scale == 0 and not method.has_label_losses:
                continue
            for name, value in method(images, output, targets).items():
                if name not in method.imitation:
                    distillation[name] = value
                elif distillation_scale > 0:
                    distillation[name] = value * distillation_scale
        return LearnerOutput(self.loss(output, targets), distillation, output)

    def methods(self) -> Iterable[DistillationMethod]:
        """The distillation methods with their type."""
        return [method for method in self.distillation if isinstance(method, DistillationMethod)]

    def diagnostics(self, images: Tensor, losses: LearnerOutput, targets: LaneTargets) -> dict[str, float]:
        """Is distillation alive? Its share of the loss and of the encoder's gradient, and what methods report.

        A SAD term whose maps are saturated has a value but no gradient; `distillation_gradient_share` shows it.
        """
        values: dict[str, float] = {}
        if losses.distillation:
            task = torch.stack(list(losses.task.values())).sum()
            added = torch.stack(list(losses.distillation.values())).sum()
            encoder = [p for p in self.network.encoder.parameters() if p.requires_grad]
            values["distillation_loss_share"] = float(added.detach() / task.detach().clamp_min(1e-12))
            values["distillation_gradient_share"] = gradient_norm(added, encoder) / max(
                gradient_norm(task, encoder), 1e-12
            )
        for method in self.methods():
            values.update(method.diagnostics(images, losses.output, targets))
        return values


def gradient_norm(loss: Tensor, parameters: Sequence[Tensor]) -> float:
    """L2 norm of d loss / d parameters, without touching their `.grad`."""
    if not loss.requires_grad:
        return 0.0
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    squares = [gradient.float().square().sum() for gradient in gradients if gradient is not None]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0
