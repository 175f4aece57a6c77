"""ENet's blocks and its encoder (Paszke et al. 2016, arXiv:1606.02147), in the forms in which it was published.

The original torch7 code, the PyTorch port of ENet-SAD and pytorch-auto-drive differ in details that decide whether a
checkpoint can be loaded and how many parameters there are; `ENetLayout` names each. The original is the default:
only it gives the 0.98 M parameters that the SAD paper reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lanenet_sad.models.encoder import Encoder, Encoding
from lanenet_sad.models.interface import EncoderSpec

Activation: TypeAlias = Callable[[int], nn.Module]
LayoutName: TypeAlias = Literal["original", "port", "pad"]
Dropout: TypeAlias = tuple[float, float]

STAGE_PLAN: Final = ("regular", 2, "asymmetric", 4, "regular", 8, "asymmetric", 16)
"""The eight bottlenecks of stages 2 and 3; a number is a dilation."""


@dataclass(frozen=True)
class ENetLayout:
    """The details in which published ENets differ.

    Attributes:
        epsilon: of the batch normalisations.
        bias: on the initial, middle, up-sampling and full convolutions (a 1x1 never has one).
        prelu_per_channel: a slope for each channel instead of one for all.
        inner_from_input: the inner width of a down- or up-sampling bottleneck is a quarter of its input's channels
            instead of its output's.
        split_pair: normalisation and activation also between the two halves of an asymmetric convolution.
        horizontal_first: the 1x5 half (one row) comes before the 5x1 half.
        activated_expansion: an activation after the 1x1 that widens, before the sum.
        initial_pool: kernel of the max-pool beside the first convolution.
        up_kernel: kernel of the transposed convolution in an up-sampling bottleneck.
        full_kernel: kernel of the last transposed convolution.
        decoder_dropout: the decoder's bottlenecks drop channels, too.
        shared_stages: E2, E3 and E4 use the same eight bottlenecks, and E1 is stage 1.
        concat_e34: the decoder reads E3 and E4 side by side.
        light_existence: the existence branch starts with a single 1x1 convolution.
        existence_pool: how the existence branch of a fixed input size shrinks its map.
        rectified: ReLU in the encoder, too: faster in training than PReLU, which is not fused.
    """

    epsilon: float = 1e-5
    bias: bool = False
    prelu_per_channel: bool = False
    inner_from_input: bool = True
    split_pair: bool = True
    horizontal_first: bool = False
    activated_expansion: bool = False
    initial_pool: int = 3
    up_kernel: int = 2
    full_kernel: int = 3
    decoder_dropout: bool = False
    shared_stages: bool = False
    concat_e34: bool = False
    light_existence: bool = False
    existence_pool: Literal["max", "mean"] = "mean"
    rectified: bool = False

    def activation(self, channels: int) -> nn.Module:
        """The encoder's activation."""
        return relu(channels) if self.rectified else nn.PReLU(channels if self.prelu_per_channel else 1)

    def norm(self, channels: int) -> nn.BatchNorm2d:
        """Batch normalisation with this layout's epsilon."""
        return nn.BatchNorm2d(channels, eps=self.epsilon)

    def inner_width(self, in_channels: int, out_channels: int) -> int:
        """Channels between the two 1x1 convolutions of a bottleneck."""
        return (in_channels if self.inner_from_input else out_channels) // 4


LAYOUTS: Final[dict[LayoutName, ENetLayout]] = {
    # e-lab/ENet-training, as the official ENet-SAD code used it; existence branch of the official ERFNet code
    "original": ENetLayout(
        epsilon=1e-3,
        bias=True,
        prelu_per_channel=True,
        inner_from_input=False,
        split_pair=False,
        horizontal_first=True,
        initial_pool=2,
        up_kernel=3,
        full_kernel=2,
        existence_pool="max",
    ),
    # InhwanBae/ENet-SAD_Pytorch with its default weight sharing
    "port": ENetLayout(
        activated_expansion=True, decoder_dropout=True, shared_stages=True, concat_e34=True, light_existence=True
    ),
    # voldemortX/pytorch-auto-drive
    "pad": ENetLayout(),
}


def relu(channels: int) -> nn.Module:
    """The decoder's activation."""
    return nn.ReLU(inplace=True)


