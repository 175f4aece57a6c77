"""Shadows on the ground."""

from dataclasses import replace

import numpy as np

from lanenet_sad.datasets.synthetic.camera import Camera
from lanenet_sad.datasets.synthetic.ground import paint_ground
from lanenet_sad.datasets.synthetic.light import Light
from lanenet_sad.datasets.synthetic.markings import Spans
from lanenet_sad.datasets.synthetic.road import Alignment, Band, Barrier, Road
from lanenet_sad.datasets.synthetic.view import Pose, look

DAY = Light(visibility=1e6, shadow=0.5)
VIEW = look(Camera((288, 800), 600.0, 600.0, 400.0, 60.0, 1.5, 0.0), Alignment(), Pose())
WALL = Barrier(3.0, 0.0, 1.0, (120.0, 120.0, 120.0), shadow=1.0)


def shadow(light: Light, *barriers: Barrier, bridges: Spans = ()) -> np.ndarray:
    """(R, W) how much darker barriers and bridges make the ground."""
    ground = Band(-1e9, 1e9, (100.0, 100.0, 100.0))
    bare = Road(Alignment(), ground, (), (), (), (-5.0, 5.0), 3.5, 0, 0)
    lit = paint_ground(VIEW, bare, (), light)
    return np.asarray(1 - (paint_ground(VIEW, replace(bare, barriers=barriers), (), light, bridges) / lit).mean(axis=2))


def test_a_wall_throws_no_shadow_where_it_is_not() -> None:
    whole, open_ahead = shadow(DAY, WALL), shadow(DAY, replace(WALL, breaks=((15.0, 30.0),)))
    gone = (VIEW.s > 16) & (VIEW.s < 29)
    stays = (VIEW.s < 14) | (VIEW.s > 31)
    assert np.abs(whole[gone].max(axis=1) - 0.5).max() < 0.01
    assert np.abs(open_ahead[gone]).max() < 1e-6
    np.testing.assert_allclose(open_ahead[stays], whole[stays], atol=1e-6)


def test_a_bridge_darkens_the_road_across_by_day() -> None:
    for light, darkness in ((DAY, 0.5), (replace(DAY, shadow=0.0), 0.35), (replace(DAY, headlights=0.5), 0.0)):
        under = shadow(light, bridges=((20.0, 28.0),))
        within = (VIEW.s > 21) & (VIEW.s < 27)
        np.testing.assert_allclose(under[within], darkness, atol=1e-4)
        np.testing.assert_allclose(under[(VIEW.s < 19) | (VIEW.s > 29)], 0, atol=1e-6)
