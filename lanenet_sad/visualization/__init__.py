"""Pictures for people: lanes drawn into images, attention maps laid over them. Nothing here shows or saves."""

from lanenet_sad.visualization.annotators import (
    Annotator,
    CaptionAnnotator,
    EgoLaneAnnotator,
    LaneAnnotator,
    annotate_all,
)
from lanenet_sad.visualization.attention_grid import attention_grid, draw_heat, normalize_map
from lanenet_sad.visualization.contact_sheet import contact_sheet, stacked
from lanenet_sad.visualization.curves import plot_training
from lanenet_sad.visualization.departure import DepartureAnnotator
from lanenet_sad.visualization.error_report import ErrorReport
from lanenet_sad.visualization.palette import Color, slot_color

__all__ = [
    "Annotator",
    "CaptionAnnotator",
    "Color",
    "DepartureAnnotator",
    "EgoLaneAnnotator",
    "ErrorReport",
    "LaneAnnotator",
    "annotate_all",
    "attention_grid",
    "contact_sheet",
    "draw_heat",
    "normalize_map",
    "plot_training",
    "slot_color",
    "stacked",
]
