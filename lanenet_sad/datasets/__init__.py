"""Labelled roads: the benchmarks' layouts on disk, and the way of a picture into the network."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lanenet_sad.datasets.base import LaneDataset, LaneRecord
    from lanenet_sad.datasets.bdd100k import BDD100K
    from lanenet_sad.datasets.culane import CULane
    from lanenet_sad.datasets.curvelanes import CurveLanes
    from lanenet_sad.datasets.llamas import LLAMAS
    from lanenet_sad.datasets.mixture import Mixture
    from lanenet_sad.datasets.sampling import BadSampleError, SampleSet, StepBatches, collate, initialize_worker
    from lanenet_sad.datasets.synthetic import Synthetic
    from lanenet_sad.datasets.transforms import EvalTransform, TrainTransform
    from lanenet_sad.datasets.tusimple import TuSimple

__all__ = [
    "BDD100K",
    "LLAMAS",
    "BadSampleError",
    "CULane",
    "CurveLanes",
    "EvalTransform",
    "LaneDataset",
    "LaneRecord",
    "Mixture",
    "SampleSet",
    "StepBatches",
    "Synthetic",
    "TrainTransform",
    "TuSimple",
    "collate",
    "initialize_worker",
]

# Loaded at first use: the transforms import albumentations, which takes a second or two.
_HOMES = {
    "BDD100K": "bdd100k",
    "BadSampleError": "sampling",
    "CULane": "culane",
    "CurveLanes": "curvelanes",
    "EvalTransform": "transforms",
    "LLAMAS": "llamas",
    "LaneDataset": "base",
    "LaneRecord": "base",
    "Mixture": "mixture",
    "SampleSet": "sampling",
    "StepBatches": "sampling",
    "Synthetic": "synthetic",
    "TrainTransform": "transforms",
    "TuSimple": "tusimple",
    "collate": "sampling",
    "initialize_worker": "sampling",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
