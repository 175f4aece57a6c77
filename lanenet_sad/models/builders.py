"""Functions that put whole networks together, and the way back from a checkpoint's recipe to a network."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import torch
from torch import nn

from lanenet_sad.models.decoder import ENetDecoder, NeckDecoder
from lanenet_sad.models.encoder import Encoder
from lanenet_sad.models.encoder_weights import load_encoder_weights
from lanenet_sad.models.enet import LAYOUTS, ENetEncoder, ENetLayout, LayoutName, SharedENetEncoder
from lanenet_sad.models.erfnet import ERFNetDecoder, ERFNetEncoder
from lanenet_sad.models.exits import ExitHead, exit_recipe
from lanenet_sad.models.heads import (
    FIXED_CHANNELS,
    ExistenceHead,
    FixedExistenceHead,
    PooledExistenceHead,
    dilated_classifier,
)
from lanenet_sad.models.initialization import expect_background, he_initialize
from lanenet_sad.models.lanenet import LaneNet, check_input_size
from lanenet_sad.models.message_passing import PASSINGS, MessagePassing, PassingName
from lanenet_sad.models.resnet import NUM_BLOCKS, Depth, ResNetEncoder

HeadName: TypeAlias = Literal["pooled", "fixed"]


def enet(
    *,
    num_lanes: int = 4,
    layout: LayoutName = "original",
    existence_head: HeadName = "pooled",
    input_size: tuple[int, int] | None = None,
    concat_e34: bool | None = None,
    dropout: float | tuple[float, float] = (0.01, 0.1),
    activation: Literal["prelu", "relu"] = "prelu",
    message_passing: PassingName | None = None,
    encoder_weights: Path | None = None,
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
        message_passing: at the end of the last block: "scnn", "resa", or none.
        encoder_weights: a weight file whose encoder this one starts from.

    Raises:
        FileNotFoundError: There is no such weight file.
        ValueError: A value is out of range, the fixed head has no input size, or the weight file does not fit.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"enet layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}.")
    _check_num_lanes("enet", num_lanes)
    if activation not in ("prelu", "relu"):
        raise ValueError(f"enet activation: expected prelu or relu, got {activation!r}.")
    form = replace(LAYOUTS[layout], rectified=activation == "relu")
    rates = _dropout_rates("enet", dropout)
    encoder: Encoder = (SharedENetEncoder if form.shared_stages else ENetEncoder)(form, dropout=rates)
    decoder = ENetDecoder(
        num_lanes + 1,
        form,
        concat_e34=form.concat_e34 if concat_e34 is None else concat_e34,
        dropout=rates[1] if form.decoder_dropout else 0.0,
    )
    head = _existence_head(
        "enet", existence_head, num_lanes, input_size, lambda n: _enet_classifier(form, n), form.existence_pool
    )
    network = LaneNet(encoder=encoder, decoder=decoder, existence_head=head, num_lanes=num_lanes)
    _start("enet", network, decoder.full, message_passing, encoder_weights)
    network.recipe = {
        "builder": "enet",
        "num_lanes": num_lanes,
        "layout": layout,
        "existence_head": existence_head,
        "input_size": None if input_size is None else list(input_size),
        "concat_e34": concat_e34,
        "dropout": list(rates),
        "activation": activation,
        "message_passing": message_passing,
    }
    return network


def truncated(*, network: Mapping[str, Any], block: int, width: int = 64) -> LaneNet:
    """Builds a network as far as an exit; the blocks behind it get no memory.

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
    if block == whole.spec.num_blocks:  # a whole encoder starts as its own builder lets it
        encoder = build_network(network).encoder
    else:
        encoder = whole.encoder
        encoder.cut_after(block)
        encoder.to_empty(device=torch.get_default_device())
        for module in encoder.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
        encoder.apply(he_initialize)
    shortened = LaneNet(
        encoder=encoder, decoder=head.decoder, existence_head=head.existence_head, num_lanes=whole.num_lanes
    )
    shortened.recipe = exit_recipe(network, block, width)
    return shortened


def resnet(
    *,
    depth: Depth = 18,
    num_lanes: int = 4,
    existence_head: HeadName = "pooled",
    input_size: tuple[int, int] | None = None,
    dropout: float = 0.1,
    message_passing: PassingName | None = None,
    encoder_weights: Path | None = None,
) -> LaneNet:
    """Builds a ResNet of output stride 8 with the small neck of published lane segmentation baselines.

    The existence branch reads the softmax of the neck's coarse logits, as in SCNN and pytorch-auto-drive. With the
    fixed head at 288x800 there are 11,819,593 parameters for depth 18, 21,927,753 for 34 and 43,339,849 for 101.

    Args:
        depth: 18, 34, 50 or 101.
        num_lanes: lane slots (4 for CULane, 6 for TuSimple).
        existence_head: "pooled" takes any input size; "fixed" is the published form, tied to `input_size`.
        input_size: (height, width) for the fixed head.
        dropout: of the neck's channels.
        message_passing: at the end of the last block: "scnn", "resa", or none.
        encoder_weights: a checkpoint of torchvision, timm or this project whose encoder this one starts from.

    Raises:
        FileNotFoundError: There is no such weight file.
        ValueError: A value is out of range, the fixed head has no input size, or the weight file does not fit.
    """
    if depth not in NUM_BLOCKS:
        raise ValueError(f"resnet depth: expected one of {', '.join(map(str, NUM_BLOCKS))}, got {depth!r}.")
    _check_num_lanes("resnet", num_lanes)
    if not 0 <= dropout < 1:
        raise ValueError(f"resnet dropout: expected a probability in [0, 1), got {dropout}.")
    encoder = ResNetEncoder(depth)
    decoder = NeckDecoder(encoder.spec.channels[-1], num_lanes + 1, dropout=dropout)
    head = _existence_head("resnet", existence_head, num_lanes, input_size, None, "mean")
    network = LaneNet(encoder=encoder, decoder=decoder, existence_head=head, num_lanes=num_lanes)
    _start("resnet", network, decoder.classify, message_passing, encoder_weights)
    network.recipe = {
        "builder": "resnet",
        "depth": depth,
        "num_lanes": num_lanes,
        "existence_head": existence_head,
        "input_size": None if input_size is None else list(input_size),
        "dropout": dropout,
        "message_passing": message_passing,
    }
    return network


