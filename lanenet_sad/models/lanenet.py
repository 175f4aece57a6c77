"""The whole network: encoder, decoder and existence head."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from lanenet_sad.models.decoder import CoarseDecoder, Decoder
from lanenet_sad.models.encoder import Encoder, Encoding
from lanenet_sad.models.heads import ExistenceHead
from lanenet_sad.models.interface import LaneNetOutput, NetworkSpec


@final
class LaneNet(nn.Module):
    """Predicts lanes from images, and nothing else: losses, distillation and decoding stand outside.

    Args:
        encoder: images -> features E1..EK.
        decoder: features -> segmentation logits.
        existence_head: deepest feature (or coarse logits of a `CoarseDecoder`) -> existence logits.
        num_lanes: L, the number of lane slots.

    Attributes:
        recipe: how a builder made this network, such that `build_network(recipe)` makes an equal one; numbers, strings,
            lists and None only. Empty if the network was put together by hand.
    """

    def __init__(self, *, encoder: Encoder, decoder: Decoder, existence_head: ExistenceHead, num_lanes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.existence_head = existence_head
        self.num_lanes = num_lanes
        self.recipe: dict[str, Any] = {}

    @property
    def spec(self) -> NetworkSpec:
        """Channels and strides of the features that `forward` returns, and the lane slots."""
        return NetworkSpec(self.encoder.spec.channels, self.encoder.spec.strides, self.num_lanes)

    def forward(self, images: Tensor) -> LaneNetOutput:
        """Predicts the lanes of (B, 3, H, W) normalised images.

        Raises:
            ValueError: H or W is not a multiple of 8, or not what a fixed existence head was built for.
        """
        size = (int(images.shape[-2]), int(images.shape[-1]))
        check_input_size(size)
        self._check_fixed_size(size)
        encoding = self.encoder(images)
        segmentation_logits, existence_logits = self._decide(encoding)
        return LaneNetOutput(segmentation_logits, existence_logits, encoding.features)

    def _decide(self, encoding: Encoding) -> tuple[Tensor, Tensor]:
        if self.existence_head.reads_logits:
            assert isinstance(self.decoder, CoarseDecoder), "this existence head reads the logits of a CoarseDecoder"
            coarse = self.decoder.coarse_logits(encoding)
            return self.decoder.enlarge(coarse), self.existence_head(coarse)
        return self.decoder(encoding), self.existence_head(encoding.features[-1])

    def _check_fixed_size(self, size: tuple[int, int]) -> None:
        fixed = self.existence_head.input_size
        if fixed is not None and size != fixed:
            raise ValueError(
                f"Input of {size[0]}x{size[1]} pixels: the existence head of this network was built for "
                f"{fixed[0]}x{fixed[1]}; resize the images, or build the network with existence_head='pooled'."
            )


def check_input_size(size: tuple[int, int], multiple: int = 8) -> None:
    """Refuses a (height, width) that the blocks of an encoder do not divide evenly.

    Raises:
        ValueError: Height or width is not a positive multiple of `multiple`.
    """
    height, width = size
    if height < 1 or width < 1 or height % multiple or width % multiple:
        fitting = "x".join(str(max(multiple, -(-length // multiple) * multiple)) for length in size)
        raise ValueError(
            f"Input of {height}x{width} pixels: height and width must be multiples of {multiple}; "
            f"the next fitting size is {fitting}."
        )
