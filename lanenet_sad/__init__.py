"""Lane detection with Self Attention Distillation in current PyTorch.

The nouns below load on first use; the verbs are `from lanenet_sad.train import train` and so on.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "CULane": "lanenet_sad.datasets",
    "DistillationMethod": "lanenet_sad.distillation",
    "EncoderSpec": "lanenet_sad.models",
    "Frame": "lanenet_sad.lanes.lane",
    "InputView": "lanenet_sad.lanes.view",
    "Lane": "lanenet_sad.lanes.lane",
    "LaneAnnotator": "lanenet_sad.visualization.annotators",
    "LaneDecoder": "lanenet_sad.postprocess.decode",
    "LaneLoss": "lanenet_sad.losses",
    "LaneFollower": "lanenet_sad.postprocess.follower",
    "LaneNet": "lanenet_sad.models",
    "LaneNetOutput": "lanenet_sad.models",
    "LaneTargets": "lanenet_sad.models",
    "LanePipeline": "lanenet_sad.inference.pipeline",
    "LanePrediction": "lanenet_sad.lanes.lane",
    "Predictor": "lanenet_sad.inference.predictor",
    "SelfAttentionDistillation": "lanenet_sad.distillation",
    "TuSimple": "lanenet_sad.datasets",
    "enet": "lanenet_sad.models",
    "open_source": "lanenet_sad.inference.sources",
}

if TYPE_CHECKING:
    from lanenet_sad.datasets import CULane, TuSimple
    from lanenet_sad.distillation import DistillationMethod, SelfAttentionDistillation
    from lanenet_sad.inference.pipeline import LanePipeline
    from lanenet_sad.inference.predictor import Predictor
    from lanenet_sad.inference.sources import open_source
    from lanenet_sad.lanes.lane import Frame, Lane, LanePrediction
    from lanenet_sad.lanes.view import InputView
    from lanenet_sad.losses import LaneLoss
    from lanenet_sad.models import EncoderSpec, LaneNet, LaneNetOutput, LaneTargets, enet
    from lanenet_sad.postprocess.decode import LaneDecoder
    from lanenet_sad.postprocess.follower import LaneFollower
    from lanenet_sad.visualization.annotators import LaneAnnotator

__all__ = [
    "CULane",
    "DistillationMethod",
    "EncoderSpec",
    "Frame",
    "InputView",
    "Lane",
    "LaneAnnotator",
    "LaneDecoder",
    "LaneFollower",
    "LaneLoss",
    "LaneNet",
    "LaneNetOutput",
    "LanePipeline",
    "LanePrediction",
    "LaneTargets",
    "Predictor",
    "SelfAttentionDistillation",
    "TuSimple",
    "__version__",
    "enet",
    "open_source",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lanenet_sad' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
