"""ResNet encoders of output stride 8 (He et al. 2016, arXiv:1512.03385), with torchvision's names of the layers.

The layers are torchvision's and timm's down to their names, so that checkpoints of both load key by key. Stages 3 and 4
keep the height and width of stage 2: where the classifier halves them, the convolutions behind take every second
(fourth) pixel instead. This computes the classifier's values at its own pixels, and new ones between (Chen et al. 2018,
DeepLab).
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, final

from torch import Tensor, nn

from lanenet_sad.models.encoder import Encoder, Encoding
from lanenet_sad.models.interface import EncoderSpec

Depth: TypeAlias = Literal[18, 34, 50, 101]

NUM_BLOCKS: Final[dict[int, tuple[int, int, int, int]]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
}
"""Residual blocks of layer1 to layer4, for each depth."""

# stride of the first block, dilation of the convolution that would have halved, dilation of all behind it
_STAGES: Final = ((1, 1, 1), (2, 1, 1), (1, 1, 2), (1, 2, 4))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; of ResNet-18 and 34.

    Args:
        in_channels: of the input.
        width: of the convolutions, and of the output.
        stride: of the first convolution.
        dilations: of the first 3x3 convolution, and of the second.
    """

    expansion: Final = 1

    def __init__(self, in_channels: int, width: int, *, stride: int, dilations: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_channels, width, stride, dilations[0])
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv3x3(width, width, 1, dilations[1])
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(in_channels, width, stride)

    def forward(self, feature: Tensor) -> Tensor:
        """(B, C_in, H, W) -> (B, width, H/stride, W/stride)."""
        shortcut = feature if self.downsample is None else self.downsample(feature)
        branch = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(feature)))))
        activated: Tensor = self.relu(branch + shortcut)
        return activated


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up to four times the width, beside a shortcut; of ResNet-50 and 101.

    The stride is the 3x3's, as torchvision and timm have it.

    Args:
        in_channels: of the input.
        width: of the 3x3 convolution; the output has four times as many channels.
        stride: of the 3x3 convolution.
        dilations: the first is the 3x3 convolution's; there is no second one here.
    """

    expansion: Final = 4

    def __init__(self, in_channels: int, width: int, *, stride: int, dilations: tuple[int, int]) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, stride, dilations[0])
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, out_channels, stride)

    def forward(self, feature: Tensor) -> Tensor:
        """(B, C_in, H, W) -> (B, 4 width, H/stride, W/stride)."""
        shortcut = feature if self.downsample is None else self.downsample(feature)
        branch = self.relu(self.bn1(self.conv1(feature)))
        branch = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(branch)))))
        activated: Tensor = self.relu(branch + shortcut)
        return activated


@final
class ResNetEncoder(Encoder):
    """A ResNet without its classifier; E1..E4 = conv2_x..conv5_x of the paper, layer1..layer4 of torchvision.

    Args:
        depth: 18, 34, 50 or 101.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        block = BasicBlock if depth < 50 else Bottleneck
        widths = (64, 128, 256, 512)
        channels = tuple(width * block.expansion for width in widths)
        self.spec = EncoderSpec(channels=channels, strides=(4, 8, 8, 8))
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs = (64, *channels[:3])
        stages = (
            _stage(block, inputs[k], widths[k], NUM_BLOCKS[depth][k], *_STAGES[k])
            for k in range(len(NUM_BLOCKS[depth]))
        )
        self.layer1, self.layer2, self.layer3, self.layer4 = stages

    def forward(self, images: Tensor) -> Encoding:
        """Encodes (B, 3, H, W) images; H and W are multiples of 8."""
        feature = self.maxpool(self.relu(self.bn1(self.conv1(images))))  # (B, 64, H/4, W/4)
        features = []
        for block in range(1, self.spec.num_blocks + 1):
            feature = getattr(self, f"layer{block}")(feature)
            features.append(feature)
        return Encoding(self._finished(features))

    def cut_after(self, block: int) -> None:
        """Keeps E1..E`block` alone."""
        num_blocks = self.spec.num_blocks
        self._shorten(block)
        for later in range(block + 1, num_blocks + 1):
            delattr(self, f"layer{later}")


def _stage(
    block: type[BasicBlock | Bottleneck],
    in_channels: int,
    width: int,
    num_blocks: int,
    stride: int,
    first_dilation: int,
    dilation: int,
) -> nn.Sequential:
    first = block(in_channels, width, stride=stride, dilations=(first_dilation, dilation))
    later = (
        block(width * block.expansion, width, stride=1, dilations=(dilation, dilation)) for _ in range(num_blocks - 1)
    )
    return nn.Sequential(first, *later)


def _conv3x3(in_channels: int, out_channels: int, stride: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=dilation, dilation=dilation, bias=False)


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """A 1x1 convolution wherever the shape changes. In stage 3 and 4 the channels do, so that the names stay."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))
