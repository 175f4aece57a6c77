"""The values that training starts from."""

from __future__ import annotations

import math

from torch import nn


def he_initialize(module: nn.Module) -> None:
    """He initialisation for a convolution, which torch's default (made for a leaky slope of sqrt 5) is not.

    For `nn.Module.apply`; other modules are left alone.
    """
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def expect_background(classifier: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Starts from "nine pixels in ten are background", which the first few hundred steps would otherwise go into.

    A classifier without a bias, as in the two lighter layouts of ENet, starts as its authors let it.
    """
    if classifier.bias is not None:
        nn.init.normal_(classifier.weight, std=0.05)
        nn.init.zeros_(classifier.bias)
        nn.init.constant_(classifier.bias[:1], math.log(9 * (classifier.out_channels - 1)))
