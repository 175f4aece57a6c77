"""How flat is the minimum that training found? Noise on the weights tells."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def perturb_weights(network: nn.Module, sigma: float, seed: int) -> Iterator[None]:
    """Gaussian noise on the weights of a network while the block runs; afterwards they are what they were, bit for bit.

    Be Your Own Teacher (Zhang et al. 2019, arXiv:1905.08094) adds noise of one deviation to all weights, and finds that
    a network distilled from itself loses less. As layers differ in scale, the deviation here is `sigma` times that of
    the values of each tensor. Convolutions and linear layers get noise; biases, normalisations and slopes of PReLU do
    not: few of them have a spread that could be a scale.

    Args:
        network: is changed while the block runs.
        sigma: relative deviation of the noise, 0 or more.
        seed: of the noise, which is the same on every device.

    Raises:
        ValueError: sigma is negative or not finite.
    """
    if not (math.isfinite(sigma) and sigma >= 0):
        raise ValueError(f"Weight noise: expected a finite relative deviation of 0 or more, got {sigma}.")
    generator = torch.Generator().manual_seed(seed)
    weights = [parameter for parameter in network.parameters() if parameter.ndim >= 2]
    kept = [weight.detach().clone() for weight in weights]
    try:
        with torch.no_grad():
            for weight in weights:
                noise = torch.randn(weight.shape, generator=generator).to(weight.device, weight.dtype)
                weight.add_(noise * (sigma * weight.std(correction=0)))
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, kept, strict=True):
                weight.copy_(value)
