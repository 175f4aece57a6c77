"""Reading files that torch wrote, without pickle."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch


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
            f"Weights {path}: expected a checkpoint of `lanenet-sad train`, got a {type(content).__name__}."
        )
    return content
