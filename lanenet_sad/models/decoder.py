"""From encoder features back to one score per pixel and class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lanenet_sad.models.encoder import Encoding
from lanenet_sad.models.enet import Bottleneck, ENetLayout, conv_unit, expansion, relu


class Decoder(nn.Module, ABC):
    """Turns an encoding into segmentation logits at the size of the input."""

    @abstractmethod
    def forward(self, encoding: Encoding) -> Tensor:
        """Returns (B, L+1, H, W) logits, class 0 is background."""


class CoarseDecoder(Decoder):
    """A decoder that decides at the size of the deepest feature and only enlarges what it decided.

    The two steps can be had apart, for existence heads that read the coarse logits.
    """

    @abstractmethod
    def coarse_logits(self, encoding: Encoding) -> Tensor:
        """Returns (B, L+1, h, w) logits, class 0 is background."""

    @abstractmethod
    def enlarge(self, coarse: Tensor) -> Tensor:
        """(B, L+1, h, w) -> (B, L+1, H, W)."""

    def forward(self, encoding: Encoding) -> Tensor:
        """Returns (B, L+1, H, W) logits, class 0 is background."""
        return self.enlarge(self.coarse_logits(encoding))


@final
class NeckDecoder(CoarseDecoder):
    """The small neck that published ResNet baselines of lane segmentation have: two 1x1 convolutions, then bilinear.

    1x1 to 128 channels, BN, ReLU, dropout of channels, 1x1 to the classes, as in pytorch-auto-drive. Enlarged without
    `align_corners`, as attention maps are here.

    Args:
        in_channels: of the deepest feature.
        num_classes: lanes + 1 for the background.
        stride: input pixels per pixel of the deepest feature.
        dropout: probability that one of the 128 channels is dropped.
    """

    def __init__(self, in_channels: int, num_classes: int, *, stride: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        self.stride = stride
        self.neck = nn.Sequential(
            nn.Conv2d(in_channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(inplace=True),
            nn.Dropout2d(dropout),
        )
        self.classify = nn.Conv2d(128, num_classes, 1)

    def coarse_logits(self, encoding: Encoding) -> Tensor:
        """Returns (B, num_classes, H/stride, W/stride) logits."""
        logits: Tensor = self.classify(self.neck(encoding.features[-1]))
        return logits

    def enlarge(self, coarse: Tensor) -> Tensor:
        """Bilinear, by the stride."""
        return F.interpolate(coarse, scale_factor=self.stride, mode="bilinear", align_corners=False)


class UpBottleneck(nn.Module):
    """Bottleneck that doubles height and width; the shortcut puts values back where their maxima stood."""

    def __init__(self, in_channels: int, out_channels: int, layout: ENetLayout, *, dropout: float) -> None:
        super().__init__()
        inner = layout.inner_width(in_channels, out_channels)
        self.shortcut = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, bias=False), layout.norm(out_channels))
        self.project = conv_unit(nn.Conv2d(in_channels, inner, 1, bias=False), layout, relu)
        self.transform = conv_unit(_doubling(inner, inner, layout.up_kernel, bias=layout.bias), layout, relu)
        self.expand = expansion(inner, out_channels, layout, relu)
        self.dropout = nn.Dropout2d(dropout)
        self.activation = relu(out_channels)

    def forward(self, feature: Tensor, pool_indices: Tensor) -> Tensor:
        """(B, C_in, H, W) and the indices of the pool that it undoes -> (B, C_out, 2H, 2W)."""
        shortcut = unpool(self.shortcut(feature), pool_indices)
        branch = self.dropout(self.expand(self.transform(self.project(feature))))
        activated: Tensor = self.activation(shortcut + branch)
        return activated


@final
class ENetDecoder(Decoder):
    """ENet's decoder: D1 = stage 4, D2 = stage 5 and a full (transposed) convolution.

    Args:
        num_classes: lanes + 1 for the background.
        layout: the published form.
        concat_e34: read E3 and E4 side by side instead of E4 alone; 10,240 more parameters in the original form.
        dropout: of the bottlenecks' branches; the original has none here.
    """

    def __init__(self, num_classes: int, layout: ENetLayout, *, concat_e34: bool, dropout: float = 0.0) -> None:
        super().__init__()
        self.concat_e34 = concat_e34
        self.up4 = UpBottleneck(256 if concat_e34 else 128, 64, layout, dropout=dropout)
        self.stage4 = nn.Sequential(*(Bottleneck(64, layout, activation=relu, dropout=dropout) for _ in range(2)))
        self.up5 = UpBottleneck(64, 16, layout, dropout=dropout)
        self.stage5 = nn.Sequential(Bottleneck(16, layout, activation=relu, dropout=dropout))
        self.full = _doubling(16, num_classes, layout.full_kernel, bias=layout.bias)

    def forward(self, encoding: Encoding) -> Tensor:
        """Returns (B, num_classes, H, W) logits."""
        indices1, indices2 = encoding.pool_indices
        deep = torch.cat(encoding.features[-2:], dim=1) if self.concat_e34 else encoding.features[-1]
        feature = self.stage4(self.up4(deep, indices2))  # (B, 64, H/4, W/4)
        feature = self.stage5(self.up5(feature, indices1))  # (B, 16, H/2, W/2)
        logits: Tensor = self.full(feature)  # (B, L+1, H, W)
        return logits


def unpool(feature: Tensor, indices: Tensor) -> Tensor:
    """Undoes a 2x2 max-pool: each value goes back to where its maximum stood, the other three pixels are 0.

    Args:
        feature: (B, C, H, W).
        indices: (B, C, H, W) positions in the flattened (2H, 2W) plane, as `max_pool2d` returns them.

    Returns:
        (B, C, 2H, 2W).
    """
    # torch's own function has no ONNX form and no deterministic CUDA kernel, but on a CPU it saves a tenth of a step
    if feature.device.type == "cpu" and not (torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export()):
        return F.max_unpool2d(feature, indices, (2, 2))
    return unpool_by_comparison(feature, indices)


def unpool_by_comparison(feature: Tensor, indices: Tensor) -> Tensor:
    """The same as `unpool` in operations that every device and ONNX have."""
    height, width = 2 * feature.shape[-2], 2 * feature.shape[-1]
    plane = torch.arange(height * width, device=feature.device).view(height, width)
    spread = _doubled(feature)
    return torch.where(_doubled(indices) == plane, spread, torch.zeros_like(spread))


def _doubled(feature: Tensor) -> Tensor:
    return feature.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)


def _doubling(in_channels: int, out_channels: int, kernel: int, *, bias: bool) -> nn.ConvTranspose2d:
    overlap = kernel - 2  # a 3x3 kernel of stride 2 needs one row and column of padding on each side to double exactly
    return nn.ConvTranspose2d(
        in_channels, out_channels, kernel, stride=2, padding=overlap, output_padding=overlap, bias=bias
    )
