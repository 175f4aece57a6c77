"""Groups of a run's settings, and what is refused before anything is written."""

from __future__ import annotations

from dataclasses import dataclass

from lanenet_sad.lanes.view import InputView
from lanenet_sad.models.lanenet import LaneNet


@dataclass(frozen=True)
class Cadence:
    """How often a run reports, validates and saves.

    Attributes:
        log_every: steps between log rows (each with the share of distillation in loss and gradient).
        validate_every: steps between validations.
        checkpoint_every: steps between writes of `last.pt`.
        max_val_images: validate on the first so many images only; null: on all.
        keep_states: steps after which the whole state is kept as `state_<step>.pt` too. Renamed to `last.pt` in another
            run's folder, it lets that run go on from there with distillation that has not acted before that step.
    """

    log_every: int = 50
    validate_every: int = 1000
    checkpoint_every: int = 1000
    max_val_images: int | None = None
    keep_states: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "keep_states", tuple(self.keep_states))
        for name in ("log_every", "validate_every", "checkpoint_every", "max_val_images"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"Cadence {name}: expected at least 1, got {value}.")


@dataclass(frozen=True)
class Runtime:
    """Where and how a run computes.

    Attributes:
        precision: 32-true, bf16-mixed or 16-mixed.
        accelerator: auto, cpu, cuda or mps.
        devices: how many; under torchrun, its processes count instead.
        num_workers: processes that read and augment images; 0 reads in the training process.
        progress: show progress.
    """

    precision: str = "32-true"
    accelerator: str = "auto"
    devices: int = 1
    num_workers: int = 2
    progress: bool = True

    def __post_init__(self) -> None:
        if self.devices < 1 or self.num_workers < 0:
            raise ValueError(
                f"Runtime: expected devices >= 1 and num_workers >= 0, got {self.devices} and {self.num_workers}."
            )


def check_settings(
    model: LaneNet, view: InputView, *, batch_size: int, accumulate: int, clip_norm: float | None
) -> None:
    """Refuse settings that make no sense or do not fit together.

    Raises:
        ValueError: says which, and what to change.
    """
    for name, value in (("batch_size", batch_size), ("accumulate", accumulate)):
        if value < 1:
            raise ValueError(f"{name}: expected at least 1, got {value}.")
    if clip_norm is not None and not clip_norm > 0:
        raise ValueError(f"clip_norm: expected a positive norm, got {clip_norm}.")
    fixed = model.existence_head.input_size
    if fixed is not None and tuple(fixed) != view.input_size:
        raise ValueError(
            f"The network's existence head is made for an input of {fixed[0]}x{fixed[1]} pixels, the view's is "
            f"{view.input_size[0]}x{view.input_size[1]}; change one, or take existence_head: pooled."
        )
