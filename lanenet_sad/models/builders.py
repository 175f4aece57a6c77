"""Functions that put whole networks together, and the way back from a checkpoint's recipe to a network."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Literal

import torch
from torch import nn

from lanenet_sad.models.decoder import ENetDecoder
from lanenet_sad.models.encoder import Encoder
from lanenet_sad.models.enet import LAYOUTS, ENetEncoder, ENetLayout, LayoutName, SharedENetEncoder
from lanenet_sad.models.exits import ExitHead, exit_recipe
from lanenet_sad.models.heads import (
    FIXED_CHANNELS,
    ExistenceHead,
    FixedExistenceHead,
    PooledExistenceHead,
    dilated_classifier,
)
from lanenet_sad.models.lanenet import LaneNet, check_input_size


def enet(
    *,
    num_lanes: int = 4,
    layout: LayoutName = "original",
    existence_head: Literal["pooled", "fixed"] = "pooled",
    input_size: tuple[int, int] | None = None,
    concat_e34: bool | None = None,
    dropout: float | tuple[float, float] = (0.01, 0.1),
    activation: Literal["prelu", "relu"] = "prelu",
) -> LaneNet:
    """Builds ENet for lanes; with SAD it is ENet-SAD, which adds no parameters and nothing at inference.

    `enet(existence_head="fixed", input_size=(288, 800))` is the paper's network of 977,138 parameters.

    Args:
        num_lanes: lane slots (4 for CULane, 6 for TuSimple).
        layout: "original" as in the torch7 code, E1 = initial block; "port" as in the lighter PyTorch port of ENet-SAD,
            E1 = stage 1 and one set of weights for E2, E3, E4; "pad" as in pytorch-auto-drive.
        existence_head: "pooled" takes any input size; "fixed" is the published form, tied to `input_size`.
        input_size: (height, width) for the fixed head.
        concat_e34: the decoder reads E3 and E4 side by side; None as the layout has it (only "port" does).
        dropout: channel dropout in stage 1, and in the deeper stages; one number is for both.
        activation: of the encoder: "prelu" as published, or "relu", which trains faster.

    Raises:
        ValueError: A value is out of range, or the fixed head has no input size.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"enet layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}.")
    if num_lanes < 1:
        raise ValueError(f"enet num_lanes: expected at least 1, got {num_lanes}.")
    if activation not in ("prelu", "relu"):
        raise ValueError(f"enet activation: expected prelu or relu, got {activation!r}.")
    form = replace(LAYOUTS[layout], rectified=activation == "relu")
    rates = _dropout_rates(dropout)
    encoder: Encoder = (SharedENetEncoder if form.shared_stages else ENetEncoder)(form, dropout=rates)
    decoder = ENetDecoder(
        num_lanes + 1,
        form,
        concat_e34=form.concat_e34 if concat_e34 is None else concat_e34,
        dropout=rates[1] if form.decoder_dropout else 0.0,
    )
    head = _existence_head(existence_head, form, num_lanes, input_size)
    network = LaneNet(encoder=encoder, decoder=decoder, existence_head=head, num_lanes=num_lanes)
    network.apply(_initialize)
    _expect_background(decoder.full)
    network.recipe = {
        "builder": "enet",
        "num_lanes": num_lanes,
        "layout": layout,
        "existence_head": existence_head,
        "input_size": None if input_size is None else list(input_size),
        "concat_e34": concat_e34,
        "dropout": list(rates),
        "activation": activation,
    }
    return network


def truncated(*, network: Mapping[str, Any], block: int, width: int = 64) -> LaneNet:
    """Builds a network as far as an exit; the layers behind it get no memory.

    Args:
        network: the recipe of the whole network.
        block: 1-based, behind which the exit is.
        width: channels of the exit's bottleneck.

    Raises:
        ValueError: the recipe is wrong, or there is no such block.
    """
    with torch.device("meta"):
        whole = build_network(network)
    head = ExitHead(whole.spec, block, width=width)
    encoder = whole.encoder
    encoder.cut_after(block)
    encoder.to_empty(device=torch.get_default_device())
    for module in encoder.modules():
        if callable(reset := getattr(module, "reset_parameters", None)):
            reset()
    encoder.apply(_initialize)
    shortened = LaneNet(
        encoder=encoder, decoder=head.decoder, existence_head=head.existence_head, num_lanes=whole.num_lanes
    )
    shortened.recipe = exit_recipe(network, block, width)
    return shortened


BUILDERS: Final[Mapping[str, Callable[..., LaneNet]]] = {"enet": enet, "exit": truncated}
"""The functions that a recipe may name."""


def build_network(recipe: Mapping[str, Any]) -> LaneNet:
    """Builds the network that a recipe describes, with fresh weights.

    Args:
        recipe: {"builder": name, **arguments}, as `LaneNet.recipe` holds it and a checkpoint stores it.

    Raises:
        ValueError: The builder or one of its arguments is not known.
    """
    arguments = dict(recipe)
    name = arguments.pop("builder", None)
    if name not in BUILDERS:
        raise ValueError(f"Network recipe: expected a builder out of {', '.join(BUILDERS)}, got {name!r}.")
    known = inspect.signature(BUILDERS[name]).parameters
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise ValueError(
            f"Network recipe: {name} has no argument {', '.join(map(repr, unknown))}; it takes {', '.join(known)}."
        )
    return BUILDERS[name](**arguments)


def _dropout_rates(dropout: float | tuple[float, float]) -> tuple[float, float]:
    rates = (dropout, dropout) if isinstance(dropout, (int, float)) else tuple(dropout)
    if len(rates) != 2 or not all(0 <= rate < 1 for rate in rates):
        raise ValueError(f"enet dropout: expected one or two probabilities in [0, 1), got {dropout}.")
    return float(rates[0]), float(rates[1])


def _existence_head(kind: str, layout: ENetLayout, num_lanes: int, input_size: tuple[int, int] | None) -> ExistenceHead:
    if kind == "pooled":
        if input_size is not None:
            warnings.warn("enet: input_size has no effect with existence_head='pooled'.", UserWarning, stacklevel=3)
        return PooledExistenceHead(_classifier(layout, num_lanes + 1), num_lanes=num_lanes)
    if kind != "fixed":
        raise ValueError(f"enet existence_head: expected pooled or fixed, got {kind!r}.")
    if input_size is None:
        raise ValueError("enet: existence_head='fixed' needs input_size=(height, width).")
    height, width = input_size
    check_input_size((height, width))
    classifier = _classifier(layout, FIXED_CHANNELS)
    return FixedExistenceHead(
        classifier, num_lanes=num_lanes, input_size=(height, width), pooling=layout.existence_pool
    )


def _classifier(layout: ENetLayout, num_classes: int) -> nn.Sequential:
    if layout.light_existence:
        return nn.Sequential(nn.Conv2d(128, num_classes, 1))
    return dilated_classifier(128, num_classes)


def _expect_background(classifier: nn.ConvTranspose2d) -> None:
    """Starts from "nine pixels in ten are background", which the first few hundred steps would otherwise go into.

    The two lighter layouts have no bias here, and start as their authors let them.
    """
    if classifier.bias is not None:
        nn.init.normal_(classifier.weight, std=0.05)
        nn.init.constant_(classifier.bias[:1], math.log(9 * (classifier.out_channels - 1)))


def _initialize(module: nn.Module) -> None:
    """He initialisation for the convolutions, which torch's default (made for a leaky slope of sqrt 5) is not."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
