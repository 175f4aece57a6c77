"""A procedural road renderer: pictures of roads with exact lane labels, from nothing but two numbers.

Torch is not needed for rendering.
"""

from lanenet_sad.datasets.synthetic.cross_sections import Difficulty
from lanenet_sad.datasets.synthetic.dataset import Synthetic
from lanenet_sad.datasets.synthetic.drive import RenderedDrive, drives_with
from lanenet_sad.datasets.synthetic.drive_truth import DriveTruth
from lanenet_sad.datasets.synthetic.manoeuvres import Manoeuvre
from lanenet_sad.datasets.synthetic.render import RenderedScene, render_scene, scene_lanes
from lanenet_sad.lanes.lane import LaneType

__all__ = [
    "Difficulty",
    "DriveTruth",
    "LaneType",
    "Manoeuvre",
    "RenderedDrive",
    "RenderedScene",
    "Synthetic",
    "drives_with",
    "render_scene",
    "scene_lanes",
]
