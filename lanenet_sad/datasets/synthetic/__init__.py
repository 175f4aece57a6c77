"""A procedural road renderer: pictures of roads with exact lane labels, from nothing but two numbers.

Torch is not needed for rendering.
"""

from lanenet_sad.datasets.synthetic.dataset import Synthetic
from lanenet_sad.datasets.synthetic.drive import RenderedDrive, render_drive
from lanenet_sad.datasets.synthetic.layouts import Difficulty
from lanenet_sad.datasets.synthetic.render import RenderedScene, render_scene, scene_lanes

__all__ = ["Difficulty", "RenderedDrive", "RenderedScene", "Synthetic", "render_drive", "render_scene", "scene_lanes"]
