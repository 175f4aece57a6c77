"""What the clock of training decides: the learning rate and when distillation acts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

RampShape: TypeAlias = Literal["linear", "sigmoid"]


@dataclass(frozen=True)
class Schedule:
    """Poly learning rate with linear warm-up, and a late, ramped start of distillation.

    ENet-SAD trains with `lr * (1 - step / max_steps) ** 0.9`; SAD starts at 40,000 of 60,000 steps on CULane
    and at 1,200 of 1,800 on TuSimple, that is after two thirds. Its author advises to raise its weight
    gradually, hence the ramp.

    Attributes:
        max_steps: optimizer steps of the whole run.
        warmup_steps: steps over which the learning rate rises linearly from 0.
        power: exponent of the poly decay; 0 keeps the rate constant.
        distillation_start: step from which imitation losses act; None: two thirds of `max_steps`.
        distillation_ramp: fraction of `max_steps` over which their weight rises to 1.
        distillation_ramp_shape: "linear", or "sigmoid" as the code of FRSKD has it (see `sigmoid_ramp`).
    """

    max_steps: int = 60_000
    warmup_steps: int = 0
    power: float = 0.9
    distillation_start: int | None = None
    distillation_ramp: float = 0.05
    distillation_ramp_shape: RampShape = "linear"

    def __post_init__(self) -> None:
        if self.max_steps < 1 or self.warmup_steps < 0:
            raise ValueError(
                f"Schedule: expected max_steps >= 1 and warmup_steps >= 0, "
                f"got {self.max_steps} and {self.warmup_steps}."
            )
        if self.distillation_start is not None and self.distillation_start < 0:
            raise ValueError(f"Schedule: expected distillation_start >= 0, got {self.distillation_start}.")
        if not 0 <= self.distillation_ramp <= 1:
            raise ValueError(f"Schedule: distillation_ramp is a fraction of the run, got {self.distillation_ramp}.")
        if self.distillation_ramp_shape not in ("linear", "sigmoid"):
            raise ValueError(
                f"Schedule distillation_ramp_shape: expected linear or sigmoid, got {self.distillation_ramp_shape!r}."
            )

    @property
    def start(self) -> int:
        """The first step at which distillation acts."""
        return round(self.max_steps * 2 / 3) if self.distillation_start is None else self.distillation_start

    def learning_rate_scale(self, step: int) -> float:
        """Factor on the optimizer's learning rate at a step, 0..1."""
        warmup = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        decay = max(0.0, 1 - step / self.max_steps)
        return float(warmup * decay**self.power)

    def distillation_scale(self, step: int) -> float:
        """Factor on imitation losses at a step: 0 before the start, then a ramp up to 1."""
        if step < self.start:
            return 0.0
        ramp = self.distillation_ramp * self.max_steps
        progress = min(1.0, (step - self.start + 1) / ramp) if ramp >= 1 else 1.0
        return sigmoid_ramp(progress) if self.distillation_ramp_shape == "sigmoid" else progress


def sigmoid_ramp(progress: float) -> float:
    """exp(-5 (1 - progress)^2): 0.007 at 0, then slow at both ends, 1 at 1 (Laine and Aila 2017, arXiv:1610.02242)."""
    return math.exp(-5 * (1 - progress) ** 2)
