"""A line is labelled where its paint can be seen, and nowhere else."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from lanenet_sad.datasets.synthetic.camera import Border, Camera
from lanenet_sad.datasets.synthetic.draws import scene_rng
from lanenet_sad.datasets.synthetic.labels import LaneLabels, label_lanes
from lanenet_sad.datasets.synthetic.light import Light
from lanenet_sad.datasets.synthetic.markings import BLUE, YELLOW, LaneType, Marking, Stripe, paint_stripe
from lanenet_sad.datasets.synthetic.road import Alignment, Band, Road
from lanenet_sad.datasets.synthetic.scene import draw_scene
from lanenet_sad.datasets.synthetic.view import Pose, look
from lanenet_sad.lanes.curves import sample_at_rows
from lanenet_sad.lanes.slots import slots_by_existence, slots_by_geometry

NIGHT = Light(ambient=(0.02, 0.02, 0.02), horizon=(20.0, 20.0, 20.0), headlights=0.8)
GREY = (96.0, 96.0, 96.0)


def make_road(*markings: Marking, covers: tuple[Band, ...] = ()) -> Road:
    return Road(
        alignment=Alignment(),
        verge=Band(-1e9, 1e9, (90.0, 100.0, 60.0)),
        bands=(Band(-8.0, 8.0, GREY),),
        markings=markings,
        barriers=(),
        edges=(-8.0, 8.0),
        lane_width=3.5,
        lanes_left=1,
        lanes_right=1,
        covers=covers,
    )


def label(
    road: Road,
    light: Light | None = None,
    *,
    mirrored: bool = False,
    focal_y: float = 2000.0,
    border: Border | None = None,
) -> LaneLabels:
    """What is labelled of a flat road whose row `60 + 1.5 * focal_y / metres` shows what is so many metres ahead."""
    camera = Camera(
        (288, 800), focal_x=700.0, focal_y=focal_y, centre_x=400.0, horizon=60.0, height=1.5, roll=0.0, border=border
    )
    view = look(camera, road.alignment, Pose())
    return label_lanes(view, road, light or Light(visibility=5000.0), mirrored=mirrored, num_lanes=4)


def reach(labels: LaneLabels) -> float:
    """Metres to the farthest labelled point of the only lane on the flat road of `label`."""
    (lane,) = labels.lanes
    return float(3000 / (lane.points[-1, 1] - 60.0))


def test_clear_paint_is_labelled_as_far_as_a_lane_is_wide_enough() -> None:
    labels = label(make_road(Marking(1.75, (Stripe(),))))
    assert labels.lanes[0].slot == 3
    assert 150 < reach(labels) < 195


@pytest.mark.parametrize(
    "line",
    [
        Marking(1.75, (Stripe(strength=0.05),)),
        Marking(1.75, (Stripe(strength=0.12, wear=0.9),)),
        Marking(1.75, (Stripe(colour=GREY),)),
        Marking(1.75, (Stripe(),), labelled=False),
        Marking(1.75, (Stripe(),), span=(-50.0, 0.0)),
    ],
    ids=["faint", "worn", "as grey as the ground", "no lane line", "behind"],
)
def test_a_line_that_nobody_sees_has_no_label(line: Marking) -> None:
    assert label(make_road(line)).lanes == ()


def test_night_ends_labels_and_lamps_give_them_back() -> None:
    road = make_road(Marking(1.75, (Stripe(),)))
    day, night = label(road), label(road, NIGHT)
    assert 40 < reach(night) < 0.8 * reach(day)
    assert reach(label(road, replace(NIGHT, headlights=0.3))) < reach(night)
    assert reach(label(road, replace(NIGHT, lamp_spacing=20.0))) > reach(night)
    # The dark right before the car does not cut the near end off.
    near = label(make_road(Marking(1.0, (Stripe(),))), NIGHT, focal_y=400.0).lanes[0].points[0]
    assert near[1] > 280


def test_fog_shortens_labels_until_none_is_left() -> None:
    road = make_road(Marking(1.75, (Stripe(),)))
    near, thick = label(road, Light(visibility=60.0)), label(road, Light(visibility=20.0))
    assert reach(thick) < reach(near) < 140
    assert label(road, Light(visibility=1.5)).lanes == ()


def test_snow_hides_lines_and_bare_tracks_show_them() -> None:
    lines = (Marking(-1.75, (Stripe(),)), Marking(1.75, (Stripe(),)))
    snow = Band(-9.0, 9.0, (214.0, 220.0, 228.0), opacity=0.95)
    assert label(make_road(*lines, covers=(snow,))).lanes == ()
    half = replace(snow, right=0.0)
    assert [lane.slot for lane in label(make_road(*lines, covers=(half,))).lanes] == [3]
    later = replace(snow, span=(30.0, 1e5))
    assert reach(label(make_road(lines[1], covers=(later,)))) == pytest.approx(30, abs=4)


@pytest.mark.parametrize(
    ("gap", "expected"), [((25.0, 35.0), 100.0), ((25.0, 400.0), 25.0)], ids=["bridged", "ends the label"]
)
def test_breaks(gap: tuple[float, float], expected: float) -> None:
    distance = reach(label(make_road(Marking(1.75, (Stripe(),), breaks=(gap,)))))
    assert distance > expected if expected > 50 else distance == pytest.approx(expected, abs=3)


def test_a_line_that_begins_ahead_is_labelled_from_there_and_keeps_its_slot() -> None:
    ahead = Marking(1.75, (Stripe(),), span=(20.0, 1e5))
    lanes = label(make_road(Marking(-1.75, (Stripe(),)), ahead)).lanes
    assert [lane.slot for lane in lanes] == [2, 3]
    assert 3000 / (lanes[1].points[0, 1] - 60.0) == pytest.approx(20, abs=2)


OPENING = (
    # As where a lane opens: the outer line is known first.
    Marking(-1.75, (Stripe(),)),
    Marking(1.75, (Stripe(),), drift=((3.0, 0.0), (50.0, 3.5))),
    Marking(1.75, (Stripe(painted=3.0, gap=3.0),), span=(25.0, 1e5)),
)
EXIT = (
    Marking(-1.75, (Stripe(),)),
    Marking(1.75, (Stripe(),), drift=((20.0, 0.0), (50.0, 3.5), (70.0, 3.5), (190.0, 18.0))),
    Marking(1.75, (Stripe(),), drift=((70.0, 0.0), (190.0, 14.5)), span=(70.0, 1e5)),
    Marking(1.75, (Stripe(painted=2.0, gap=2.0),), span=(25.0, 70.0)),
    Marking(1.75, (Stripe(),), span=(70.0, 1e5)),
)


@pytest.mark.parametrize("mirrored", [False, True], ids=["plain", "mirrored"])
@pytest.mark.parametrize("lines", [OPENING, EXIT], ids=["opening", "exit"])
def test_lines_that_part_ahead_stand_from_left_to_right(lines: tuple[Marking, ...], mirrored: bool) -> None:
    """Whatever their order in the road: at every row that two labels share, the lower slot lies left."""
    for order in (lines, lines[::-1]):
        lanes = label(make_road(*order), mirrored=mirrored).lanes
        slots = [2, 3, 4] if lines is OPENING else [2, 3, 4, None]
        from_outside = [None if slot is None else 5 - slot for slot in reversed(slots)]
        assert [lane.slot for lane in lanes] == (from_outside if mirrored else slots)
        for left, right in itertools.pairwise(lanes):
            rows = sorted({*left.points[:, 1]} & {*right.points[:, 1]})
            gaps = sample_at_rows(right.points, rows) - sample_at_rows(left.points, rows)
            assert rows
            assert gaps.min() > -1e-6
            assert gaps.max() > 2


@pytest.mark.parametrize("mirrored", [False, True], ids=["plain", "mirrored"])
def test_slots_of_an_opening_lane_are_found_again_from_its_lines(mirrored: bool) -> None:
    """Where the lines part before they leave the picture; a ramp that turns away far ahead needs its mask."""
    line, outer, dashed = OPENING
    opened = replace(outer, drift=((-5.0, 0.0), (30.0, 3.5)))
    lanes = label(make_road(line, opened, dashed), mirrored=mirrored).lanes
    slots = [lane.slot for lane in lanes]
    assert slots == ([1, 2, 3] if mirrored else [2, 3, 4])
    assert slots_by_geometry(lanes, (288, 800), 4) == slots
    assert slots_by_existence(lanes, (288, 800), [int(slot in slots) for slot in range(1, 5)]) == slots


def test_a_line_that_the_border_hides_has_no_slot() -> None:
    lines = (Marking(-1.75, (Stripe(),)), Marking(1.75, (Stripe(),)))
    hidden = label(make_road(*lines), border=Border(bars=(0.0, 0.0, 0.5, 0.0)))
    assert [lane.slot for lane in hidden.lanes] == [3]


def test_a_line_that_changes_its_kind_on_the_way_is_one_line() -> None:
    dashed, solid = Stripe(painted=1.0, gap=1.0), Stripe()
    pieces = (Marking(1.75, (dashed,), span=(-1e5, 40.0)), Marking(1.75, (solid,), span=(40.0, 1e5)))
    labels = label(make_road(*pieces))
    assert reach(labels) > 150
    assert labels.types == (LaneType("dashed", "white"),)


def test_types_stand_beside_their_lanes_also_in_mirrored_pictures() -> None:
    road = make_road(
        Marking(-1.75, (Stripe(colour=YELLOW, shift=-0.1), Stripe(colour=YELLOW, shift=0.1))),
        Marking(1.75, (Stripe(painted=3.0, gap=3.0),)),
        Marking(5.0, (Stripe(colour=BLUE, strength=0.95),)),
    )
    expected = [LaneType("double", "yellow"), LaneType("dashed", "white"), LaneType("solid", "blue")]
    assert list(label(road).types) == expected
    assert list(label(road, mirrored=True).types) == expected[::-1]


def test_labels_of_mixed_scenes_lie_on_their_paint() -> None:
    """Also where lines drift, sway, begin and end: every labelled point has paint of a labelled line under it."""
    checked = 0
    for index in range(56):
        scene = draw_scene(scene_rng(21, index), (288, 800), "mixed")
        if scene.camera.border is not None:
            continue
        camera = replace(scene.camera, roll=0.0)
        scene = replace(scene, camera=camera, mirrored=False)
        view = look(camera, scene.road.alignment, scene.pose)
        cover = np.zeros((3, len(view.rows), camera.canvas_size[1]), dtype=np.float32)
        for line in scene.road.markings:
            for stripe in line.stripes if line.labelled else ():
                solid = replace(stripe, painted=0.0, wear=0.0, strength=1.0, colour=(255.0, 255.0, 255.0), width=0.3)
                paint_stripe(cover, view, replace(line, breaks=()), replace(solid, shift=0.0))
        for lane in scene.labels(scene.view(), 4).lanes:
            points = lane.points[2:-2]
            # Where a line runs all but level, its column changes by more than its width from row to row.
            steep = np.abs(np.gradient(points[:, 0]) / np.gradient(points[:, 1])) < 8 if len(points) > 1 else []
            for x, y in points[steep]:
                row = round(y + camera.margin[0]) - view.first_row
                column = round(x + camera.margin[1])
                under = cover[0, max(row - 1, 0) : row + 2, max(column - 2, 0) : column + 3].max()
                assert under > 20, f"scene {index}, point {x:.0f}, {y:.0f}"
                checked += 1
    assert checked > 1000


def test_labels_end_at_the_border_of_the_picture_and_keep_their_types() -> None:
    bordered = 0
    for index in range(60):
        scene = draw_scene(scene_rng(22, index), (144, 400), "mixed")
        labels = scene.labels(scene.view(), 4)
        assert len(labels.types) == len(labels.lanes)
        if scene.camera.border is None:
            continue
        bordered += 1
        for lane in labels.lanes:
            assert scene.camera.shows(lane.points, mirrored=scene.mirrored).all()
    assert bordered > 5
