"""How a picture becomes the network's input numbers."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lanenet_sad.lanes.lane import Image

IMAGE_MEAN: tuple[float, float, float] = (0.3598, 0.3653, 0.3662)
"""Mean of R, G and B on the scale 0..1, as the official ENet-SAD code has it."""

IMAGE_STD: tuple[float, float, float] = (0.2573, 0.2663, 0.2756)
"""Standard deviation of R, G and B on the scale 0..1, as the official ENet-SAD code has it."""


def normalize_image(image: Image) -> Tensor:
    """Turns one RGB picture into network input.

    Args:
        image: (H, W, 3) uint8, RGB.

    Returns:
        (3, H, W) float32, contiguous.
    """
    return normalize_images(torch.from_numpy(np.array(image, order="C"))[None])[0]


def normalize_images(images: Tensor) -> Tensor:
    """Turns a batch of RGB pictures into network input, on the device where they are.

    Args:
        images: (B, H, W, 3) uint8, RGB.

    Returns:
        (B, 3, H, W) float32, contiguous.

    Raises:
        ValueError: The shape or the type is another.
    """
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != torch.uint8:
        shape = tuple(images.shape)
        raise ValueError(f"Images to normalise: expected uint8 of shape (B, H, W, 3), got {images.dtype} of {shape}.")
    mean = torch.tensor(IMAGE_MEAN, device=images.device) * 255
    std = torch.tensor(IMAGE_STD, device=images.device) * 255
    normalized = (images.to(torch.float32) - mean) / std
    return normalized.permute(0, 3, 1, 2).contiguous()  # (B, 3, H, W)
