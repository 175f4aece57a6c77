"""The official lane scores, computed without torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lanenet_sad.metrics.base import LaneMetric, Score
    from lanenet_sad.metrics.bdd100k import BDD100KMetric, BDD100KScore, score_bdd100k_files
    from lanenet_sad.metrics.bdd100k_lane_marks import (
        BDD100KLaneMarkMetric,
        BDD100KLaneMarkScore,
        score_bdd100k_lane_marks,
    )
    from lanenet_sad.metrics.culane import CULaneMetric, LaneComparison, lane_ious
    from lanenet_sad.metrics.culane_batch import score_culane_files
    from lanenet_sad.metrics.culane_score import CULaneCounts, CULaneScore
    from lanenet_sad.metrics.curvelanes import CurveLanesMetric, CurveLanesScore, score_curvelanes_files
    from lanenet_sad.metrics.lane_f1 import LaneF1Metric, LaneF1Score
    from lanenet_sad.metrics.llamas import LLAMASMetric, LLAMASScore, score_llamas_files
    from lanenet_sad.metrics.llamas_regression import LLAMASRegressionScore, score_llamas_regression_files
    from lanenet_sad.metrics.llamas_segmentation import LLAMASSegmentationScore, score_llamas_segmentation_files
    from lanenet_sad.metrics.matching import match
    from lanenet_sad.metrics.stability import StabilityMetric, StabilityScore
    from lanenet_sad.metrics.tusimple import TuSimpleMetric, TuSimpleScore, score_tusimple_files

__all__ = [
    "BDD100KLaneMarkMetric",
    "BDD100KLaneMarkScore",
    "BDD100KMetric",
    "BDD100KScore",
    "CULaneCounts",
    "CULaneMetric",
    "CULaneScore",
    "CurveLanesMetric",
    "CurveLanesScore",
    "LLAMASMetric",
    "LLAMASRegressionScore",
    "LLAMASScore",
    "LLAMASSegmentationScore",
    "LaneComparison",
    "LaneF1Metric",
    "LaneF1Score",
    "LaneMetric",
    "Score",
    "StabilityMetric",
    "StabilityScore",
    "TuSimpleMetric",
    "TuSimpleScore",
    "lane_ious",
    "match",
    "score_bdd100k_files",
    "score_bdd100k_lane_marks",
    "score_culane_files",
    "score_curvelanes_files",
    "score_llamas_files",
    "score_llamas_regression_files",
    "score_llamas_segmentation_files",
    "score_tusimple_files",
]

# Loaded at first use: a score of TuSimple's files has no need of OpenCV.
_HOMES = {
    "BDD100KLaneMarkMetric": "bdd100k_lane_marks",
    "BDD100KLaneMarkScore": "bdd100k_lane_marks",
    "BDD100KMetric": "bdd100k",
    "BDD100KScore": "bdd100k",
    "CULaneCounts": "culane_score",
    "CULaneMetric": "culane",
    "CULaneScore": "culane_score",
    "CurveLanesMetric": "curvelanes",
    "CurveLanesScore": "curvelanes",
    "LLAMASMetric": "llamas",
    "LLAMASRegressionScore": "llamas_regression",
    "LLAMASScore": "llamas",
    "LLAMASSegmentationScore": "llamas_segmentation",
    "LaneComparison": "culane",
    "LaneF1Metric": "lane_f1",
    "LaneF1Score": "lane_f1",
    "LaneMetric": "base",
    "Score": "base",
    "StabilityMetric": "stability",
    "StabilityScore": "stability",
    "TuSimpleMetric": "tusimple",
    "TuSimpleScore": "tusimple",
    "lane_ious": "culane",
    "match": "matching",
    "score_bdd100k_files": "bdd100k",
    "score_bdd100k_lane_marks": "bdd100k_lane_marks",
    "score_culane_files": "culane_batch",
    "score_curvelanes_files": "curvelanes",
    "score_llamas_files": "llamas",
    "score_llamas_regression_files": "llamas_regression",
    "score_llamas_segmentation_files": "llamas_segmentation",
    "score_tusimple_files": "tusimple",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
