"""Teachers for tests: small networks that `load_weights` can build, and a student for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from factories import make_targets, write_weights

from lanenet_sad.distillation.teacher import FrozenTeacher, frozen_teacher
from lanenet_sad.models import LaneNetOutput, LaneTargets, enet
from lanenet_sad.models.lanenet import LaneNet

SIZE = (32, 64)


def write_teacher(folder: Path, *, num_lanes: int = 4, seed: int = 1) -> Path:
    """The weight file of an untrained ENet."""
    return write_weights(folder / f"teacher_{num_lanes}_{seed}.safetensors", num_lanes=num_lanes, seed=seed)


class Passer:
    """Asks for a teacher and does not stay."""


@contextmanager
def kept_teacher(path: Path) -> Iterator[FrozenTeacher]:
    """The teacher of a file, so that it is read once for many tests; none of its holders."""
    teacher = frozen_teacher(path, make_student().spec, holder=Passer())
    yield teacher


def make_student(seed: int = 0, dtype: torch.dtype = torch.float32) -> LaneNet:
    """An ENet without dropout, in eval mode."""
    torch.manual_seed(seed)
    return enet(num_lanes=4, dropout=0.0).to(dtype).eval()


def make_batch(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, LaneTargets]:
    """Noise as images, with labels."""
    images = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return images.to(dtype), make_targets(2, SIZE)


def total(losses: dict[str, torch.Tensor]) -> torch.Tensor:
    """What is added to the task loss."""
    return torch.stack(list(losses.values())).sum()


def as_leaves(output: LaneNetOutput, scale: float = 1.0) -> LaneNetOutput:
    """The output, scaled, as tensors that collect a gradient."""
    logits, existence, *features = (
        (scale * value.detach()).requires_grad_()
        for value in (output.segmentation_logits, output.existence_logits, *output.features)
    )
    return LaneNetOutput(logits, existence, tuple(features))
