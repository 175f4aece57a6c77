"""ERFNet (Romera et al. 2017, doi:10.1109/TITS.2017.2750080), with the names that its authors give its layers.

The names are those of the authors' PyTorch code, which others keep, so that their checkpoints load key by key.
"""

from __future__ import annotations

from typing import Final, final

import torch
from torch import Tensor, nn

from lanenet_sad.models.decoder import Decoder
from lanenet_sad.models.encoder import Encoder, Encoding
from lanenet_sad.models.interface import EncoderSpec

EPSILON: Final = 1e-3
"""Of every batch normalisation in ERFNet."""

# Layers of `ERFNetEncoder.layers` up to the ends of E2, E3 and E4.
_BLOCK_ENDS: Final = (6, 11, 15)


class DownsamplerBlock(nn.Module):
    """3x3 convolution of stride 2 beside a max-pool: (B, C_in, H, W) -> (B, C_out, H/2, W/2)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels - in_channels, 3, stride=2, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.bn = nn.BatchNorm2d(out_channels, eps=EPSILON)

    def forward(self, feature: Tensor) -> Tensor:
        """Halves height and width."""
        joined = torch.cat((self.conv(feature), self.pool(feature)), dim=1)
        return torch.relu(self.bn(joined))


class UpsamplerBlock(nn.Module):
    """3x3 transposed convolution of stride 2: (B, C_in, H, W) -> (B, C_out, 2H, 2W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1)
        self.bn = nn.BatchNorm2d(out_channels, eps=EPSILON)

    def forward(self, feature: Tensor) -> Tensor:
        """Doubles height and width."""
        return torch.relu(self.bn(self.conv(feature)))


class NonBottleneck1D(nn.Module):
    """Residual block of two 3x3 convolutions, each split into a 3x1 and a 1x3; the second pair is dilated.

    Args:
        channels: in and out.
        dilation: of the second pair.
        dropout: probability that a channel of the branch is dropped.
    """

    def __init__(self, channels: int, *, dilation: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv3x1_1 = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))
        self.conv1x3_1 = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1))
        self.bn1 = nn.BatchNorm2d(channels, eps=EPSILON)
        self.conv3x1_2 = nn.Conv2d(channels, channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1))
        self.conv1x3_2 = nn.Conv2d(channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation))
        self.bn2 = nn.BatchNorm2d(channels, eps=EPSILON)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, feature: Tensor) -> Tensor:
        """Same shape in and out."""
        branch = torch.relu(self.conv3x1_1(feature))
        branch = torch.relu(self.bn1(self.conv1x3_1(branch)))
        branch = torch.relu(self.conv3x1_2(branch))
        branch = self.dropout(self.bn2(self.conv1x3_2(branch)))
        return torch.relu(feature + branch)


@final
class ERFNetEncoder(Encoder):
    """ERFNet's encoder with E1 = initial block, E2 = the 64-channel stage, E3 and E4 = halves of the 128-channel stage.

    The 128-channel stage is one row of eight blocks with the dilations 2, 4, 8, 16 twice. Each half is one such round,
    as E3 and E4 are in ENet, so that the mimic paths of SAD mean the same in both.

    Args:
        dropout: of the branches in the 64-channel stage, and in the 128-channel stage.
    """

    def __init__(self, *, dropout: tuple[float, float] = (0.03, 0.3)) -> None:
        super().__init__()
        self.spec = EncoderSpec(channels=(16, 64, 128, 128), strides=(2, 4, 8, 8))
        self.initial_block = DownsamplerBlock(3, 16)
        self.layers = nn.ModuleList([DownsamplerBlock(16, 64)])
        self.layers.extend(NonBottleneck1D(64, dropout=dropout[0]) for _ in range(5))
        self.layers.append(DownsamplerBlock(64, 128))
        self.layers.extend(NonBottleneck1D(128, dilation=d, dropout=dropout[1]) for d in (2, 4, 8, 16) * 2)

    def forward(self, images: Tensor) -> Encoding:
        """Encodes (B, 3, H, W) images; H and W are multiples of 8."""
        feature = self.initial_block(images)
        features = [feature]  # (B, 16, H/2, W/2)
        for number, layer in enumerate(self.layers, start=1):
            feature = layer(feature)
            if number in _BLOCK_ENDS:
                features.append(feature)  # (B, 64, H/4, W/4), then twice (B, 128, H/8, W/8)
        return Encoding(self._finished(features))

    def cut_after(self, block: int) -> None:
        """Keeps E1..E`block` alone."""
        self._shorten(block)
        del self.layers[(0, *_BLOCK_ENDS)[block - 1] :]


@final
class ERFNetDecoder(Decoder):
    """ERFNet's decoder: twice up with two undilated blocks each, and a transposed convolution to the classes.

    Args:
        num_classes: lanes + 1 for the background.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for in_channels, out_channels in ((128, 64), (64, 16)):
            self.layers.append(UpsamplerBlock(in_channels, out_channels))
            self.layers.extend(NonBottleneck1D(out_channels) for _ in range(2))
        self.output_conv = nn.ConvTranspose2d(16, num_classes, 2, stride=2)

    def forward(self, encoding: Encoding) -> Tensor:
        """Returns (B, num_classes, H, W) logits."""
        feature = encoding.features[-1]
        for layer in self.layers:
            feature = layer(feature)
        logits: Tensor = self.output_conv(feature)
        return logits
