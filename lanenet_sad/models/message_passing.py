"""Spatial message passing: context along rows and columns for the last block of an encoder.

Lanes are long and thin, and often hidden; what is seen of them must travel far. SCNN (Pan et al. 2018,
arXiv:1712.06080) hands it from row to row and from column to column, RESA (Zheng et al. 2021, arXiv:2008.13719) in a
few wide jumps, each for all rows at once. Published, both work on 128 channels, where RESA has more weights than ENet.
Here they work on 32, and what they find is added to the feature.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal, TypeAlias, final

import torch
from torch import Tensor, nn

PassingName: TypeAlias = Literal["scnn", "resa"]

CHANNELS: Final = 32
"""Channels that messages have: 36,864 weights for SCNN and 147,456 for RESA, beside the two 1x1 convolutions."""


@final
class MessagePassing(nn.Module):
    """Adds what message passing finds to a feature; at the start of training that is nothing.

    1x1 to few channels, BN, ReLU; passing; 1x1 back, BN whose weight starts at 0, so that a network begins as the same
    function with and without, and weights trained without it are a fair start.

    Args:
        channels: of the feature.
        name: "scnn" or "resa".
        inner: channels of the messages.
    """

    def __init__(self, channels: int, name: PassingName, *, inner: int = CHANNELS) -> None:
        super().__init__()
        narrow, norm = nn.Conv2d(channels, inner, 1, bias=False), nn.BatchNorm2d(channels)
        nn.init.kaiming_normal_(narrow.weight, nonlinearity="relu")
        nn.init.zeros_(norm.weight)
        self.reduce = nn.Sequential(narrow, nn.BatchNorm2d(inner), nn.ReLU(inplace=True))
        self.messages = PASSINGS[name](inner)
        self.expand = nn.Sequential(nn.Conv2d(inner, channels, 1, bias=False), norm)

    def forward(self, feature: Tensor) -> Tensor:
        """Same shape in and out."""
        found: Tensor = self.expand(self.messages(self.reduce(feature)))
        return feature + found


@final
class SCNNPassing(nn.Module):
    """SCNN: down, up, right and left, each row (column) gets from the one before it, which has got its own already.

    As many steps follow each other as the feature has rows and columns, twice, which makes it slow on a GPU; a graph
    that is exported has as many convolutions.

    Args:
        channels: in and out.
        kernel: width of the convolution along the row (column).
    """

    def __init__(self, channels: int, *, kernel: int = 9) -> None:
        super().__init__()
        self.down, self.up = (_row_conv(channels, kernel) for _ in range(2))
        self.right, self.left = (_column_conv(channels, kernel) for _ in range(2))

    def forward(self, feature: Tensor) -> Tensor:
        """Same shape in and out."""
        for conv, dim, backward in ((self.down, 2, False), (self.up, 2, True)):
            feature = _sweep(feature, conv, dim, backward=backward)
        for conv, dim, backward in ((self.right, 3, False), (self.left, 3, True)):
            feature = _sweep(feature, conv, dim, backward=backward)
        return feature


@final
class RESAPassing(nn.Module):
    """RESA: in each direction all rows (columns) at once get from those a 16th of the size off, then 8th, 4th, half.

    Jump i (from 0) is the size over 2^(iterations - i), but at least 1; what leaves at one end comes back at the other,
    as published.

    Args:
        channels: in and out.
        kernel: width of the convolutions along the row (column).
        iterations: jumps in each direction; each has its own convolution.
        alpha: weight of what is got.
    """

    def __init__(self, channels: int, *, kernel: int = 9, iterations: int = 4, alpha: float = 2.0) -> None:
        super().__init__()
        self.alpha = alpha
        self.down, self.up = (
            nn.ModuleList(_row_conv(channels, kernel, alpha) for _ in range(iterations)) for _ in range(2)
        )
        self.right, self.left = (
            nn.ModuleList(_column_conv(channels, kernel, alpha) for _ in range(iterations)) for _ in range(2)
        )

    def forward(self, feature: Tensor) -> Tensor:
        """Same shape in and out."""
        for convs, dim, sign in ((self.down, 2, -1), (self.up, 2, 1), (self.right, 3, -1), (self.left, 3, 1)):
            for number, conv in enumerate(convs):
                jump = max(1, feature.shape[dim] // 2 ** (len(convs) - number))
                feature = feature + self.alpha * torch.relu(conv(torch.roll(feature, sign * jump, dim)))
        return feature


PASSINGS: Final[dict[PassingName, Callable[[int], nn.Module]]] = {"scnn": SCNNPassing, "resa": RESAPassing}
"""The forms of message passing, for a number of channels."""


def _sweep(feature: Tensor, conv: nn.Module, dim: int, *, backward: bool) -> Tensor:
    """One pass of SCNN over the rows (dim 2) or the columns (dim 3)."""
    slices = torch.split(feature, 1, dim)
    if backward:
        slices = slices[::-1]
    passed = [slices[0]]
    for one in slices[1:]:
        passed.append(one + torch.relu(conv(passed[-1])))
    return torch.cat(passed[::-1] if backward else passed, dim)


def _row_conv(channels: int, kernel: int, alpha: float = 1.0) -> nn.Conv2d:
    return _gentle(nn.Conv2d(channels, channels, (1, kernel), padding=(0, kernel // 2), bias=False), alpha)


def _column_conv(channels: int, kernel: int, alpha: float = 1.0) -> nn.Conv2d:
    return _gentle(nn.Conv2d(channels, channels, (kernel, 1), padding=(kernel // 2, 0), bias=False), alpha)


def _gentle(conv: nn.Conv2d, alpha: float) -> nn.Conv2d:
    """Small weights, as published PyTorch forms have them: the messages of many rows add up, and must not grow."""
    fan_in = conv.weight[0].numel()
    bound = math.sqrt(2 / (5 * fan_in)) / alpha
    nn.init.uniform_(conv.weight, -bound, bound)
    return conv
