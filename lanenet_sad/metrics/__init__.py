"""The official lane scores, computed without torch."""

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
