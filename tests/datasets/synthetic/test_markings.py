import numpy as np
import pytest

from lanenet_sad.datasets.synthetic.camera import Camera
from lanenet_sad.datasets.synthetic.markings import Marking, Stripe, paint_stripe
from lanenet_sad.datasets.synthetic.road import Alignment
from lanenet_sad.datasets.synthetic.view import Pose, RoadView, look


def make_view() -> RoadView:
    camera = Camera((288, 800), focal_x=700.0, focal_y=650.0, centre_x=400.0, horizon=100.0, height=1.5, roll=0.0)
    return look(camera, Alignment(), Pose())


def paint(view: RoadView, marking: Marking) -> np.ndarray:
    ground = np.zeros((3, len(view.rows), view.camera.canvas_size[1]), dtype=np.float32)
    for stripe in marking.stripes:
        paint_stripe(ground, view, marking, stripe)
    return ground


@pytest.mark.parametrize("width", [0.02, 0.15, 0.6], ids=["thinner than a pixel", "usual", "wide"])
def test_painted_area_of_every_row_is_exactly_the_stripes_width(width: float) -> None:
    view = make_view()
    stripe = Stripe(width=width, colour=(200.0, 100.0, 50.0), strength=1.0, wear=0.0)
    ground = paint(view, Marking(0.7, (stripe,)))
    metres = (ground[0] / 200).sum(axis=1) * view.pixel_width
    np.testing.assert_allclose(metres, width, rtol=1e-3)
    np.testing.assert_allclose(ground[1], ground[0] / 2, rtol=1e-5)


def test_stripe_is_centred_on_its_marking() -> None:
    view = make_view()
    ground = paint(view, Marking(-1.5, (Stripe(strength=1.0, wear=0.0, shift=0.2),)))
    weights = ground[0]
    centre = (weights * np.arange(weights.shape[1])).sum(axis=1) / weights.sum(axis=1)
    wide = 0.15 / view.pixel_width > 2
    np.testing.assert_allclose(centre[wide], view.columns(-1.3)[wide], atol=0.1)
    np.testing.assert_allclose(centre, view.columns(-1.3), atol=0.5)  # what lies within one pixel has its centre


def test_dashes_cover_their_share_and_repeat() -> None:
    view = make_view()
    stripe = Stripe(painted=3.0, gap=9.0, phase=1.0)
    share = stripe.painted_share(view)
    assert share.min() >= 0
    assert share.max() <= 1
    painted = (share * view.pixel_length)[view.s < 97].sum()
    assert painted == pytest.approx(0.25 * np.ptp(view.s[view.s < 97]), abs=1.5)
    for s in (14.5, 26.5, 38.5):  # the middles of dashes; the phase is 1 m
        assert share[np.argmin(abs(view.s - s))] == pytest.approx(1.0, abs=0.05)
    for s in (20.0, 32.0):
        assert share[np.argmin(abs(view.s - s))] == pytest.approx(0.0, abs=0.05)


def test_wear_takes_paint_off() -> None:
    view = make_view()
    fresh = paint(view, Marking(0.0, (Stripe(wear=0.0),)))
    worn = paint(view, Marking(0.0, (Stripe(wear=0.8),)))
    assert 0.2 * fresh.sum() < worn.sum() < 0.8 * fresh.sum()
    assert (worn <= fresh + 1e-3).all()


def test_stripe_outside_the_picture_paints_nothing() -> None:
    assert paint(make_view(), Marking(-1e6, (Stripe(),))).sum() == 0
