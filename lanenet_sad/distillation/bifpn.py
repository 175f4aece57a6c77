"""A bidirectional feature pyramid (BiFPN, Tan et al. 2020, arXiv:1911.09070) over the blocks of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@final
class BiFPN(nn.Module):
    """Refines features of several blocks by passing them from deep to shallow and back again, layer by layer.

    Each node fuses two or three maps, and a ReLU and a depth-wise separable convolution follow. On the way up a map is
    repeated (nearest), on the way down max-pooled, by the ratio of the strides; where two blocks have one stride it
    stays as it is. Laterals (1x1) bring the blocks to the widths: in the first layer one for the way up and one for the
    way down, as FRSKD's code has it.

    Args:
        in_channels: of the blocks, shallow to deep.
        strides: of the blocks.
        widths: channels of the refined maps, one for each block.
        num_layers: how often the maps go up and down.
        weighted: fuse with learnt weights (see `fusion_weights`); False: plain sums.
        ends_at_finest: the last layer only goes up, for a head that reads the finest map alone; the layers of the way
            down would not be trained there.

    Raises:
        ValueError: There are fewer than two blocks, or a stride is no multiple of the one before.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        strides: Sequence[int],
        widths: Sequence[int],
        *,
        num_layers: int = 2,
        weighted: bool = True,
        ends_at_finest: bool = True,
    ) -> None:
        super().__init__()
        if len(in_channels) < 2:
            raise ValueError(f"BiFPN: expected at least two blocks, got {len(in_channels)}.")
        if any(deep % shallow for shallow, deep in pairwise(strides)):
            raise ValueError(f"BiFPN: expected strides that are multiples of the one before, got {tuple(strides)}.")
        ratios = [deep // shallow for shallow, deep in pairwise(strides)]
        self.layers = nn.ModuleList(
            _Layer(
                in_channels if number == 1 else None,
                widths,
                ratios,
                weighted=weighted,
                goes_down=number < num_layers or not ends_at_finest,
            )
            for number in range(1, num_layers + 1)
        )

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """K x (B, C_k, H_k, W_k) -> K x (B, width_k, H_k, W_k), shallow to deep."""
        maps = tuple(features)
        for layer in self.layers:
            maps = layer(maps)
        return maps


def fusion_weights(weights: Tensor, epsilon: float = 1e-6) -> Tensor:
    """Learnt weights made 0 or more, with a sum just below 1: ReLU(w) / (sum + epsilon)."""
    positive = F.relu(weights)
    return positive / (positive.sum() + epsilon)


def separable_unit(channels: int) -> nn.Sequential:
    """Depth-wise 3x3 convolution, 1x1 convolution and batch normalisation; same shape in and out."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    )


class _Layer(nn.Module):
    """From deep to shallow and, if it `goes_down`, back to deep; with laterals if `in_channels` are given."""

    def __init__(
        self,
        in_channels: Sequence[int] | None,
        widths: Sequence[int],
        ratios: Sequence[int],
        *,
        weighted: bool,
        goes_down: bool,
    ) -> None:
        super().__init__()
        steps = list(enumerate(ratios))  # step k joins the levels k and k + 1
        self.laterals = _laterals(in_channels, widths)
        self.ups = nn.ModuleList(_Up(widths[k + 1], widths[k], ratio) for k, ratio in steps)
        self.up_nodes = nn.ModuleList(_Node(widths[k], 2, weighted=weighted) for k, _ in steps)
        self.goes_down = goes_down
        if goes_down:
            deeper = widths[1:]
            self.skips = _laterals(in_channels[1:] if in_channels else None, deeper)
            self.downs = nn.ModuleList(_Down(widths[k], widths[k + 1], ratio) for k, ratio in steps)
            # The deepest map has not changed on the way up, so it is fused once only.
            self.down_nodes = nn.ModuleList(
                _Node(width, 2 if level == len(deeper) else 3, weighted=weighted)
                for level, width in enumerate(deeper, start=1)
            )

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        maps = [lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)]
        for k in reversed(range(len(self.ups))):
            maps[k] = self.up_nodes[k](maps[k], self.ups[k](maps[k + 1]))
        if not self.goes_down:
            return tuple(maps)
        for k, down in enumerate(self.downs):
            fused = [self.skips[k](features[k + 1]), down(maps[k])]
            if k + 1 < len(self.downs):
                fused.append(maps[k + 1])
            maps[k + 1] = self.down_nodes[k](*fused)
        return tuple(maps)


class _Node(nn.Module):
    """Fuses maps of one size: weighted or plain sum, ReLU, separable convolution."""

    def __init__(self, width: int, num_inputs: int, *, weighted: bool) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(num_inputs)) if weighted else None
        self.refine = separable_unit(width)

    def forward(self, *maps: Tensor) -> Tensor:
        if self.weights is not None:
            shares = fusion_weights(self.weights)
            maps = tuple(share * one for share, one in zip(shares, maps, strict=True))
        fused = maps[0]
        for one in maps[1:]:
            fused = fused + one
        refined: Tensor = self.refine(F.relu(fused))
        return refined


class _Up(nn.Module):
    """Brings a map to the next shallower level: 1x1 if the widths differ, then each pixel is repeated."""

    def __init__(self, in_width: int, width: int, ratio: int) -> None:
        super().__init__()
        self.adapt = _adapt(in_width, width)
        self.ratio = ratio

    def forward(self, feature: Tensor) -> Tensor:
        adapted: Tensor = self.adapt(feature)
        return adapted if self.ratio == 1 else F.interpolate(adapted, scale_factor=self.ratio, mode="nearest")


class _Down(nn.Module):
    """Brings a map to the next deeper level: overlapping max-pool, then 1x1 if the widths differ."""

    def __init__(self, in_width: int, width: int, ratio: int) -> None:
        super().__init__()
        self.adapt = _adapt(in_width, width)
        self.ratio = ratio

    def forward(self, feature: Tensor) -> Tensor:
        if self.ratio > 1:
            feature = F.max_pool2d(feature, self.ratio + 1, stride=self.ratio, padding=self.ratio // 2)
        adapted: Tensor = self.adapt(feature)
        return adapted


def _adapt(in_width: int, width: int) -> nn.Module:
    return nn.Identity() if in_width == width else nn.Conv2d(in_width, width, 1)


def _laterals(in_channels: Sequence[int] | None, widths: Sequence[int]) -> nn.ModuleList:
    if in_channels is None:
        return nn.ModuleList(nn.Identity() for _ in widths)
    return nn.ModuleList(
        nn.Sequential(nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        for channels, width in zip(in_channels, widths, strict=True)
    )
