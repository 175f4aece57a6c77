"""A small network with exits, in memory and as a file."""

from pathlib import Path

import torch

from lanenet_sad.lanes.view import InputView
from lanenet_sad.models import LaneNet, enet
from lanenet_sad.models.exits import ExitHead
from lanenet_sad.models.weights import NetworkCard, save_weights


def make_network_with_exits(
    blocks: tuple[int, ...] = (2, 3), *, num_lanes: int = 4, belief: float = 20.0, seed: int = 0
) -> tuple[LaneNet, dict[int, ExitHead]]:
    """An untrained ENet and exits, in eval mode, all of which believe in every lane."""
    torch.manual_seed(seed)
    network = enet(num_lanes=num_lanes, activation="relu")
    exits = {block: ExitHead(network.spec, block, width=8 + block) for block in blocks}
    for module in (network, *exits.values()):
        for value in module.state_dict().values():
            if value.ndim == 1:
                value.add_(torch.rand_like(value) * 0.1)
        torch.nn.init.constant_(module.existence_head.decide[-1].bias, belief)
    return network.eval(), {block: head.eval() for block, head in exits.items()}


def write_weights_with_exits(path: Path, blocks: tuple[int, ...] = (2, 3), **options) -> Path:
    """A weight file of it, that looks at 32x64 pixels."""
    network, exits = make_network_with_exits(blocks, **options)
    card = NetworkCard(network.recipe, InputView((32, 64), aspect=2.5), {"benchmark": "culane"})
    save_weights(path, network, card, exits)
    return path
