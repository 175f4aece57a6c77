"""Attention transfer: the blocks of a network attend to what those of a trained, larger one attend to."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias, final

import torch
from torch import Tensor

from lanenet_sad.distillation.attention_map import (
    attention_map,
    effective_support,
    loss_gradients,
    map_distance,
    normalize_map,
    resize_map,
)
from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.distillation.settings import check_choice, check_pairs, check_positive, check_weights
from lanenet_sad.distillation.teacher import frozen_teacher
from lanenet_sad.models.interface import LaneNetOutput, LaneTargets, NetworkSpec

Mode: TypeAlias = Literal["activation", "gradient", "input_gradient"]
Form: TypeAlias = Literal["code", "paper"]

_PAIRS: Final = ((2, 2), (3, 3), (4, 4))
_INPUT: Final = ((0, 0),)
_WEIGHTS: Final[dict[tuple[Mode, Form], float]] = {
    ("activation", "code"): 1000.0,
    ("activation", "paper"): 0.1,
    ("gradient", "code"): 10.0,
    ("gradient", "paper"): 10.0,
    ("input_gradient", "code"): 1000.0,
    ("input_gradient", "paper"): 1.0,
}


@final
class AttentionTransfer(DistillationMethod):
    """AT (Zagoruyko and Komodakis 2017, arXiv:1612.03928) from a frozen teacher. Names: "at_2_2" for blocks 2 and 2.

    A block's map Q is the mean of |A|^p over its channels, so student and teacher may differ in width; the teacher's
    map is resized to the student's. What is compared (`mode`):

    * "activation": A are the features. This is what the authors published and recommend.
    * "gradient": A are the gradients of the segmentation loss in the features of both networks.
    * "input_gradient": J, the gradient of the segmentation loss in the image, as the paper defines gradient-based
      attention. Names: "at_input". The authors never published code for it.

    Both gradient modes need a second backward pass through the student, and a backward pass through the teacher.

    How it is compared (`form`), where paper and published code differ:

    * "code", the default: mean over all pixels of (Q_S/|Q_S| - Q_T/|Q_T|)^2, beta 1000. With H*W in the thousands
      this is about 0.1 to 0.3 times the sum over pixels, the scale of SAD's loss; its gradient vanishes as the maps
      meet.
    * "paper": for activations |Q_S/|Q_S| - Q_T/|Q_T||, half of it, not squared: its gradient keeps its size up to the
      minimum. For gradients |J_S - J_T|^2, half of it, not normalised: it depends on the scale of the losses (in mode
      "gradient" J are the blocks' maps). Mean over the images.

    Args:
        network: channels, strides and lane slots of the student, `network.spec`.
        teacher_weights: file of a trained network with as many lane slots; its blocks may differ.
        pairs: (student block, teacher block), 1-based; not used with mode="input_gradient".
        weight: of each pair; null: 1000 for activations as the code has it, otherwise what moves a lane network by
            about as much (for the code's and the paper's form: 1000 and 0.1 for activations, 10 and 10 for gradients,
            1000 and 1 for input gradients).
        mode: see above.
        form: see above.
        power: p; null: 2 for activations, 1 for gradients.
        align_corners: of the bilinear resizing.
        wait_for_schedule: act only after the schedule's start; the paper acts from step 0.

    Raises:
        FileNotFoundError: there is no such teacher.
        ValueError: the teacher has another lane count, a pair names a block that is not there, or a value is out of
            range.
    """

    def __init__(
        self,
        network: NetworkSpec,
        *,
        teacher_weights: Path,
        pairs: Sequence[tuple[int, int]] = _PAIRS,
        weight: float | None = None,
        mode: Mode = "activation",
        form: Form = "code",
        power: float | None = None,
        align_corners: bool = False,
        wait_for_schedule: bool = False,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        check_choice(name, "mode", mode, Mode)
        check_choice(name, "form", form, Form)
        self.mode: Mode = mode
        self.form: Form = form
        self.power = (2.0 if mode == "activation" else 1.0) if power is None else power
        check_positive(name, "power", self.power)
        self.weight = _WEIGHTS[mode, form] if weight is None else weight
        check_weights(name, {"weight": self.weight})
        self.align_corners = align_corners
        self.teacher = frozen_teacher(teacher_weights, network, holder=self)
        self._warn_without_effect(pairs)
        blocks = (network.num_blocks, self.teacher.spec.num_blocks)
        self.pairs = _INPUT if mode == "input_gradient" else check_pairs(name, pairs, *blocks)
        names = frozenset(self._name(pair) for pair in self.pairs)
        self.imitation = names if wait_for_schedule else frozenset()
        self.has_label_losses = not wait_for_schedule

    def extend_batch(self, images: Tensor, targets: LaneTargets) -> tuple[Tensor, LaneTargets]:
        """The same batch; with mode="input_gradient", images that a gradient can be taken in."""
        return (images.detach().requires_grad_() if self.mode == "input_gradient" else images), targets

    def forward(
        self, images: Tensor, output: LaneNetOutput, targets: LaneTargets, *, imitate: bool = True
    ) -> dict[str, Tensor]:
        """One weighted scalar for each pair. With mode="activation" targets are not read.

        Raises:
            ValueError: the teacher does not take images of this size, or a gradient mode and the output carries no
                graph (for mode="input_gradient": in images of `extend_batch`).
        """
        if self.imitation and not imitate:
            return {}
        students, teachers = self._maps(images, output, targets)
        losses = {
            self._name((student, teacher)): self._distance(students[student], teachers[teacher])
            for student, teacher in self.pairs
        }
        return {name: self.weight * loss for name, loss in losses.items()}

    def diagnostics(self, images: Tensor, output: LaneNetOutput, targets: LaneTargets) -> dict[str, float]:
        """Over how many pixels the maps of both networks are spread: "at_support_2" and "at_teacher_support_2"."""
        if self.mode != "activation":
            return {}
        with torch.no_grad():
            students, teachers = self._maps(images, output, targets)
        supports = {f"at_support_{block}": block_map for block, block_map in students.items()}
        supports |= {f"at_teacher_support_{block}": block_map for block, block_map in teachers.items()}
        return {name: float(effective_support(block_map).mean()) for name, block_map in supports.items()}

    def _maps(
        self, images: Tensor, output: LaneNetOutput, targets: LaneTargets
    ) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """Raw maps (B, H_k, W_k) of both networks' blocks; the paper's gradients in the image stay (B, 3, H, W)."""
        students, teachers = (tuple(sorted(set(blocks))) for blocks in zip(*self.pairs, strict=True))
        if self.mode == "activation":
            seen = self.teacher(images).features
            student_features = {block: output.features[block - 1] for block in students}
            teacher_features = {block: seen[block - 1] for block in teachers}
        else:
            self._check_graph(images, output)
            student_features = loss_gradients(images, output, targets, students, trainable=True)
            teacher_features = self.teacher.loss_gradients(images, targets, teachers)
        if self.pairs == _INPUT and self.form == "paper":
            return student_features, teacher_features
        mapping: Literal["sum", "mean"] = "mean" if self.mode == "activation" else "sum"
        student_maps = {block: attention_map(value, mapping, self.power) for block, value in student_features.items()}
        return student_maps, {
            block: attention_map(value, mapping, self.power) for block, value in teacher_features.items()
        }

    def _distance(self, student: Tensor, teacher: Tensor) -> Tensor:
        if self.form == "paper" and self.pairs == _INPUT:
            return map_distance(student, teacher) / 2
        teacher = resize_map(teacher, (int(student.shape[-2]), int(student.shape[-1])), self.align_corners)
        if self.form == "paper" and self.mode == "gradient":
            return map_distance(student, teacher) / 2
        student, teacher = normalize_map(student), normalize_map(teacher)
        if self.form == "code":
            return map_distance(student, teacher, "mean")
        norms: Tensor = torch.linalg.vector_norm((student - teacher).flatten(1), dim=1)
        return norms.mean() / 2

    def _check_graph(self, images: Tensor, output: LaneNetOutput) -> None:
        inputs = images.requires_grad or self.mode != "input_gradient"
        if not (output.segmentation_logits.requires_grad and inputs):
            raise ValueError(
                f"AttentionTransfer: mode={self.mode!r} needs an output with its graph; run the network on the images "
                f"of extend_batch, outside of torch.no_grad()."
            )

    def _warn_without_effect(self, pairs: Sequence[tuple[int, int]]) -> None:
        if self.mode != "input_gradient":
            return
        given = {
            "pairs": tuple(map(tuple, pairs)) != _PAIRS,
            "align_corners": self.align_corners,
            "power": self.form == "paper" and self.power != 1,
        }
        for setting in (name for name, differs in given.items() if differs):
            warnings.warn(
                f"AttentionTransfer: {setting} has no effect with mode='input_gradient', form={self.form!r}.",
                UserWarning,
                stacklevel=3,
            )

    def _name(self, pair: tuple[int, int]) -> str:
        return "at_input" if pair == (0, 0) else f"at_{pair[0]}_{pair[1]}"
