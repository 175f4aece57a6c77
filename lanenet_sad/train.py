"""Train a lane network: the whole loop, readable top to bottom."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from lanenet_sad.benchmarks import find_benchmark
from lanenet_sad.datasets.base import LaneDataset
from lanenet_sad.datasets.mixture import mixed
from lanenet_sad.datasets.sampling import SampleSet, StepBatches, collate, initialize_worker
from lanenet_sad.datasets.transforms import TrainTransform
from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.inference.predictor import shipped_weights
from lanenet_sad.lanes.view import InputView
from lanenet_sad.losses.lane_loss import LaneLoss
from lanenet_sad.models.interface import NetworkSpec
from lanenet_sad.models.lanenet import LaneNet
from lanenet_sad.models.weights import NetworkCard, start_from
from lanenet_sad.training.checkpoint import Progress, resume_checkpoint
from lanenet_sad.training.ema import WeightAverage
from lanenet_sad.training.keeper import Keeper, divergence
from lanenet_sad.training.launch import any_rank, launch, run_settings
from lanenet_sad.training.learner import Learner, LearnerOutput
from lanenet_sad.training.log import MetricLog
from lanenet_sad.training.options import Cadence, Runtime, check_settings
from lanenet_sad.training.progress import StepProgress, StopRequest
from lanenet_sad.training.run_folder import prepare_run_folder
from lanenet_sad.training.schedule import Schedule
from lanenet_sad.training.validator import Validator


@dataclass(frozen=True)
class TrainingSummary:
    """What a finished run has to say.

    Attributes:
        output_dir: where checkpoints, logs and `config.yaml` are.
        steps: optimizer steps done in all.
        best_score: best official validation score; None without validation.
        images_per_second: of this call, validation not counted.
        distillation_gradient_share: gradient of the distillation terms / gradient of the task loss in the
            encoder, at the last logged step; None where no distillation acted.
        faults: one sentence per unreadable training file that was passed over.
    """

    output_dir: Path
    steps: int
    best_score: float | None
    images_per_second: float
    distillation_gradient_share: float | None
    faults: tuple[str, ...] = ()


@dataclass
class _Run:
    """The parts of one run, so that the functions below can be short."""

    fabric: Fabric
    learner: Any  # a Learner as Fabric wraps it
    optimizer: Any
    schedule: Schedule
    cadence: Cadence
    keeper: Keeper
    clip_norm: float | None
    accumulate: int
    check: Callable[[Keeper], float | None]
    last_diagnostics: dict[str, float] = field(default_factory=dict)
    images_seen: int = 0
    seconds: float = 0.0


def train(
    *,
    benchmark: str,
    root: Path,
    out: Path,
    model: LaneNet,
    view: InputView,
    loss: LaneLoss | None = None,
    distillation: Sequence[Callable[[NetworkSpec], DistillationMethod]] = (),
    optimizer: Callable[[Iterable[Tensor]], Optimizer] = torch.optim.SGD,
    schedule: Schedule = Schedule(),  # noqa: B008 - frozen
    augmentation: Callable[[InputView], TrainTransform] = TrainTransform,
    train_split: str = "train",
    val_split: str | None = "val",
    mix: Sequence[LaneDataset] = (),
    mix_shares: Sequence[float] = (),
    canvas_width: int | None = None,
    batch_size: int = 12,
    accumulate: int = 1,
    clip_norm: float | None = None,
    ema_decay: float | None = None,
    threshold: float | None = None,
    cadence: Cadence = Cadence(),  # noqa: B008 - frozen
    runtime: Runtime = Runtime(),  # noqa: B008 - frozen
    seed: int = 0,
    resume: bool = False,
    init_weights: Path | None = None,
    configuration: str | None = None,
) -> TrainingSummary:
    """Train a lane network on a benchmark, with distillation after its start step; returns a summary.

    Args:
        benchmark: culane, tusimple, bdd100k, llamas or curvelanes: layout, lane slots and official metric.
        root: the benchmark's folder.
        out: folder that gets `last.pt`, `best.safetensors`, `before_distillation.safetensors`, `config.yaml`, logs.
        model: the network to train.
        view: input size and the part of a picture that the network sees.
        loss: the task loss; null: cross-entropy + 0.1 IoU + 0.1 existence.
        distillation: methods to add, each called with the network's spec.
        optimizer: called with the parameters.
        schedule: learning rate over steps, start and ramp of distillation.
        augmentation: called with the view.
        train_split: the split to train on.
        val_split: the split to choose the best checkpoint on; null: no validation.
        mix: further datasets to train on beside the benchmark's split, such as rendered roads.
        mix_shares: of each of them in the samples drawn, 0 to 1; the benchmark's split gets the rest.
        canvas_width: validate with every image scaled to this width (CULane metric, mixed image sizes).
        batch_size: images per forward on each device.
        accumulate: forwards per optimizer step.
        clip_norm: largest gradient norm; null: no clipping.
        ema_decay: decay of the weights' moving average, which is then validated and kept; null: none.
        threshold: lowest probability of a lane point, kept in the weights; null: the benchmark's, not kept.
        cadence: how often to log, validate and save.
        runtime: precision, device, worker processes.
        seed: of weights, data order, augmentation and dropout.
        resume: continue from `last.pt`; the result equals that of an uninterrupted run.
        init_weights: start from this file (or the word shipped: the package's weights), even of another lane count.
        configuration: the complete configuration as YAML text, written beside the checkpoints.
    """
    check_settings(model, view, batch_size=batch_size, accumulate=accumulate, clip_norm=clip_norm)
    kind = find_benchmark(benchmark)
    own = kind.dataset(root, train_split, model.num_lanes)
    data = SampleSet(mixed(own, mix, mix_shares), augmentation(view), skip_bad=True)
    held_out = kind.dataset(root, val_split, model.num_lanes) if val_split else None
    origin = "" if init_weights is None or resume else _start(model, init_weights)
    fabric = launch(runtime)
    learner, ema = _learner(fabric, model, loss or LaneLoss(), distillation, ema_decay)
    plain = optimizer([p for p in learner.parameters() if p.requires_grad])
    settings = run_settings(fabric, learner, plain, schedule, data, seed, batch_size=batch_size, accumulate=accumulate)
    progress = _resumed(fabric, out, learner, plain, ema, settings) if resume else Progress()
    if fabric.is_global_zero:
        prepare_run_folder(out, configuration, resume=resume)
        print(origin, end="")
    wrapped, wrapped_optimizer = fabric.setup(learner, plain)
    history = {"benchmark": benchmark, "seed": seed, "train_split": train_split}
    card = NetworkCard(model.recipe, view, history, threshold)
    keeper = Keeper(fabric, learner, wrapped_optimizer, ema, card, progress, out, settings)
    check = Validator(kind, held_out, canvas_width, cadence.max_val_images, batch_size, runtime.num_workers)
    run = _Run(fabric, wrapped, wrapped_optimizer, schedule, cadence, keeper, clip_norm, accumulate, check)
    _fit(run, _loader(run, data, batch_size, runtime.num_workers, seed), seed, show=runtime.progress)
    return _summary(run, [*data.faults, *check.faults])


def _learner(
    fabric: Fabric,
    model: LaneNet,
    loss: LaneLoss,
    distillation: Sequence[Callable[[NetworkSpec], DistillationMethod]],
    ema_decay: float | None,
) -> tuple[Learner, WeightAverage | None]:
    """Model, loss and methods on the run's device, and the average of the weights of model and exits."""
    learner = Learner(model, loss, [method(model.spec) for method in distillation])
    learner.to(fabric.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return learner, WeightAverage(model, ema_decay, learner.exits()) if ema_decay else None


def _start(model: LaneNet, init_weights: Path) -> str:
    """Fill the network from other weights; returns a line that says what was left as it was."""
    path = shipped_weights() if init_weights == Path("shipped") else init_weights
    left = start_from(model, path)
    more = f" and {len(left) - 8} tensors more" if len(left) > 8 else ""
    rest = f"left as initialised: {', '.join(left[:8])}{more}" if left else "every tensor fits"
    return f"Started from the weights {path}; {rest}.\n"


def _resumed(
    fabric: Fabric,
    out: Path,
    learner: Learner,
    optimizer: Optimizer,
    ema: WeightAverage | None,
    settings: dict[str, Any],
) -> Progress:
    """Fill everything from `last.pt`."""
    progress, scaler = resume_checkpoint(out / "last.pt", learner, optimizer, ema, settings)
    fabric.strategy.precision.load_state_dict(scaler)
    return progress


def _summary(run: _Run, faults: list[str]) -> TrainingSummary:
    progress = run.keeper.progress
    share = run.last_diagnostics.get("distillation_gradient_share")
    rate = run.images_seen / run.seconds if run.seconds else 0.0
    unreadable = tuple(dict.fromkeys(faults))
    if run.fabric.is_global_zero:
        best = "" if progress.best_score is None else f", best validation score {progress.best_score:.4f}"
        print(f"{progress.step} of {run.schedule.max_steps} steps done{best}; wrote {run.keeper.output_dir}")
    return TrainingSummary(run.keeper.output_dir, progress.step, progress.best_score, rate, share, unreadable)


def _loader(run: _Run, data: SampleSet, batch_size: int, num_workers: int, seed: int) -> Iterable[Any]:
    """Batches from the run's current step on; the order is a function of (seed, step)."""
    batches = StepBatches(
        data.sizes,
        batch_size * run.fabric.world_size,
        seed,
        start_step=run.keeper.progress.step * run.accumulate,
        num_steps=max(0, run.schedule.max_steps - run.keeper.progress.step) * run.accumulate,
        rank=run.fabric.global_rank,
        world_size=run.fabric.world_size,
        shares=data.shares,
    )
    processes = min(num_workers, os.cpu_count() or 1)
    loader: DataLoader[Any] = DataLoader(
        data, batch_sampler=batches, num_workers=processes, collate_fn=collate, worker_init_fn=initialize_worker
    )
    return loader


def _fit(run: _Run, loader: Iterable[Any], seed: int, *, show: bool) -> None:
    """The loop. Ctrl-C ends it after the current step, with `last.pt` written."""
    keeper, progress, cadence, last = run.keeper, run.keeper.progress, run.cadence, run.schedule.max_steps
    first_rank = run.fabric.is_global_zero
    batches = iter(loader)
    with (
        MetricLog(keeper.output_dir, progress.step, enabled=first_rank) as log,
        StepProgress(last, progress.step, enabled=show and first_rank) as display,
        StopRequest() as stop,
    ):
        if progress.step == last and any_rank(run.fabric, log.lacks("val_score", last)):
            log.write(last, _validated(run))  # it was stopped between its last step and that step's validation
        while progress.step < last:
            if progress.step == run.schedule.start and len(run.learner.module.distillation):
                keeper.save_network("before_distillation.safetensors")
            torch.manual_seed(seed * 1_000_003 + progress.step * run.fabric.world_size + run.fabric.global_rank)
            due = progress.step == 0 or (progress.step + 1) % cadence.log_every == 0 or progress.step + 1 == last
            values = _step(run, batches, with_diagnostics=due)
            progress.step += 1
            display.advance(values["loss"], run.images_seen / run.seconds)
            validates = progress.step % cadence.validate_every == 0 or progress.step == last
            stops = any_rank(run.fabric, stop.requested)
            if validates or stops or progress.step % cadence.checkpoint_every == 0:
                keeper.save_state()
            if progress.step in cadence.keep_states:
                keeper.save_state(f"state_{progress.step}.pt")
            if validates and not stops:
                values |= _validated(run)
            if due or "val_score" in values:
                log.write(progress.step, values)
                display.line(progress.step, values)
            if stops:
                raise KeyboardInterrupt


def _validated(run: _Run) -> dict[str, float]:
    """Validates, and keeps the network if it is the best so far; returns what to log."""
    score = run.check(run.keeper)
    run.keeper.save_state()  # with the best score in it
    return {} if score is None else {"val_score": score}


def _step(run: _Run, batches: Iterator[Any], *, with_diagnostics: bool) -> dict[str, float]:
    """One optimizer step over `accumulate` forwards; returns what to log."""
    run.learner.train()
    step, device, started = run.keeper.progress.step, run.fabric.device, perf_counter()
    _set_learning_rate(run.optimizer, run.schedule.learning_rate_scale(step))
    values: dict[str, float] = {}
    for micro in range(run.accumulate):
        images, targets, _ = next(batches)
        images = images.to(device, memory_format=torch.channels_last, non_blocking=True)
        targets = type(targets)(*(label.to(device, non_blocking=True) for label in targets))
        due = with_diagnostics and micro == 0
        with run.fabric.no_backward_sync(run.learner, enabled=micro + 1 < run.accumulate):
            losses: LearnerOutput = run.learner(images, targets, run.schedule.distillation_scale(step), due)
            total = losses.total
            if not torch.isfinite(total):
                parts = {**losses.task, **losses.distillation}
                bad = [name for name, value in parts.items() if not torch.isfinite(value)]
                raise ValueError(divergence(step + 1, ", ".join(bad) or "the total loss"))
            if due:
                run.last_diagnostics = losses.diagnostics
                values.update(losses.diagnostics)
            run.fabric.backward(total / run.accumulate)
        for name, value in {"loss": total, **losses.task, **losses.distillation}.items():
            values[name] = values.get(name, 0.0) + float(value.detach()) / run.accumulate
        run.images_seen += len(images) * run.fabric.world_size
    if run.clip_norm is not None:
        norm = run.fabric.clip_gradients(run.learner, run.optimizer, max_norm=run.clip_norm, error_if_nonfinite=False)
        values["gradient_norm"] = float(norm) if norm is not None else 0.0
        if not math.isfinite(values["gradient_norm"]) and not run.fabric.strategy.precision.state_dict():
            raise ValueError(divergence(step + 1, "the gradient"))  # a loss scaler would pass over such a step
    run.optimizer.step()
    run.optimizer.zero_grad()
    if run.keeper.ema is not None:
        run.keeper.ema.update(run.keeper.learner.network, step)
    run.seconds += perf_counter() - started
    return {**values, "learning_rate": run.optimizer.param_groups[0]["lr"]}


def _set_learning_rate(optimizer: Any, scale: float) -> None:
    for group in optimizer.param_groups:
        group.setdefault("base_lr", group["lr"])
        group["lr"] = group["base_lr"] * scale
