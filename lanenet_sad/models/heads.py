"""Existence heads: is there a lane in each slot?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, final

import torch
from torch import Tensor, nn

FIXED_CHANNELS = 5
"""Classes of the paper's existence branch; the published networks keep 5 also where there are 6 lanes."""


class ExistenceHead(nn.Module, ABC):
    """Turns the deepest encoder feature, or the decoder's coarse logits, into one logit per lane slot.

    Attributes:
        input_size: (height, width) of the only network input that the head accepts; None if any will do.
        reads_logits: the head wants the logits of a `CoarseDecoder` before they are enlarged, not the deepest feature.
    """

    input_size: tuple[int, int] | None = None
    reads_logits: bool = False

    @abstractmethod
    def forward(self, feature: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, L) logits."""


@final
class FixedExistenceHead(ExistenceHead):
    """The paper's branch P1: class map, 2x2 pooling, two linear layers over all that is left of the map.

    Follows the official ERFNet-CULane code. The first linear layer ties the network to one input size and holds 59 % of
    ENet-SAD's parameters at 288x800.

    Args:
        classify: (B, C, H, W) -> (B, classes, H, W), for example `dilated_classifier`; None: the head reads the coarse
            logits of the decoder, which are such a map already.
        num_lanes: L.
        input_size: (height, width) of the network's input.
        pooling: the official code takes the maximum, the PyTorch ports the mean.
        num_classes: of the map.
    """

    def __init__(
        self,
        classify: nn.Module | None,
        *,
        num_lanes: int,
        input_size: tuple[int, int],
        pooling: Literal["max", "mean"] = "max",
        num_classes: int = FIXED_CHANNELS,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.reads_logits = classify is None
        self.classify = classify or nn.Identity()
        self.pool = nn.MaxPool2d(2) if pooling == "max" else nn.AvgPool2d(2)
        self.decide = _decision(num_classes * (input_size[0] // 16) * (input_size[1] // 16), num_lanes)

    def forward(self, feature: Tensor) -> Tensor:
        """(B, C, H/8, W/8) of an (H, W) input -> (B, L) logits."""
        class_map = self.pool(torch.softmax(self.classify(feature), dim=1))
        logits: Tensor = self.decide(class_map.flatten(1))
        return logits


@final
class PooledExistenceHead(ExistenceHead):
    """An existence branch for every input size: the class map is averaged over a fixed grid before the linear layers.

    The grid keeps left and right apart, which a global average would not; lane slots are positions. For a 144x400 input
    its 9x25 cells are the 2x2 pooling of the paper's branch, larger inputs are pooled over larger cells.

    Args:
        classify: (B, C, H, W) -> (B, L+1, H, W), for example `dilated_classifier`; None: the head reads the coarse
            logits of the decoder, which are such a map already.
        num_lanes: L.
        grid: rows and columns.
    """

    def __init__(self, classify: nn.Module | None, *, num_lanes: int, grid: tuple[int, int] = (9, 25)) -> None:
        super().__init__()
        self.grid = grid
        self.reads_logits = classify is None
        self.classify = classify or nn.Identity()
        self.decide = _decision((num_lanes + 1) * grid[0] * grid[1], num_lanes)

    def forward(self, feature: Tensor) -> Tensor:
        """(B, C, H, W) of any size -> (B, L) logits."""
        class_map = torch.softmax(self.classify(feature), dim=1)
        logits: Tensor = self.decide(grid_average(class_map, self.grid).flatten(1))
        return logits


def dilated_classifier(in_channels: int, num_classes: int, *, dropout: float = 0.1) -> nn.Sequential:
    """The beginning of the official branch: 3x3 convolution of dilation 4 to 32 channels, then 1x1 to the classes."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 32, 3, padding=4, dilation=4, bias=False),
        nn.BatchNorm2d(32, eps=1e-3),
        nn.ReLU(inplace=True),
        nn.Dropout2d(dropout),
        nn.Conv2d(32, num_classes, 1),
    )


def grid_average(feature: Tensor, grid: tuple[int, int]) -> Tensor:
    """Averages a feature over the cells of a grid; a pixel on a border counts for each cell by the share it covers.

    Where the cells fall on whole pixels this is `adaptive_avg_pool2d`. As two matrix products it exports to ONNX at
    every size, and its backward pass is deterministic on CUDA.

    Args:
        feature: (B, C, H, W).
        grid: rows and columns, h and w.

    Returns:
        (B, C, h, w).
    """
    rows = _cell_shares(feature.shape[-2], grid[0], feature)  # (h, H)
    columns = _cell_shares(feature.shape[-1], grid[1], feature)  # (w, W)
    return rows @ feature @ columns.T


def _cell_shares(length: int, cells: int, like: Tensor) -> Tensor:
    """(cells, length): how much of each cell each pixel covers; rows sum to 1."""
    size = length / cells
    start = torch.arange(cells, device=like.device, dtype=like.dtype)[:, None] * size
    pixel = torch.arange(length, device=like.device, dtype=like.dtype)[None, :]
    covered = torch.minimum(start + size, pixel + 1) - torch.maximum(start, pixel)
    return covered.clamp(min=0) / size


def _decision(num_inputs: int, num_lanes: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(num_inputs, 128), nn.ReLU(inplace=True), nn.Linear(128, num_lanes))
