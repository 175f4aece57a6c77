"""Exits: a classifier behind an encoder block, by which a network predicts without the layers that follow.

Be Your Own Teacher (Zhang et al. 2019, arXiv:1905.08094) and deep supervision train them beside the network.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lanenet_sad.models.decoder import Decoder
from lanenet_sad.models.encoder import Encoder, Encoding
from lanenet_sad.models.heads import PooledExistenceHead
from lanenet_sad.models.initialization import expect_background, he_initialize
from lanenet_sad.models.interface import LaneNetOutput, NetworkSpec
from lanenet_sad.models.lanenet import LaneNet

PREFIX = "exits."
"""What the names of exits' tensors begin with where they stand beside those of a network: exits.<block>.<name>."""


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
        self.apply(he_initialize)
        expect_background(self.classify)

    def forward(self, encoding: Encoding) -> Tensor:
        """(B, num_classes, H, W) logits from the deepest feature there is."""
        return self.enlarge(self.classify(self.bottleneck(encoding.features[-1])))

    def enlarge(self, logits: Tensor) -> Tensor:
        """(B, num_classes, H_k, W_k) -> (B, num_classes, H, W)."""
        return F.interpolate(logits, scale_factor=float(self.stride), mode="bilinear", align_corners=False)


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
        channels, stride = spec.channels[block - 1], spec.strides[block - 1]
        self.decoder = ExitDecoder(channels, spec.num_classes, stride=stride, width=width)
        # It reads the block, not the bottleneck, so that a truncated network computes the bottleneck once.
        classify = nn.Sequential(
            nn.AvgPool2d(max(1, 8 // stride)),  # lane slots are found at 1/8; more would cost and not tell more
            *_normalized(nn.Conv2d(channels, 32, 1, bias=False)),
            nn.Conv2d(32, spec.num_classes, 1),
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


@final
class ExitEnsemble(nn.Module):
    """A network and its exits asked together: the mean of what they believe, of pixels and of lane slots.

    It takes and returns what a `LaneNet` does; its logits are those of the mean probabilities.

    Args:
        network: whole.
        exits: its exits, by block.
    """

    def __init__(self, network: LaneNet, exits: Mapping[int, ExitHead]) -> None:
        super().__init__()
        self.network = network
        self.heads = nn.ModuleDict({str(block): exits[block] for block in sorted(exits)})

    @property
    def num_lanes(self) -> int:
        """L, the number of lane slots."""
        return self.network.num_lanes

    @property
    def encoder(self) -> Encoder:
        """The network's."""
        return self.network.encoder

    def forward(self, images: Tensor) -> LaneNetOutput:
        """Predicts the lanes of (B, 3, H, W) normalised images; errors as `LaneNet`."""
        output: LaneNetOutput = self.network(images)
        members = [output, *(head(output.features) for head in self.heads.values())]
        pixels = torch.stack([torch.log_softmax(each.segmentation_logits, dim=1) for each in members])
        lanes = torch.stack([torch.sigmoid(each.existence_logits) for each in members]).mean(dim=0)
        return LaneNetOutput(
            segmentation_logits=torch.logsumexp(pixels, dim=0) - math.log(len(members)),
            existence_logits=torch.logit(lanes, eps=1e-6),
            features=output.features,
        )


def truncate(network: LaneNet, head: ExitHead) -> LaneNet:
    """The network as far as an exit: a `LaneNet` of its own that predicts what the exit does in the whole network.

    Its weights are copies. It has nothing of the layers after the exit, and its recipe says so.

    Args:
        network: that the exit was trained with.
        head: the exit.
    """
    copied = copy.deepcopy(head)
    encoder = copy.deepcopy(network.encoder)
    encoder.cut_after(head.block)
    shortened = LaneNet(
        encoder=encoder,
        decoder=copied.decoder,
        existence_head=copied.existence_head,
        num_lanes=network.num_lanes,
    )
    shortened.recipe = exit_recipe(network.recipe, head.block, head.width)
    return shortened.train(network.training)


def exit_recipe(network: Mapping[str, Any], block: int, width: int) -> dict[str, Any]:
    """The recipe of a network truncated at an exit; that of a network put together by hand is empty."""
    return {"builder": "exit", "network": dict(network), "block": block, "width": width} if network else {}


def state_with_exits(network: nn.Module, exits: Mapping[int, ExitHead]) -> dict[str, Tensor]:
    """The tensors of a network and of its exits under one another's names, as weight files hold them."""
    state = dict(network.state_dict())
    for block, head in exits.items():
        state |= {f"{PREFIX}{block}.{name}": value for name, value in head.state_dict().items()}
    return state


def load_state_with_exits(network: nn.Module, exits: Mapping[int, ExitHead], state: Mapping[str, Tensor]) -> None:
    """The inverse of `state_with_exits`."""
    network.load_state_dict(without_exits(state))
    for block, head in exits.items():
        head.load_state_dict(of_exit(state, block))


def without_exits(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the network alone."""
    return {name: value for name, value in state.items() if not name.startswith(PREFIX)}


def of_exit(state: Mapping[str, Tensor], block: int) -> dict[str, Tensor]:
    """The tensors of one exit, by the names that its `ExitHead` has for them."""
    prefix = f"{PREFIX}{block}."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


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
