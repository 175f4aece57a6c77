"""Checkpoints of other programs' ENets: what their tensors are called there, and the same network in our layout.

The names are those of the published modules, as their repositories and their state dicts show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from lanenet_sad.lanes.view import InputView
from lanenet_sad.models.builders import enet
from lanenet_sad.models.checkpoint_file import load_checkpoint_file, read_safetensors
from lanenet_sad.models.enet import LayoutName
from lanenet_sad.models.heads import FIXED_CHANNELS
from lanenet_sad.models.lanenet import LaneNet, check_input_size
from lanenet_sad.models.normalization import IMAGENET, Normalization
from lanenet_sad.models.weights import FORMAT

PUBLISHED_ASPECTS: Final[Mapping[tuple[int, int], float]] = {
    (288, 800): 1640 / 590,  # CULane, both programs
    (208, 976): 1640 / 590,
    (368, 640): 1280 / 720,  # TuSimple, the port
    (360, 640): 1280 / 720,  # TuSimple, pytorch-auto-drive
}
"""(height, width) of the published inputs -> width / height of the pictures; both programs resize whole pictures."""

_WRAPPERS: Final = ("state_dict", "model_state_dict", "model", "net")
_KINDS: Final = ("regular", "dilated", "asymmetric", "dilated") * 2

_INITIAL: Final = {"main_branch": "conv", "batch_norm": "norm", "out_activation": "activation"}
_BOTTLENECK: Final = {
    "ext_conv1": "project",
    "ext_conv2": "transform",
    "ext_conv3": "expand",
    "out_activation": "activation",
}
_UP: Final = {
    "main_conv1": "shortcut",
    "ext_conv1": "project",
    "ext_tconv1": "transform.0",
    "ext_tconv1_bnorm": "transform.1",
    "ext_conv2": "expand",
}


@dataclass(frozen=True)
class Origin:
    """A program whose checkpoints can be read.

    Attributes:
        repository: where it is published.
        layout: ours that computes the same.
        normalization: of the pictures that it trains on.
        modules: beginning of a tensor's name there -> beginning of its name here. Several may lead to one place:
            shared weights, which stand in a file under each of their names, and spellings of several versions.
        unused: tensors that no prediction depends on.
    """

    repository: str
    layout: LayoutName
    normalization: Normalization
    modules: Mapping[str, str]
    unused: frozenset[str] = frozenset()

    def rename(self, name: str) -> str | None:
        """Our name of a tensor; None if there is no rule for it."""
        parts = name.split(".")
        for end in range(len(parts), 0, -1):
            ours = self.modules.get(".".join(parts[:end]))
            if ours is not None:
                return ".".join([ours, *parts[end:]])
        return None

    def original(self, ours: str) -> str:
        """The published name, in its newest spelling, of a tensor of ours."""
        found = [(there, here) for there, here in self.modules.items() if ours.startswith(f"{here}.")]
        there, here = max(found, key=lambda pair: len(pair[1]))
        return there + ours.removeprefix(here)


def _inside(module: str, ours: str, parts: Mapping[str, str]) -> dict[str, str]:
    return {f"{module}.{part}": f"{ours}.{our_part}" for part, our_part in parts.items()}


def _numbered(names: Iterable[str], ours: str) -> dict[str, str]:
    """Bottlenecks in a row -> the entries of one of our stages."""
    rules: dict[str, str] = {}
    for index, name in enumerate(names):
        rules |= _inside(name, f"{ours}.{index}", _BOTTLENECK)
    return rules


def _deep(stage: int, first: int) -> list[str]:
    """Names of the eight bottlenecks of a deep stage: regular2_1, dilated2_2, asymmetric2_3, …"""
    return [f"{kind}{stage}_{first + index}" for index, kind in enumerate(_KINDS)]


def _first() -> list[str]:
    return [f"regular1_{number}" for number in range(1, 5)]


def _below(prefix: str, names: Iterable[str]) -> list[str]:
    return [f"{prefix}.{name}" for name in names]


def _decoder(prefix: str = "") -> dict[str, str]:
    return {
        **_inside(f"{prefix}upsample4_0", "decoder.up4", _UP),
        **_numbered([f"{prefix}regular4_1", f"{prefix}regular4_2"], "decoder.stage4"),
        **_inside(f"{prefix}upsample5_0", "decoder.up5", _UP),
        **_numbered([f"{prefix}regular5_1"], "decoder.stage5"),
        f"{prefix}transposed_conv": "decoder.full",
    }


def _port_modules() -> dict[str, str]:
    shared = "encoder.shared_stage"
    newest = {
        **_inside("downsample1", "encoder.down1", _BOTTLENECK),
        **_numbered(_below("encoder1", _first()), "encoder.stage1"),
        **_inside("downsample2", "encoder.down2", _BOTTLENECK),
        **_numbered(_below("encoder2", _deep(2, 1)), shared),
        **_numbered(_below("encoder3", _deep(2, 1)), shared),
        **_numbered(_below("encoder4", _deep(2, 1)), shared),
        "exist.0": "existence_head.classify.0",
    }
    before = {  # its earlier versions
        **_inside("downsample1_0", "encoder.down1", _BOTTLENECK),
        **_numbered(_first(), "encoder.stage1"),
        **_inside("downsample2_0", "encoder.down2", _BOTTLENECK),
        **_numbered(_deep(2, 1), shared),
        **_numbered(_deep(3, 0), shared),
        **_numbered(_deep(4, 0), shared),
        "layer3.0": "existence_head.classify.0",
    }
    return {
        **_inside("initial_block", "encoder.initial", _INITIAL),
        **newest,
        **before,
        **_decoder(),
        "fc.0": "existence_head.decide.0",
        "fc.2": "existence_head.decide.2",
    }


def _pad_modules() -> dict[str, str]:
    rules: dict[str, str] = {}
    for encoder in ("encoder", "e.encoder"):  # the second: a network and an existence head saved as a pair (e, x)
        rules |= _inside(f"{encoder}.initial_block", "encoder.initial", _INITIAL)
        rules |= _inside(f"{encoder}.downsample1_0", "encoder.down1", _BOTTLENECK)
        rules |= _numbered(_below(encoder, _first()), "encoder.stage1")
        rules |= _inside(f"{encoder}.downsample2_0", "encoder.down2", _BOTTLENECK)
        rules |= _numbered(_below(encoder, _deep(2, 1)), "encoder.stage2")
        rules |= _numbered(_below(encoder, _deep(3, 0)), "encoder.stage3")
    for head in ("lane_classifier", "aux_head", "x"):  # aux_head in its first versions
        rules[f"{head}.layers"] = "existence_head.classify"
        rules[f"{head}.layers_final.1"] = "existence_head.classify.4"
        rules[f"{head}.linear1"] = "existence_head.decide.0"
        rules[f"{head}.linear2"] = "existence_head.decide.2"
    return {**rules, **_decoder("decoder."), **_decoder("e.decoder.")}


ORIGINS: Final = (
    Origin("InhwanBae/ENet-SAD_Pytorch", "port", Normalization(), _port_modules(), frozenset({"ce_loss.weight"})),
    Origin("voldemortX/pytorch-auto-drive", "pad", IMAGENET, _pad_modules()),
)


def read_published(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, out of the dictionaries and prefixes that training programs wrap around them.

    Args:
        path: `.safetensors`, or what `torch.save` wrote; the latter is read without pickle.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, needs pickle, holds something else, or is one of ours already.
    """
    if not path.is_file():
        raise FileNotFoundError(f"Checkpoint {path}: there is no such file.")
    if path.suffix == ".safetensors":
        metadata, found = read_safetensors(path)
        content: dict[str, Any] = dict(found)
        is_ours = metadata.get("format") == FORMAT
    else:
        content = load_checkpoint_file(path)
        is_ours = {"card", "network"} <= content.keys()
    if is_ours:
        raise ValueError(
            f"Checkpoint {path}: this is a file of lanenet-sad already; every --weights takes it as it is."
        )
    for _ in _WRAPPERS:
        inner = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), dict)), None)
        content = content if inner is None else inner
    strangers = [name for name, value in content.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
    if strangers or not content:
        said = f"{strangers[0]!r} is none" if content else "it is empty"
        raise ValueError(
            f"Checkpoint {path}: expected named tensors, or such a dictionary under one of "
            f"{', '.join(_WRAPPERS)}; {said}."
        )
    wrapped = all(name.startswith("module.") for name in content)  # by DataParallel
    return {name.removeprefix("module.") if wrapped else name: value for name, value in content.items()}


def recognize(tensors: Mapping[str, Tensor], path: Path) -> Origin:
    """The program that a checkpoint's names come from; ValueError if most of them fit none."""
    counts = [sum(origin.rename(name) is not None for name in tensors) for origin in ORIGINS]
    most = max(counts)
    if 2 * most < len(tensors):
        known = " and ".join(origin.repository for origin in ORIGINS)
        raise ValueError(
            f"Checkpoint {path}: expected the ENet of {known}, got tensors such as {min(tensors)!r}; "
            f"{most} of {len(tensors)} names are known."
        )
    return ORIGINS[counts.index(most)]


def convert_tensors(
    tensors: Mapping[str, Tensor], origin: Origin, path: Path, *, input_size: tuple[int, int] | None = None
) -> LaneNet:
    """The network of a published checkpoint; every tensor is used once, every one of ours is filled.

    Args:
        tensors: as `read_published` returns them.
        origin: as `recognize` returns it.
        path: of the file, for messages.
        input_size: (height, width) of the network's input; None: as the existence head tells, if it does.

    Returns:
        The network in eval mode.

    Raises:
        ValueError: a tensor is unknown, missing or of another shape, or shared ones differ.
    """
    said = f"Checkpoint {path}: its names are those of {origin.repository}, but"
    found, names = _renamed(tensors, origin, said)
    for ours in ("decoder.full.weight", "existence_head.decide.0.weight"):
        if ours not in found or found[ours].ndim < 2:
            raise ValueError(f"{said} {origin.original(ours)} is missing or of another shape.")
    num_lanes = found["decoder.full.weight"].shape[1] - 1
    if num_lanes < 1:
        raise ValueError(
            f"{said} {names['decoder.full.weight']} has {num_lanes + 1} class; a background and at least one lane slot "
            f"are needed, which its BDD100K form (lane or not) does not have."
        )
    size = _input_size(found["existence_head.decide.0.weight"].shape[1], input_size, said)
    network = enet(num_lanes=num_lanes, layout=origin.layout, existence_head="fixed", input_size=size)
    for ours, expected in network.state_dict().items():
        if ours not in found:
            raise ValueError(f"{said} {origin.original(ours)} is missing.")
        if found[ours].shape != expected.shape:
            got, wanted = tuple(found[ours].shape), tuple(expected.shape)
            raise ValueError(f"{said} {names[ours]} is {got} instead of {wanted}.")
    network.load_state_dict(found)  # refuses what is left over
    return network.eval()


def published_view(input_size: tuple[int, int], aspect: float | None = None) -> InputView:
    """What part of a picture a published network looks at: all of it, whose shape follows from the input's size.

    Args:
        input_size: (height, width) of the network's input.
        aspect: width / height in the picture, for training that cut off the top; None as published, or as the input's.
    """
    height, width = input_size
    return InputView(input_size, PUBLISHED_ASPECTS.get(input_size, width / height) if aspect is None else aspect)


def _renamed(tensors: Mapping[str, Tensor], origin: Origin, said: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by our names, and the name that each of them had."""
    found: dict[str, Tensor] = {}
    names: dict[str, str] = {}
    for name, value in tensors.items():
        ours = origin.rename(name)
        if ours is None:
            if name in origin.unused:
                continue
            unshared = origin.layout == "port" and name.startswith(("encoder3.", "encoder4."))
            hint = " (trained with weight_share=False, for which there is no layout here)" if unshared else ""
            raise ValueError(f"{said} {name} has no place in that network{hint}.")
        if ours in found and not torch.equal(found[ours], value):
            raise ValueError(f"{said} {names[ours]} and {name} differ, which stand for the same weights there.")
        found.setdefault(ours, value)
        names.setdefault(ours, name)
    return found, names


def _input_size(num_inputs: int, given: tuple[int, int] | None, said: str) -> tuple[int, int]:
    """The (height, width) whose pooled class map has `num_inputs` values."""

    def count(size: tuple[int, int]) -> int:
        return FIXED_CHANNELS * (size[0] // 16) * (size[1] // 16)

    if given is not None:
        check_input_size(given)
        if count(given) != num_inputs:
            raise ValueError(
                f"{said} its existence head reads {num_inputs} values, and an input of {given[0]}x{given[1]} gives "
                f"{count(given)}."
            )
        return given
    fitting = [size for size in PUBLISHED_ASPECTS if count(size) == num_inputs]
    if len(fitting) != 1:
        known = ", ".join(f"{height}x{width}" for height, width in PUBLISHED_ASPECTS)
        raise ValueError(
            f"{said} its existence head reads {num_inputs} values, as none of the published input sizes gives "
            f"({known}); say the size with --input-size HEIGHT WIDTH."
        )
    return fitting[0]
