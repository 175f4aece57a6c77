"""Losses by which a network learns from what it, or a teacher, sees inside."""

from lanenet_sad.distillation.attention_map import (
    attention_map,
    effective_support,
    map_distance,
    normalize_map,
    resize_map,
)
from lanenet_sad.distillation.attention_transfer import AttentionTransfer
from lanenet_sad.distillation.base import DistillationMethod
from lanenet_sad.distillation.deep_supervision import DeepSupervision
from lanenet_sad.distillation.feature_refinement import FeatureRefinement
from lanenet_sad.distillation.knowledge_distillation import KnowledgeDistillation
from lanenet_sad.distillation.own_teacher import BeYourOwnTeacher
from lanenet_sad.distillation.relation_distillation import RelationDistillation
from lanenet_sad.distillation.self_attention import SelfAttentionDistillation
from lanenet_sad.distillation.view_consistency import ViewConsistency

__all__ = [
    "AttentionTransfer",
    "BeYourOwnTeacher",
    "DeepSupervision",
    "DistillationMethod",
    "FeatureRefinement",
    "KnowledgeDistillation",
    "RelationDistillation",
    "SelfAttentionDistillation",
    "ViewConsistency",
    "attention_map",
    "effective_support",
    "map_distance",
    "normalize_map",
    "resize_map",
]
