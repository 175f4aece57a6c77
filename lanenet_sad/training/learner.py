"""The network, its task loss and its distillation in one forward: what DDP wraps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lanenet_sad.distillation.attention_map import attention_map, effective_support
from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.losses.lane_loss import LaneLoss
from lanenet_sad.models.exits import ExitHead
from lanenet_sad.models.interface import LaneNetOutput, LaneTargets
from lanenet_sad.models.lanenet import LaneNet


class LearnerOutput(NamedTuple):
    """Losses of one batch. All are weighted: their sum is what is minimised."""

    task: dict[str, Tensor]
    distillation: dict[str, Tensor]
    diagnostics: dict[str, float]  # no losses: what is logged beside them

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

    def forward(
        self, images: Tensor, targets: LaneTargets, distillation_scale: float, with_diagnostics: bool = False
    ) -> LearnerOutput:
        """Losses of a batch.

        Args:
            images: (B, 3, H, W), normalised.
            targets: labels of the batch.
            distillation_scale: factor on imitation losses; at 0 they are neither computed nor added.
            with_diagnostics: also find out whether distillation is alive (costs two more backward passes).
        """
        for method in self.methods():
            images, targets = method.extend_batch(images, targets)
        output: LaneNetOutput = self.network(images)
        distillation: dict[str, Tensor] = {}
        for method in self.methods():
            if distillation_scale == 0 and not method.has_label_losses:
                continue
            losses = method(images, output, targets, imitate=distillation_scale > 0)
            twice = sorted(losses.keys() & distillation.keys())
            if twice:
                raise ValueError(
                    f"Distillation: two methods have a loss {twice[0]!r}, of which one would be lost; "
                    f"put what they do into one {type(method).__name__}, or leave one out."
                )
            waiting = {name: value * distillation_scale for name, value in losses.items() if name in method.imitation}
            distillation.update(losses | waiting)
        task = self.loss(output, targets)
        if not with_diagnostics:
            return LearnerOutput(task, distillation, {})
        diagnostics = {**block_supports(output), **self._gradient_share(task, distillation)}
        for method in self.methods():
            diagnostics.update(method.diagnostics(images, output, targets))
        return LearnerOutput(task, distillation, diagnostics)

    def methods(self) -> Iterable[DistillationMethod]:
        """The distillation methods with their type."""
        return [method for method in self.distillation if isinstance(method, DistillationMethod)]

    def exits(self) -> Mapping[int, ExitHead]:
        """The exits that the methods train, by block; where two train one behind the same block, the first one's."""
        found: dict[int, ExitHead] = {}
        for method in self.methods():
            found = {**method.exits(), **found}
        return found

    def _gradient_share(self, task: dict[str, Tensor], distillation: dict[str, Tensor]) -> dict[str, float]:
        """Distillation / task, of the loss and of the gradient in the encoder.

        A SAD term whose maps are saturated has a value but no gradient; this shows it.
        """
        if not distillation:
            return {}
        of_task, added = (torch.stack(list(losses.values())).sum() for losses in (task, distillation))
        encoder = [parameter for parameter in self.network.encoder.parameters() if parameter.requires_grad]
        norm = max(gradient_norm(of_task, encoder), 1e-12)
        return {
            "distillation_loss_share": float(added.detach() / of_task.detach().clamp_min(1e-12)),
            "distillation_gradient_share": gradient_norm(added, encoder) / norm,
        }


@torch.no_grad()
def block_supports(output: LaneNetOutput) -> dict[str, float]:
    """Over how many pixels the attention of each block is spread, with distillation and without; "support_k".

    A method that normalises its maps otherwise, such as SAD with a softmax, logs its own numbers under these names.
    """
    supports = (effective_support(attention_map(feature)).mean() for feature in output.features)
    return {f"support_{block}": float(support) for block, support in enumerate(supports, start=1)}


def gradient_norm(loss: Tensor, parameters: Sequence[Tensor]) -> float:
    """L2 norm of d loss / d parameters, without touching their `.grad`."""
    if not loss.requires_grad:
        return 0.0
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    squares = [gradient.float().square().sum() for gradient in gradients if gradient is not None]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0