def erfnet(
    *,
    num_lanes: int = 4,
    existence_head: HeadName = "pooled",
    input_size: tuple[int, int] | None = None,
    dropout: float | tuple[float, float] = (0.03, 0.3),
    message_passing: PassingName | None = None,
    encoder_weights: Path | None = None,
) -> LaneNet:
    """Builds ERFNet for lanes: 2,677,018 parameters at 288x800 with the fixed head, 613,737 of them the head's.

    Args:
        num_lanes: lane slots (4 for CULane, 6 for TuSimple).
        existence_head: "pooled" takes any input size; "fixed" is the published form, tied to `input_size`.
        input_size: (height, width) for the fixed head.
        dropout: channel dropout in the 64-channel stage, and in the 128-channel stage; one number is for both.
        message_passing: at the end of the last block: "scnn", "resa", or none.
        encoder_weights: a checkpoint of ERFNet's authors or of this project whose encoder this one starts from.

    Raises:
        FileNotFoundError: There is no such weight file.
        ValueError: A value is out of range, the fixed head has no input size, or the weight file does not fit.
    """
    _check_num_lanes("erfnet", num_lanes)
    rates = _dropout_rates("erfnet", dropout)
    encoder, decoder = ERFNetEncoder(dropout=rates), ERFNetDecoder(num_lanes + 1)
    head = _existence_head("erfnet", existence_head, num_lanes, input_size, lambda n: dilated_classifier(128, n), "max")
    network = LaneNet(encoder=encoder, decoder=decoder, existence_head=head, num_lanes=num_lanes)
    _start("erfnet", network, decoder.output_conv, message_passing, encoder_weights)
    network.recipe = {
        "builder": "erfnet",
        "num_lanes": num_lanes,
        "existence_head": existence_head,
        "input_size": None if input_size is None else list(input_size),
        "dropout": list(rates),
        "message_passing": message_passing,
    }
    return network


BUILDERS: Final[Mapping[str, Callable[..., LaneNet]]] = {
    "enet": enet,
    "resnet": resnet,
    "erfnet": erfnet,
    "exit": truncated,
}
"""The functions that a recipe may name."""


def build_network(recipe: Mapping[str, Any]) -> LaneNet:
    """Builds the network that a recipe describes, with fresh weights.

    Args:
        recipe: {"builder": name, **arguments}, as `LaneNet.recipe` holds it and a checkpoint stores it. Never the file
            of `encoder_weights`: a network must be rebuilt where that file is not.

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


def _check_num_lanes(builder: str, num_lanes: int) -> None:
    if num_lanes < 1:
        raise ValueError(f"{builder} num_lanes: expected at least 1, got {num_lanes}.")


def _dropout_rates(builder: str, dropout: float | tuple[float, float]) -> tuple[float, float]:
    rates = (dropout, dropout) if isinstance(dropout, (int, float)) else tuple(dropout)
    if len(rates) != 2 or not all(0 <= rate < 1 for rate in rates):
        raise ValueError(f"{builder} dropout: expected one or two probabilities in [0, 1), got {dropout}.")
    return float(rates[0]), float(rates[1])


def _existence_head(
    builder: str,
    kind: str,
    num_lanes: int,
    input_size: tuple[int, int] | None,
    classifier: Callable[[int], nn.Module] | None,
    pooling: Literal["max", "mean"],
) -> ExistenceHead:
    """The branch of one kind; without a `classifier` it reads the decoder's coarse logits."""
    if kind == "pooled":
        if input_size is not None:
            warnings.warn(
                f"{builder}: input_size has no effect with existence_head='pooled'.", UserWarning, stacklevel=3
            )
        return PooledExistenceHead(classifier and classifier(num_lanes + 1), num_lanes=num_lanes)
    if kind != "fixed":
        raise ValueError(f"{builder} existence_head: expected pooled or fixed, got {kind!r}.")
    if input_size is None:
        raise ValueError(f"{builder}: existence_head='fixed' needs input_size=(height, width).")
    height, width = input_size
    check_input_size((height, width))
    return FixedExistenceHead(
        classifier and classifier(FIXED_CHANNELS),
        num_lanes=num_lanes,
        input_size=(height, width),
        pooling=pooling,
        num_classes=FIXED_CHANNELS if classifier else num_lanes + 1,
    )


def _enet_classifier(layout: ENetLayout, num_classes: int) -> nn.Sequential:
    if layout.light_existence:
        return nn.Sequential(nn.Conv2d(128, num_classes, 1))
    return dilated_classifier(128, num_classes)


def _start(
    builder: str,
    network: LaneNet,
    classifier: nn.Conv2d | nn.ConvTranspose2d,
    message_passing: PassingName | None,
    encoder_weights: Path | None,
) -> None:
    """The values that training starts from, and message passing, which has its own."""
    network.apply(he_initialize)
    expect_background(classifier)
    if message_passing is not None:
        if message_passing not in PASSINGS:
            raise ValueError(f"{builder} message_passing: expected scnn, resa or none, got {message_passing!r}.")
        network.encoder.passing = MessagePassing(network.spec.channels[-1], message_passing)
    if encoder_weights is not None:
        load_encoder_weights(network.encoder, encoder_weights)
