"""What goes into a lane network and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from lanenet_sad.lanes.lane import LanePrediction


class LaneTargets(NamedTuple):
    """The labels of a batch, as the losses read them."""

    lane_mask: Tensor  # (B, H, W) int64, 0 background, 1..L lane slots, IGNORE_INDEX = 255
    existence: Tensor  # (B, L) float32, 0 or 1


class LaneNetOutput(NamedTuple):
    """What a lane network says about a batch of images."""

    segmentation_logits: Tensor  # (B, L+1, H, W), class 0 is background
    existence_logits: Tensor  # (B, L)
    features: tuple[Tensor, ...]  # one per encoder block, shallow to deep: K x (B, C_k, H_k, W_k)


@dataclass(frozen=True, eq=False)
class LaneSample:
    """One training or validation example, ready for the network.

    Attributes:
        image: (3, H, W) float32, normalised RGB.
        lane_mask: (H, W) int64, 0 background, 1..L slots, IGNORE_INDEX where nothing is known.
        existence: (L,) float32, computed from the transformed mask.
        truth: the labelled lanes in pixels of the original image, for the official metrics.
    """

    image: Tensor
    lane_mask: Tensor
    existence: Tensor
    truth: LanePrediction


@dataclass(frozen=True)
class EncoderSpec:
    """The shapes of an encoder's block outputs E1..EK, shallow to deep.

    Attributes:
        channels: C_k of each block.
        strides: input pixels per feature pixel of each block.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "strides", tuple(self.strides))
        if len(self.channels) != len(self.strides) or not self.channels:
            raise ValueError(
                f"EncoderSpec: expected as many channels as strides and at least one block, "
                f"got {self.channels} and {self.strides}."
            )

    @property
    def num_blocks(self) -> int:
        """K, the number of encoder blocks."""
        return len(self.channels)


@dataclass(frozen=True)
class NetworkSpec(EncoderSpec):
    """The shapes that a distillation method has to know of a whole network.

    Attributes:
        num_lanes: L, the lane slots.
    """

    num_lanes: int = 4

    @property
    def num_classes(self) -> int:
        """L + 1: the lane slots and the background."""
        return self.num_lanes + 1
