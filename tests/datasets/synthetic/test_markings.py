import numpy as np
import pytest

from lanenet_sad.datasets.synthetic.camera import Camera
from lanenet_sad.datasets.synthetic.markings import BLUE, YELLOW, LaneType, Marking, Stripe, follow, paint_stripe
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


DASHED = Stripe(painted=3.0, gap=6.0)
DOTS = Stripe(painted=0.1, gap=11.0, repeats=4, pitch=1.0, rise=0.02)


@pytest.mark.parametrize(
    ("stripes", "expected"),
    [
        ((Stripe(),), LaneType("solid", "white")),
        ((Stripe(colour=(240.0, 205.0, 140.0)),), LaneType("solid", "yellow")),
        ((DASHED,), LaneType("dashed", "white")),
        ((Stripe(colour=BLUE, painted=1.0, gap=1.0),), LaneType("dashed", "blue")),
        ((Stripe(shift=-0.1), Stripe(shift=0.1)), LaneType("double", "white")),
        ((Stripe(shift=-0.1, colour=YELLOW), Stripe(shift=0.1, painted=3.0, gap=3.0)), None),
        ((DOTS,), LaneType("dots", "white")),
        ((DASHED, DOTS), LaneType("dashed", "white")),
    ],
    ids=["solid", "pale yellow", "dashed", "blue", "double", "solid and dashed", "dots", "dots on paint"],
)
def test_types_follow_from_the_stripes(stripes: tuple[Stripe, ...], expected: LaneType | None) -> None:
    found = Marking(0.0, stripes).lane_type
    assert found == (expected or LaneType("solid_dashed", "yellow"))


def test_lines_follow_their_knots_smoothly() -> None:
    knots = ((10.0, 0.0), (30.0, 3.5))
    s = np.array([-5.0, 10.0, 20.0, 30.0, 90.0])
    np.testing.assert_allclose(follow(knots, s), [0, 0, 1.75, 3.5, 3.5])
    np.testing.assert_allclose(Marking(1.0, (), drift=knots).offset_at(s), 1 + follow(knots, s))
    assert (np.diff(follow(knots, np.linspace(0, 40, 400))) >= 0).all()


def test_spans_and_breaks_leave_the_road_bare() -> None:
    view = make_view()
    ground = paint(view, Marking(0.0, (Stripe(wear=0.0),), span=(10.0, 60.0), breaks=((20.0, 30.0),)))
    painted = ground[0].sum(axis=1) > 1
    s, half = view.s, view.pixel_length / 2
    assert painted[(s > 11) & (s < 19)].all()
    assert painted[(s > 31) & (s < 55)].all()
    assert not painted[(s + half < 10) | (s - half > 60) | ((s - half > 20) & (s + half < 30))].any()


def test_dots_come_in_groups_and_look_longer_from_afar() -> None:
    view = make_view()
    share = DOTS.painted_share(view)
    assert share[np.argmin(abs(view.s - 11.15))] > 0
    near, far = (view.s < 12), (view.s > 40) & (view.s < 90)
    flat = Stripe(painted=0.1, gap=11.0, repeats=4, pitch=1.0).painted_share(view)
    assert (share >= flat - 1e-9).all()
    assert share[far].mean() > 2 * flat[far].mean() > 0
    assert near.any()
