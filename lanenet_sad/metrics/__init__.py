"""The official lane scores, computed without torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lanenet_sad.metrics.base import LaneMetric, Score
    from lanenet_sad.metrics.culane import CULaneMetric, LaneComparison, lane_ious
    from lanenet_sad.metrics.culane_batch import score_culane_files
    from lanenet_sad.metrics.culane_score import CULaneCounts, CULaneScore
    from lanenet_sad.metrics.matching import match
    from lanenet_sad.metrics.tusimple import TuSimpleMetric, TuSimpleScore, score_tusimple_files

__all__ = [
    "CULaneCounts",
    "CULaneMetric",
    "CULaneScore",
    "LaneComparison",
    "LaneMetric",
    "Score",
    "TuSimpleMetric",
    "TuSimpleScore",
    "lane_ious",
    "match",
    "score_culane_files",
    "score_tusimple_files",
]

# Loaded at first use: a score of TuSimple's files has no need of OpenCV.
_HOMES = {
    "CULaneCounts": "culane_score",
    "CULaneMetric": "culane",
    "CULaneScore": "culane_score",
    "LaneComparison": "culane",
    "LaneMetric": "base",
    "Score": "base",
    "TuSimpleMetric": "tusimple",
    "TuSimpleScore": "tusimple",
    "lane_ious": "culane",
    "match": "matching",
    "score_culane_files": "culane_batch",
    "score_tusimple_files": "tusimple",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
