"""What every encoder has in common, so that decoders, losses and distillation need not know which one it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from lanenet_sad.models.interface import EncoderSpec


class Encoding(NamedTuple):
    """What an encoder hands to a decoder."""

    features: tuple[Tensor, ...]  # E1..EK, shallow to deep: K x (B, C_k, H_k, W_k)
    pool_indices: tuple[Tensor, ...] = ()  # of the max-pools that a decoder undoes, shallow to deep; may be empty


class Encoder(nn.Module, ABC):
    """Turns images into the features of blocks E1..EK.

    Attributes:
        spec: channels and strides of the blocks, equal to what `forward` returns.
    """

    spec: EncoderSpec

    @abstractmethod
    def forward(self, images: Tensor) -> Encoding:
        """Encodes (B, 3, H, W) normalised images; H and W are multiples of the largest stride."""
