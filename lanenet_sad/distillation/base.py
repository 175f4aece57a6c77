"""What every distillation method has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from lanenet_sad.models.exits import ExitHead
from lanenet_sad.models.interface import LaneNetOutput, LaneTargets


class DistillationMethod(nn.Module, ABC):
    """A loss on what the network saw inside, added to the task loss.

    A final subclass owns the extra layers it needs; they are trained with the network and left behind on export. The
    network knows nothing of it: a method reads what `LaneNetOutput` holds.

    *When* imitation acts is the schedule's business. A method all of whose losses wait for it is not called while the
    schedule's scale is 0, and costs nothing; later the caller multiplies the losses named in `imitation` by the scale.

    Attributes:
        imitation: names of the losses that wait for the schedule. Losses on labels, and on what a trained teacher says,
            are not among them: they act from step 0.
        has_label_losses: whether there are such losses, so that the method must be called from step 0.
    """

    imitation: frozenset[str] = frozenset()
    has_label_losses: bool = False

    @abstractmethod
    def forward(
        self, images: Tensor, output: LaneNetOutput, targets: LaneTargets, *, imitate: bool = True
    ) -> dict[str, Tensor]:
        """Named scalars, already weighted, to be added to the task loss.

        Args:
            images: (B, 3, H, W), what the network was given.
            output: what it returned, with its graph.
            targets: the labels.
            imitate: compute the losses named in `imitation`; False before the schedule's start. A method without
                `has_label_losses` is not called then.
        """

    def extend_batch(self, images: Tensor, targets: LaneTargets) -> tuple[Tensor, LaneTargets]:
        """What the network shall see instead of a batch, such as each image a second time, augmented.

        Called before the network, in the order of the methods, from step 0 on; all losses, those of the task too, are
        taken on what comes back.
        """
        return images, targets

    def diagnostics(self, images: Tensor, output: LaneNetOutput, targets: LaneTargets) -> dict[str, float]:
        """Named numbers for the log that tell whether the method is alive; never part of a loss."""
        return {}

    def exits(self) -> Mapping[int, ExitHead]:
        """The heads, by block, with which the network can be left early; they are kept beside its weights."""
        return {}
