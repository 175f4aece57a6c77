"""What every encoder has in common, so that decoders, losses and distillation need not know which one it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
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
        passing: what the last block ends with, such as message passing; it keeps the shape. None: nothing.
    """

    spec: EncoderSpec

    def __init__(self) -> None:
        super().__init__()
        self.passing: nn.Module | None = None

    @abstractmethod
    def forward(self, images: Tensor) -> Encoding:
        """Encodes (B, 3, H, W) normalised images; H and W are multiples of the largest stride."""

    @abstractmethod
    def cut_after(self, block: int) -> None:
        """Takes away, in place, every layer that E1..E`block` do not need; `spec` and `forward` follow.

        The names of the layers that stay are kept, so that weights still fit.
        """

    def _finished(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The features, of which the last goes through `passing`."""
        if self.passing is None:
            return tuple(features)
        return (*features[:-1], self.passing(features[-1]))

    def _shorten(self, num_blocks: int) -> None:
        """The part of `cut_after` that is the same in all: checks the number, and cuts `spec` and `passing`."""
        check_block(num_blocks, self.spec.num_blocks)
        if num_blocks < self.spec.num_blocks:
            self.passing = None
        self.spec = EncoderSpec(self.spec.channels[:num_blocks], self.spec.strides[:num_blocks])


def check_block(block: int, num_blocks: int) -> None:
    """Refuses a block number that the encoder does not have.

    Raises:
        ValueError: Not 1 to `num_blocks`.
    """
    if not 1 <= block <= num_blocks:
        raise ValueError(f"Encoder block {block}: the encoder has blocks 1 to {num_blocks}.")
