"""How a picture becomes the network's input numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lanenet_sad.lanes.lane import Image

IMAGE_MEAN: tuple[float, float, float] = (0.3598, 0.3653, 0.3662)
"""Mean of R, G and B on the scale 0..1, as the official ENet-SAD code has it."""

IMAGE_STD: tuple[float, float, float] = (0.2573, 0.2663, 0.2756)
"""Standard deviation of R, G and B on the scale 0..1, as the official ENet-SAD code has it."""


@dataclass(frozen=True)
class Normalization:
    """What is taken from a picture's values, and what they are divided by; the default is what `train` uses.

    A checkpoint of another program keeps that program's numbers in its card. They are not folded into the first
    convolution: it pads with zeros, which stand for another colour then, so that the borders would differ.

    Attributes:
        mean: of R, G and B on the scale 0..1.
        std: standard deviations, likewise.
    """

    mean: tuple[float, float, float] = IMAGE_MEAN
    std: tuple[float, float, float] = IMAGE_STD

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        if len(self.mean) != 3 or len(self.std) != 3 or not all(value > 0 for value in self.std):
            raise ValueError(
                f"Normalisation: expected three means and three positive deviations, got {self.mean} and {self.std}."
            )


IMAGENET = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""What torchvision's networks and pytorch-auto-drive use."""


def normalize_image(image: Image, normalization: Normalization | None = None) -> Tensor:
    """Turns one RGB picture into network input.

    Args:
        image: (H, W, 3) uint8, RGB.
        normalization: None as in training.

    Returns:
        (3, H, W) float32, contiguous.
    """
    return normalize_images(torch.from_numpy(np.array(image, order="C"))[None], normalization)[0]


def normalize_images(images: Tensor, normalization: Normalization | None = None) -> Tensor:
    """Turns a batch of RGB pictures into network input, on the device where they are.

    Args:
        images: (B, H, W, 3) uint8, RGB.
        normalization: None as in training.

    Returns:
        (B, 3, H, W) float32, contiguous.

    Raises:
        ValueError: The shape or the type is another.
    """
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != torch.uint8:
        shape = tuple(images.shape)
        raise ValueError(f"Images to normalise: expected uint8 of shape (B, H, W, 3), got {images.dtype} of {shape}.")
    chosen = normalization or Normalization()
    mean = torch.tensor(chosen.mean, device=images.device) * 255
    std = torch.tensor(chosen.std, device=images.device) * 255
    normalized = (images.to(torch.float32) - mean) / std
    return normalized.permute(0, 3, 1, 2).contiguous()  # (B, 3, H, W)
