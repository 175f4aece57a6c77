"""Keeps a run's networks and its state on disk, never broken ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from lanenet_sad.models.exits import load_state_with_exits, state_with_exits
from lanenet_sad.models.lanenet import LaneNet
from lanenet_sad.models.weights import NetworkCard, save_weights
from lanenet_sad.training.checkpoint import Progress, save_checkpoint
from lanenet_sad.training.ema import WeightAverage
from lanenet_sad.training.learner import Learner


@dataclass
class Keeper:
    """Writes `last.pt` and network files of one run, on its first process only.

    Attributes:
        fabric: the run's.
        learner: unwrapped.
        optimizer: as Fabric wraps it.
        ema: averaged weights; where there are any, they are what is kept as a network.
        card: what to write into network files.
        progress: where the run stands.
        output_dir: the run's folder.
        settings: what a resumed run must have in common with this one.
    """

    fabric: Fabric
    learner: Learner
    optimizer: Any
    ema: WeightAverage | None
    card: NetworkCard
    progress: Progress
    output_dir: Path
    settings: dict[str, Any]

    @contextmanager
    def network(self) -> Iterator[LaneNet]:
        """The network as it is kept, and its exits: with their averaged weights, where there are any."""
        network, exits = self.learner.network, self.learner.exits()
        if self.ema is None:
            yield network
            return
        trained = {name: value.detach().clone() for name, value in state_with_exits(network, exits).items()}
        load_state_with_exits(network, exits, self.ema.state)
        try:
            yield network
        finally:
            load_state_with_exits(network, exits, trained)

    def save_network(self, name: str, **history: Any) -> None:
        """Write a network file."""
        history = {**self.card.history, "steps": self.progress.step, **history}
        with self.network() as network:
            self._refuse_infinite(network)
            if self.fabric.is_global_zero:
                card = replace(self.card, history=history)
                save_weights(self.output_dir / name, network, card, self.learner.exits())

    def save_state(self, name: str = "last.pt") -> None:
        """Write everything that a resumed run needs; it looks for `last.pt`."""
        self._refuse_infinite(self.learner.network)
        if self.fabric.is_global_zero:
            save_checkpoint(
                self.output_dir / name,
                self.card,
                self.learner,
                getattr(self.optimizer, "optimizer", self.optimizer),
                self.ema,
                self.progress,
                self.settings,
                self.fabric.strategy.precision.state_dict(),
            )

    def _refuse_infinite(self, network: LaneNet) -> None:
        """Broken weights never take the place of good ones."""
        state = state_with_exits(network, self.learner.exits())
        if not all(bool(torch.isfinite(value).all()) for value in state.values()):
            raise ValueError(divergence(self.progress.step, "a weight"))


def divergence(step: int, what: str) -> str:
    """What to say of a run that has diverged at an optimizer step, counted from 1."""
    return (
        f"Training diverged at step {step}: {what} is not finite. Lower the learning rate or set clip_norm. "
        f"Checkpoints that were written before hold finite weights."
    )
