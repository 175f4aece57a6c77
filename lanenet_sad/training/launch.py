"""Fabric over the devices of a run, and what its processes have to agree on."""

from __future__ import annotations

import hashlib
import os
import warnings
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.optim import Optimizer

from lanenet_sad.datasets.sampling import SampleSet
from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.distillation.teacher import FrozenTeacher
from lanenet_sad.training.learner import Learner
from lanenet_sad.training.options import Runtime
from lanenet_sad.training.schedule import Schedule


def launch(runtime: Runtime) -> Fabric:
    """Fabric over the devices asked for, or over the processes that torchrun has started.

    Raises:
        ValueError: such a device or precision is not to be had here.
    """
    world_size, local = (int(os.environ.get(name, "0")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    devices, nodes = (local, world_size // local) if world_size and local else (runtime.devices, 1)
    try:
        fabric = Fabric(
            accelerator=runtime.accelerator,
            devices=devices,
            num_nodes=nodes,
            # A loss of weight 0 leaves its branch of the network without a gradient.
            strategy="ddp_find_unused_parameters_true" if devices * nodes > 1 else "auto",
            precision=runtime.precision,  # type: ignore[arg-type]
        )
        fabric.launch()
    except (RuntimeError, ImportError) as error:
        raise ValueError(f"Runtime {runtime.accelerator} x {devices}, {runtime.precision}: {error}") from error
    return fabric


def any_rank(fabric: Fabric, flag: bool) -> bool:
    """Whether any process says so: all must leave the loop at the same step."""
    if fabric.world_size == 1:
        return flag
    total = fabric.all_reduce(torch.tensor(float(flag), device=fabric.device), reduce_op="sum")
    return bool(total > 0)  # type: ignore[operator]


def run_settings(
    fabric: Fabric,
    learner: Learner,
    optimizer: Optimizer,
    schedule: Schedule,
    data: SampleSet,
    seed: int,
    *,
    batch_size: int,
    accumulate: int,
) -> dict[str, Any]:
    """What a resumed run must have in common with the one before, or it would not be the same run.

    Warns of distillation that never acts.
    """
    methods = [type(method).__name__ for method in learner.methods()]
    waiting = [type(method).__name__ for method in learner.methods() if method.imitation]
    if waiting and schedule.start >= schedule.max_steps:
        warnings.warn(
            f"Distillation ({', '.join(waiting)}) starts at step {schedule.start}, and training ends at "
            f"{schedule.max_steps}: it never acts. Set schedule.distillation_start.",
            stacklevel=3,
        )
    return {
        "seed": seed,
        "num_samples": list(data.sizes),
        "shares": list(data.shares),
        "batch_size": batch_size,
        "accumulate": accumulate,
        "world_size": fabric.world_size,
        "learning_rate": [group["lr"] for group in optimizer.param_groups],
        "max_steps": schedule.max_steps,
        "distillation": methods,
        "distillation_start": schedule.start,
        "distillation_acts_from": _acts_from(learner, schedule),
        "distillation_ramp": (schedule.distillation_ramp, schedule.distillation_ramp_shape),
        **_method_settings(learner),
    }


def _method_settings(learner: Learner) -> dict[str, Any]:
    """Every setting of every method by name, such as `distillation.0.weight`; of a teacher, its file's digest."""
    settings: dict[str, Any] = {}
    for number, method in enumerate(learner.methods()):
        for name, value in vars(method).items():
            if isinstance(value, FrozenTeacher):
                value = hashlib.sha256(value.path.read_bytes()).hexdigest()[:16]
            plain = isinstance(value, (bool, int, float, str, tuple, dict)) and not name.startswith("_")
            if plain and name != "training":
                settings[f"distillation.{number}.{name}"] = value
    return settings


def _acts_from(learner: Learner, schedule: Schedule) -> int:
    """The first step at which a run differs from one without distillation."""
    methods = list(learner.methods())
    early = any(
        method.has_label_losses
        or type(method).extend_batch is not DistillationMethod.extend_batch
        or any(True for _ in method.parameters())  # which the other run's state has no values for
        for method in methods
    )
    return 0 if early else schedule.start if methods else schedule.max_steps
