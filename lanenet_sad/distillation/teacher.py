"""A trained network that others learn from."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from lanenet_sad.distillation.attention_map import loss_gradients
from lanenet_sad.losses.functional import at_least_float32
from lanenet_sad.models.interface import LaneNetOutput, LaneTargets, NetworkSpec
from lanenet_sad.models.lanenet import LaneNet
from lanenet_sad.models.normalization import IMAGE_MEAN, IMAGE_STD, Normalization
from lanenet_sad.models.weights import load_weights


@final
class FrozenTeacher:
    """A network of a weight file in eval mode, without gradients into its weights.

    It is no `nn.Module`, so that the method that holds it does not own its weights: optimizer, DDP, `train()` and
    checkpoints pass it by. It follows the images to their device, computes in at least float32, also under autocast,
    and sees them in its own normalisation.

    Build it with `frozen_teacher`, which lets methods with the same weight file share one network and one forward
    pass.

    Attributes:
        path: the weight file.
        spec: channels and strides of its blocks, and its lane slots.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        network, card = load_weights(path)
        network.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network: LaneNet = network
        self._normalization = card.normalization
        self.spec: NetworkSpec = network.spec
        self._holders: weakref.WeakSet[object] = weakref.WeakSet()
        self._seen: tuple[weakref.ref[Tensor], int, LaneNetOutput] | None = None

    def __call__(self, images: Tensor) -> LaneNetOutput:
        """What the teacher says about (B, 3, H, W) normalised images, without a graph.

        Where several methods hold this teacher its last output is kept, and given again for the same images.

        Raises:
            ValueError: the existence head of the teacher is made for another size of images.
        """
        if self._seen is not None and self._seen[0]() is images and self._seen[1] == images._version:
            return self._seen[2]
        self._seen = None
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            output: LaneNetOutput = self._moved_to(images)(self._as_trained(at_least_float32(images)))
        if len(self._holders) > 1 and not images.is_inference():
            self._seen = (weakref.ref(images), images._version, output)
        return output

    def loss_gradients(self, images: Tensor, targets: LaneTargets, blocks: tuple[int, ...]) -> dict[int, Tensor]:
        """The gradients of the teacher's segmentation loss in its features, or in the images (block 0).

        Per image: what a loss that is summed over the images would have, so that they do not depend on the batch size.

        Args:
            images: (B, 3, H, W), normalised.
            targets: the labels.
            blocks: 1-based, 0 for the images.

        Raises:
            ValueError: as for a call.
        """
        network = self._moved_to(images)
        with torch.enable_grad(), torch.autocast(images.device.type, enabled=False):
            inputs = at_least_float32(images).detach().requires_grad_()
            output: LaneNetOutput = network(self._as_trained(inputs))
            return loss_gradients(inputs, output, targets, blocks, trainable=False)

    def _as_trained(self, images: Tensor) -> Tensor:
        """Images in the teacher's normalisation; those of a student in training have the default one."""
        if self._normalization == Normalization():
            return images
        mean, std, own_mean, own_std = (
            torch.tensor(values, device=images.device, dtype=images.dtype).view(3, 1, 1)
            for values in (IMAGE_MEAN, IMAGE_STD, self._normalization.mean, self._normalization.std)
        )
        return (images * std + mean - own_mean) / own_std

    def _moved_to(self, images: Tensor) -> LaneNet:
        self.check_size((int(images.shape[-2]), int(images.shape[-1])))
        return self._network.to(images.device, torch.promote_types(images.dtype, torch.float32))

    def check_size(self, size: tuple[int, int]) -> None:
        """Refuses images of a (height, width) that the teacher's existence head is not made for.

        Raises:
            ValueError: says which size it takes.
        """
        fixed = self._network.existence_head.input_size
        if fixed is not None and fixed != size:
            raise ValueError(
                f"Teacher weights {self.path}: the teacher's existence head is made for images of "
                f"{fixed[0]}x{fixed[1]} pixels, the student's are {size[0]}x{size[1]}; train at the teacher's size, or "
                f"take a teacher with existence_head='pooled'."
            )


_TEACHERS: weakref.WeakValueDictionary[tuple[Path, int], FrozenTeacher] = weakref.WeakValueDictionary()


def frozen_teacher(path: Path, student: NetworkSpec, holder: object) -> FrozenTeacher:
    """The teacher of a weight file, the same one for all that ask for the same file.

    Args:
        path: as in `load_weights`.
        student: of the network that is to learn from it.
        holder: who keeps it; what the teacher says is remembered for as long as there is more than one.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file cannot be read, or its network has another lane count than the student.
    """
    path = Path(path)
    key = (path.resolve(), path.stat().st_mtime_ns if path.is_file() else 0)
    teacher = _TEACHERS.get(key)
    if teacher is None:
        teacher = FrozenTeacher(path)
    if teacher.spec.num_lanes != student.num_lanes:
        raise ValueError(
            f"Teacher weights {path}: the teacher has {teacher.spec.num_lanes} lane slots, the student "
            f"{student.num_lanes}; take a teacher that was trained with the student's num_lanes."
        )
    _TEACHERS[key] = teacher
    teacher._holders.add(holder)
    return teacher
