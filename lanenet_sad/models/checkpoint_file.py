"""Reading files of tensors, without pickle."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and the tensors of any safetensors file; ValueError if it is not one."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise ValueError(f"Weights {path}: not a readable safetensors file ({error}).") from error


def load_checkpoint_file(path: Path) -> dict[str, Any]:
    """A `.pt` file read with `weights_only=True`; a file that needs pickle is refused with a way out."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols; what it leads to is said below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile or cut file makes the reader fail in any way
        raise ValueError(
            f"Weights {path}: the file is damaged, or it needs pickle, which can run any code and is not used here. "
            f"If you trust it, load it in Python yourself and save its state_dict as .safetensors."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(
            f"Weights {path}: expected a dictionary, such as a checkpoint of `lanenet-sad train` or a state_dict, "
            f"got a {type(content).__name__}."
        )
    return content
