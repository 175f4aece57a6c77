"""Losses by which a network learns from what it, or a teacher, sees inside."""

from lanenet_sad.distillation.attention_map import (
    attention_map,
    effective_support,
    map_distance,
    normalize_map,
    resize_map,
)
from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.distillation.feature_refinement import FeatureRefinement
from lanenet_sad.distillation.self_attention import SelfAttentionDistillation

__all__ = [
    "DistillationMethod",
    "FeatureRefinement",
    "SelfAttentionDistillation",
    "attention_map",
    "effective_support",
    "map_distance",
    "normalize_map",
    "resize_map",
]