class InitialBlock(nn.Module):
    """3x3 convolution of stride 2 beside a max-pool: (B, 3, H, W) -> (B, channels, H/2, W/2)."""

    def __init__(self, channels: int, layout: ENetLayout) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels - 3, 3, stride=2, padding=1, bias=layout.bias)
        self.pool = nn.MaxPool2d(layout.initial_pool, stride=2, padding=layout.initial_pool // 3)
        self.norm = layout.norm(channels)
        self.activation = layout.activation(channels)

    def forward(self, images: Tensor) -> Tensor:
        """Halves height and width."""
        joined = torch.cat((self.conv(images), self.pool(images)), dim=1)
        activated: Tensor = self.activation(self.norm(joined))
        return activated


class Bottleneck(nn.Module):
    """ENet's residual block: 1x1 down to a quarter of the channels, a middle convolution, 1x1 back up.

    Args:
        channels: in and out.
        layout: the published form.
        kind: "regular" (3x3), "asymmetric" (1x5 and 5x1) or a dilation for the 3x3.
        activation: makes an activation for a number of channels.
        dropout: probability that a channel of the branch is dropped.
    """

    def __init__(
        self, channels: int, layout: ENetLayout, *, kind: str | int = "regular", activation: Activation, dropout: float
    ) -> None:
        super().__init__()
        inner = channels // 4
        self.project = conv_unit(nn.Conv2d(channels, inner, 1, bias=False), layout, activation)
        self.transform = _middle(inner, layout, kind, activation)
        self.expand = expansion(inner, channels, layout, activation)
        self.dropout = nn.Dropout2d(dropout)
        self.activation = activation(channels)

    def forward(self, feature: Tensor) -> Tensor:
        """Same shape in and out."""
        branch = self.dropout(self.expand(self.transform(self.project(feature))))
        activated: Tensor = self.activation(feature + branch)
        return activated


class DownBottleneck(nn.Module):
    """Bottleneck that halves height and width and widens the channels; the shortcut is a 2x2 max-pool."""

    def __init__(self, in_channels: int, out_channels: int, layout: ENetLayout, *, dropout: float) -> None:
        super().__init__()
        inner = layout.inner_width(in_channels, out_channels)
        self.extra_channels = out_channels - in_channels
        self.project = conv_unit(nn.Conv2d(in_channels, inner, 2, stride=2, bias=False), layout, layout.activation)
        self.transform = _middle(inner, layout, "regular", layout.activation)
        self.expand = expansion(inner, out_channels, layout, layout.activation)
        self.dropout = nn.Dropout2d(dropout)
        self.activation = layout.activation(out_channels)

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the smaller feature and, for the decoder, where in the larger one each maximum stood."""
        pooled, indices = F.max_pool2d(feature, 2, return_indices=True)
        shortcut = F.pad(pooled, (0, 0, 0, 0, 0, self.extra_channels))
        branch = self.dropout(self.expand(self.transform(self.project(feature))))
        return self.activation(shortcut + branch), indices


@final
class ENetEncoder(Encoder):
    """ENet's encoder with E1 = initial block, E2 = stage 1, E3 = stage 2, E4 = stage 3.

    The SAD paper does not say which layers E1..E4 are. The official graph takes its maps at the ends of stages 2 and 3;
    with the initial block as E1 the parameters add up to the paper's 0.98 M.

    Args:
        layout: the published form.
        dropout: of the branches in stage 1, and in stages 2 and 3.
    """

    def __init__(self, layout: ENetLayout, *, dropout: Dropout = (0.01, 0.1)) -> None:
        super().__init__()
        self.spec = EncoderSpec(channels=(16, 64, 128, 128), strides=(2, 4, 8, 8))
        self.initial = InitialBlock(16, layout)
        self.down1 = DownBottleneck(16, 64, layout, dropout=dropout[0])
        self.stage1 = _first_stage(layout, dropout[0])
        self.down2 = DownBottleneck(64, 128, layout, dropout=dropout[1])
        self.stage2 = _deep_stage(layout, dropout[1])
        self.stage3 = _deep_stage(layout, dropout[1])

    def forward(self, images: Tensor) -> Encoding:
        """Encodes (B, 3, H, W) images; H and W are multiples of 8."""
        features = [self.initial(images)]  # (B, 16, H/2, W/2)
        indices: list[Tensor] = []
        if self.spec.num_blocks > 1:
            feature, pooled1 = self.down1(features[-1])
            features.append(self.stage1(feature))  # (B, 64, H/4, W/4)
            indices.append(pooled1)
        if self.spec.num_blocks > 2:
            feature, pooled2 = self.down2(features[-1])
            features.append(self.stage2(feature))  # (B, 128, H/8, W/8)
            indices.append(pooled2)
        if self.spec.num_blocks > 3:
            features.append(self.stage3(features[-1]))
        return Encoding(self._finished(features), tuple(indices))

    def cut_after(self, block: int) -> None:
        """Keeps E1..E`block` alone."""
        self._shorten(block)
        _remove(self, (("down1", "stage1"), ("down2", "stage2"), ("stage3",))[block - 1 :])


@final
class SharedENetEncoder(Encoder):
    """The PyTorch port's encoder: E1 = stage 1, and E2, E3, E4 are three passes through the same eight bottlenecks.

    Args:
        layout: the published form.
        dropout: of the branches in stage 1, and in the shared stage.
    """

    def __init__(self, layout: ENetLayout, *, dropout: Dropout = (0.01, 0.1)) -> None:
        super().__init__()
        self.spec = EncoderSpec(channels=(64, 128, 128, 128), strides=(4, 8, 8, 8))
        self.initial = InitialBlock(16, layout)
        self.down1 = DownBottleneck(16, 64, layout, dropout=dropout[0])
        self.stage1 = _first_stage(layout, dropout[0])
        self.down2 = DownBottleneck(64, 128, layout, dropout=dropout[1])
        self.shared_stage = _deep_stage(layout, dropout[1])

    def forward(self, images: Tensor) -> Encoding:
        """Encodes (B, 3, H, W) images; H and W are multiples of 8."""
        feature, pooled1 = self.down1(self.initial(images))
        features, indices = [self.stage1(feature)], [pooled1]  # (B, 64, H/4, W/4)
        if self.spec.num_blocks > 1:
            feature, pooled2 = self.down2(features[-1])
            indices.append(pooled2)
            for _ in range(self.spec.num_blocks - 1):
                feature = self.shared_stage(feature)  # (B, 128, H/8, W/8)
                features.append(feature)
        return Encoding(self._finished(features), tuple(indices))

    def cut_after(self, block: int) -> None:
        """Keeps E1..E`block` alone; E2 to E4 share their weights, which go only with E2."""
        self._shorten(block)
        _remove(self, [("down2", "shared_stage")] if block == 1 else [])


def _remove(encoder: nn.Module, stages: Iterable[tuple[str, ...]]) -> None:
    for name in (name for stage in stages for name in stage if hasattr(encoder, name)):
        delattr(encoder, name)


def conv_unit(conv: nn.Module, layout: ENetLayout, activation: Activation) -> nn.Sequential:
    """A convolution, its normalisation and an activation."""
    channels = int(conv.out_channels)  # type: ignore[arg-type]
    return nn.Sequential(conv, layout.norm(channels), activation(channels))


def expansion(inner: int, out_channels: int, layout: ENetLayout, activation: Activation) -> nn.Sequential:
    """The 1x1 convolution at the end of a bottleneck's branch."""
    unit = nn.Sequential(nn.Conv2d(inner, out_channels, 1, bias=False), layout.norm(out_channels))
    if layout.activated_expansion:
        unit.append(activation(out_channels))
    return unit


def _middle(inner: int, layout: ENetLayout, kind: str | int, activation: Activation) -> nn.Sequential:
    if kind == "asymmetric":
        return _asymmetric(inner, layout, activation)
    dilation = kind if isinstance(kind, int) else 1
    conv = nn.Conv2d(inner, inner, 3, padding=dilation, dilation=dilation, bias=layout.bias)
    return conv_unit(conv, layout, activation)


def _asymmetric(inner: int, layout: ENetLayout, activation: Activation) -> nn.Sequential:
    row, column = ((1, 5), (0, 2)), ((5, 1), (2, 0))
    (kernel1, padding1), (kernel2, padding2) = (row, column) if layout.horizontal_first else (column, row)
    first = nn.Conv2d(inner, inner, kernel1, padding=padding1, bias=False)
    second = nn.Conv2d(inner, inner, kernel2, padding=padding2, bias=layout.bias)
    unit = conv_unit(first, layout, activation) if layout.split_pair else nn.Sequential(first)
    return unit.extend(conv_unit(second, layout, activation))


def _first_stage(layout: ENetLayout, dropout: float) -> nn.Sequential:
    return nn.Sequential(*(Bottleneck(64, layout, activation=layout.activation, dropout=dropout) for _ in range(4)))


def _deep_stage(layout: ENetLayout, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        *(Bottleneck(128, layout, kind=kind, activation=layout.activation, dropout=dropout) for kind in STAGE_PLAN)
    )
