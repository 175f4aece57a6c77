"""What a run needs to continue as if it had never stopped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lanenet_sad.lanes.files import replacing
from lanenet_sad.models.checkpoint_file import load_checkpoint_file
from lanenet_sad.models.exits import state_with_exits
from lanenet_sad.models.weights import NetworkCard, fill_network
from lanenet_sad.training.ema import WeightAverage
from lanenet_sad.training.learner import Learner


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        step: optimizer steps done.
        best_score: best validation score so far; None before the first validation.
        best_step: the step of that score.
    """

    step: int = 0
    best_score: float | None = None
    best_step: int | None = None


def save_checkpoint(
    path: Path,
    card: NetworkCard,
    learner: Learner,
    optimizer: Optimizer,
    ema: WeightAverage | None,
    progress: Progress,
    settings: dict[str, Any],
    precision: dict[str, Any],
) -> None:
    """Write everything but the data order, which is a function of (seed, step).

    Args:
        path: of the file.
        card: what the network is.
        learner: network and distillation methods.
        optimizer: with its state.
        ema: averaged weights, if any.
        progress: where the run stands.
        settings: what a resumed run must have in common with this one.
        precision: state of the loss scaler of 16-mixed; empty otherwise.
    """
    exits = learner.exits()
    card = replace(card, exits={block: head.width for block, head in exits.items()})
    content: dict[str, Any] = {
        "card": card.to_json(),
        "network": _on_cpu(learner.network.state_dict()),
        "exits": _on_cpu(state_with_exits(nn.Module(), exits)),
        "distillation": _on_cpu(learner.distillation.state_dict()),
        "optimizer": optimizer.state_dict(),
        "ema": _on_cpu(ema.state) if ema else None,
        "progress": vars(progress).copy(),
        "settings": settings,
        "precision": precision,
    }
    with replacing(path) as temporary:
        torch.save(content, temporary)


def resume_checkpoint(
    path: Path, learner: Learner, optimizer: Optimizer, ema: WeightAverage | None, settings: dict[str, Any]
) -> tuple[Progress, dict[str, Any]]:
    """Fill a freshly built run from `path`; returns where it stood and the state of its loss scaler.

    Raises:
        FileNotFoundError: there is nothing to resume.
        ValueError: the checkpoint belongs to another network or another set-up.
    """
    if not path.is_file():
        raise FileNotFoundError(f"Resume: there is no checkpoint {path}; start the run without --resume.")
    content = load_checkpoint_file(path)
    if not {"network", "distillation", "optimizer", "ema", "progress", "settings"} <= content.keys():
        raise ValueError(
            f"Resume: {path} holds weights only, not a training state; use --init-weights to start from it."
        )
    before = content["settings"]
    changed = [name for name, value in settings.items() if name in before and before[name] != value]
    if changed and not _not_yet_acted(changed, before, settings, content["progress"]["step"]):
        name = changed[0]
        raise ValueError(
            f"Resume: {path} was trained with {name} {before[name]}, not {settings[name]}; keep that "
            f"setting, or start a new run with --init-weights."
        )
    fill_network(learner.network, content["network"], path)
    _fill(learner.distillation, content["distillation"], path)
    if (ema is None) != (content["ema"] is None):
        raise ValueError(f"Resume: {path} was trained {'with' if ema is None else 'without'} EMA; keep that setting.")
    if ema is not None:
        # Averages of exits are not in files of before they were averaged; the exits themselves are.
        trained = state_with_exits(learner.network, learner.exits())
        for name, value in ema.state.items():
            value.copy_(content["ema"].get(name, trained[name]))
    try:
        optimizer.load_state_dict(content["optimizer"])
    except ValueError as error:
        raise ValueError(f"Resume: {path} was written by another optimizer set-up ({error}).") from error
    return Progress(**content["progress"]), content.get("precision", {})


def _not_yet_acted(changed: list[str], before: dict[str, Any], now: dict[str, Any], step: int) -> bool:
    """Whether two runs differ in nothing but distillation that acts in neither of them before `step`.

    Up to there they are the same run, bit for bit. Methods with layers of their own act from step 0 on labels.
    """
    if not all(name.startswith("distillation") for name in changed):
        return False
    return step <= min(int(run.get("distillation_acts_from", 0)) for run in (before, now))


def _fill(module: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"Resume: {path} was trained with other distillation methods; keep that setting.") from error


def _on_cpu(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu() for name, value in state.items()}
