"""Exits: a classifier behind an encoder block, by which a network predicts without the layers that follow.

Be Your Own Teacher (Zhang et al. 2019, arXiv:1905.08094) and deep supervision train them beside the network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, final

import torch.nn.functional as F
from torch import Tensor, nn

from lanenet_sad.models.decoder import Decoder
from lanenet_sad.models.encoder import Encoding
from lanenet_sad.models.heads import PooledExistenceHead
from lanenet_sad.models.interface import NetworkSpec


class ExitOutput(NamedTuple):
    """What an exit says about a batch of images, as `LaneNetOutput` holds it for the whole network."""

    feature: Tensor  # (B, width, H_k, W_k), of its bottleneck
    segmentation_logits: Tensor  # (B, L+1, H, W), class 0 is background
    existence_logits: Tensor  # (B, L)


@final
class ExitDecoder(Decoder):
    """An exit's way to segmentation logits: a bottleneck and a 1x1 classifier at the block's size, then bilinear.

    Args:
        in_channels: C_k of the block.
        num_classes: L + 1.
        stride: of the block; the logits are enlarged by it.
        width: channels of the bottleneck.
    """

    def __init__(self, in_channels: int, num_classes: int, *, stride: int, width: int = 64) -> None:
        super().__init__()
        self.stride = stride
        self.bottleneck = nn.Sequential(
            *_normalized(nn.Conv2d(in_channels, width, 1, bias=False)),
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
            *_normalized(nn.Conv2d(width, width, 1, bias=False)),
        )
        self.classify = nn.Conv2d(width, num_classes, 1)
        self.apply(_initialize)
        # Nine pixels in ten are background; the first few hundred steps would otherwise go into learning it.
        nn.init.normal_(self.classify.weight, std=0.05)
        nn.init.constant_(self._bias()[:1], math.log(9 * (num_classes - 1)))

    def forward(self, encoding: Encoding) -> Tensor:
        """(B, num_classes, H, W) logits from the deepest feature there is."""
        return self.enlarge(self.classify(self.bottleneck(encoding.features[-1])))

    def enlarge(self, logits: Tensor) -> Tensor:
        """(B, num_classes, H_k, W_k) -> (B, num_classes, H, W)."""
        return F.interpolate(logits, scale_factor=float(self.stride), mode="bilinear", align_corners=False)

    def _bias(self) -> Tensor:
        assert self.classify.bias is not None
        return self.classify.bias


@final
class ExitHead(nn.Module):
    """What an encoder block needs to predict lanes: a decoder and an existence head of its own.

    Args:
        spec: of the network, `network.spec`.
        block: 1-based, after which the exit leaves.
        width: channels of the bottleneck.

    Raises:
        ValueError: there is no such block, or the width is not positive.
    """

    def __init__(self, spec: NetworkSpec, block: int, *, width: int = 64) -> None:
        super().__init__()
        check_exit(block, spec.num_blocks)
        if width < 1:
            raise ValueError(f"Exit {block}: expected a width of at least 1, got {width}.")
        self.block, self.width = block, width
        channels = spec.channels[block - 1]
        self.decoder = ExitDecoder(channels, spec.num_classes, stride=spec.strides[block - 1], width=width)
        # It reads the block, not the bottleneck, so that a truncated network computes the bottleneck once.
        classify = nn.Sequential(
            *_normalized(nn.Conv2d(channels, 32, 1, bias=False)), nn.Conv2d(32, spec.num_classes, 1)
        )
        self.existence_head = PooledExistenceHead(classify, num_lanes=spec.num_lanes)

    def forward(self, features: Sequence[Tensor]) -> ExitOutput:
        """Predicts from the encoder's features E1..EK, of which it reads its own block's."""
        feature = features[self.block - 1]
        narrow = self.decoder.bottleneck(feature)
        return ExitOutput(
            feature=narrow,
            segmentation_logits=self.decoder.enlarge(self.decoder.classify(narrow)),
            existence_logits=self.existence_head(feature),
        )


def check_exit(block: int, num_blocks: int) -> None:
    """Refuses an exit behind a block that is not there.

    Raises:
        ValueError: Not 1 to `num_blocks`.
    """
    if not 1 <= block <= num_blocks:
        raise ValueError(f"Exit {block}: the encoder has blocks 1 to {num_blocks}.")


def checked_exits(blocks: Sequence[int], num_blocks: int) -> tuple[int, ...]:
    """The blocks behind which exits shall be, sorted.

    Raises:
        ValueError: none, one twice, or one that is not there.
    """
    if not blocks:
        raise ValueError("blocks: expected at least one encoder block for an exit, got none.")
    if len(set(blocks)) != len(blocks):
        raise ValueError(f"blocks: expected each block once, got {list(blocks)}.")
    for block in blocks:
        check_exit(block, num_blocks)
    return tuple(sorted(int(block) for block in blocks))


def _normalized(conv: nn.Conv2d) -> tuple[nn.Module, ...]:
    return conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU(inplace=True)


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
