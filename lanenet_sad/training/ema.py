"""An exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lanenet_sad.models.exits import ExitHead, state_with_exits


class WeightAverage:
    """Keeps a float copy of all weights and buffers, drawn slowly towards the trained ones.

    The decay is warmed up, `min(decay, (1 + step) / (10 + step))`, so that short runs are not held back by
    their initialisation.

    Args:
        network: whose weights are averaged.
        decay: share of the old average kept at each step.
        exits: the network's exits, averaged with it, so that they fit the averaged network.
    """

    def __init__(self, network: nn.Module, decay: float, exits: Mapping[int, ExitHead] | None = None) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"ema_decay: expected a number between 0 and 1, got {decay}.")
        self.decay = decay
        self.exits = dict(exits or {})
        state = state_with_exits(network, self.exits)
        self.state: dict[str, Tensor] = {name: value.detach().clone() for name, value in state.items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after optimizer step `step`."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in state_with_exits(network, self.exits).items():
            if value.is_floating_point():
                self.state[name].lerp_(value.detach().to(self.state[name].dtype), 1 - decay)
            else:
                self.state[name].copy_(value)
