"""Starting an encoder from a checkpoint of another program, such as torchvision's and timm's ImageNet ResNets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from lanenet_sad.models.checkpoint_file import load_checkpoint_file, read_safetensors
from lanenet_sad.models.encoder import Encoder
from lanenet_sad.models.resnet import NUM_BLOCKS

# Where a checkpoint keeps its tensors, if not at its top; ours has the moving average as `ema`.
_CONTAINERS: Final = ("ema", "network", "state_dict", "model_state_dict", "model")
# Owners that stand before the encoder's names; where some tensors have one, the others are none of the encoder's.
_OWNERS: Final = ("module.", "model.", "features.", "backbone.", "encoder.")
# Classifiers, which an encoder has no use for: torchvision's and timm's, and that of ERFNet's pretraining.
_CLASSIFIERS: Final = ("fc.", "classifier.", "output_conv.")


def load_encoder_weights(encoder: Encoder, path: Path) -> None:
    """Fill an encoder from a checkpoint whose keys are those of its layers.

    Taken are `.safetensors` files and torch files that need no pickle: state dicts of torchvision, timm, the authors of
    ERFNet, and weight files and checkpoints of this project, of which the encoder is taken. Classifiers are passed
    over, and message passing, which other programs' files do not know, stays as it is.

    Args:
        encoder: is changed in place.
        path: the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file cannot be read, or its keys or shapes are not the encoder's.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Encoder weights {path}: there is no such file.")
    content = read_safetensors(path)[1] if path.suffix == ".safetensors" else load_checkpoint_file(path)
    tensors = _encoder_tensors(content)
    ours = encoder.state_dict()
    needed = {name for name in ours if not _is_optional(name)}
    missing = sorted(needed - tensors.keys())
    surplus = sorted(tensors.keys() - ours.keys())
    shapes = sorted(name for name in ours.keys() & tensors.keys() if ours[name].shape != tensors[name].shape)
    if missing or surplus or shapes:
        raise ValueError(
            f"Encoder weights {path}: an encoder checkpoint with other keys: {_misfit(ours, tensors, missing, surplus)}"
            f"{_depth_hint(ours, tensors)}. Choose the model that the file was made for, or a file for this model."
        )
    encoder.load_state_dict({**ours, **tensors})


def _encoder_tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors under the encoder's own names."""
    for name in _CONTAINERS:
        if isinstance(content.get(name), Mapping):
            content = content[name]
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    owner: str | None = ""
    while owner is not None:
        tensors = {name.removeprefix(owner): value for name, value in tensors.items() if name.startswith(owner)}
        owner = next((one for one in _OWNERS if any(name.startswith(one) for name in tensors)), None)
    return {name: value.detach() for name, value in tensors.items() if not name.startswith(_CLASSIFIERS)}


def _is_optional(name: str) -> bool:
    return name.endswith(".num_batches_tracked") or name.startswith("passing.")


def _misfit(ours: Mapping[str, Tensor], tensors: Mapping[str, Tensor], missing: list[str], surplus: list[str]) -> str:
    if missing or surplus:
        parts = (("missing", missing), ("unknown", surplus))
        return ", ".join(f"{len(names)} {what} (such as {names[0]})" for what, names in parts if names)
    name = min(name for name in ours.keys() & tensors.keys() if ours[name].shape != tensors[name].shape)
    return f"{name} is {tuple(tensors[name].shape)} in the file, {tuple(ours[name].shape)} in the encoder"


def _depth_hint(ours: Mapping[str, torch.Tensor], tensors: Mapping[str, torch.Tensor]) -> str:
    depth, other = _resnet_depth(ours), _resnet_depth(tensors)
    return f"; it is a ResNet-{other}, the model has depth {depth}" if depth and other and depth != other else ""


def _resnet_depth(tensors: Mapping[str, Tensor]) -> int | None:
    """The depth of the ResNet whose names these are; None if they are no ResNet's."""
    blocks = {match[0] for name in tensors if (match := re.match(r"layer(\d)\.\d+\.", name))}
    counts = tuple(sum(block.startswith(f"layer{stage}.") for block in blocks) for stage in range(1, 5))
    bottleneck = "layer1.0.conv3.weight" in tensors
    return next((d for d, plan in NUM_BLOCKS.items() if plan == counts and (d >= 50) == bottleneck), None)
