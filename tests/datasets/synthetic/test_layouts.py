"""What mixed roads are made of, counted over many draws."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from lanenet_sad.datasets.synthetic.cross_sections import Lanes, draw_cross_section
from lanenet_sad.datasets.synthetic.draws import scene_rng
from lanenet_sad.datasets.synthetic.labels import LaneLabels
from lanenet_sad.datasets.synthetic.markings import Marking, Stripe
from lanenet_sad.datasets.synthetic.road_events import with_ramp
from lanenet_sad.datasets.synthetic.road_paint import arrow, chevrons, crossing, draw_lettering, hatching
from lanenet_sad.datasets.synthetic.scene import Scene, draw_scene

NUM_SCENES = 500
WHITE = (230.0, 230.0, 230.0)


@pytest.fixture(scope="module")
def mixed() -> list[tuple[Scene, LaneLabels]]:
    scenes = [draw_scene(scene_rng(1, index), (288, 800), "mixed") for index in range(NUM_SCENES)]
    return [(scene, scene.labels(scene.view(), 4)) for scene in scenes]


def test_share_of_scenes_without_lines_and_with_one_side(mixed: list[tuple[Scene, LaneLabels]]) -> None:
    slots = [{lane.slot for lane in labels.lanes} for _, labels in mixed]
    assert 0.09 < sum(not present for present in slots) / NUM_SCENES < 0.18
    assert 0.13 < sum(len(present & {2, 3}) == 1 for present in slots) / NUM_SCENES < 0.29
    for scene, labels in mixed:
        if not labels.lanes and scene.weather != "night":
            assert scene.category(labels) == "noline"


def test_every_type_of_line_occurs(mixed: list[tuple[Scene, LaneLabels]]) -> None:
    types = [lane_type for _, labels in mixed for lane_type in labels.types]
    assert all(len(labels.types) == len(labels.lanes) for _, labels in mixed)
    styles, colours = Counter(kind.style for kind in types), Counter(kind.colour for kind in types)
    assert set(styles) == {"solid", "dashed", "double", "solid_dashed", "dots"}
    assert min(styles.values()) >= 0.01 * len(types)
    assert set(colours) == {"white", "yellow", "blue"}
    assert colours["white"] > colours["yellow"] > 0.1 * len(types)


def test_the_car_is_often_between_two_lanes(mixed: list[tuple[Scene, LaneLabels]]) -> None:
    between = [abs(scene.pose.lateral) > 0.275 * scene.road.lane_width for scene, _ in mixed]
    assert 0.06 < np.mean(between) < 0.17


def test_roads_have_what_makes_them_hard(mixed: list[tuple[Scene, LaneLabels]]) -> None:
    roads = [scene.road for scene, _ in mixed]
    shares = {
        "false lines": np.mean([any(not line.labelled for line in road.markings) for road in roads]),
        "changes": np.mean([any(line.drift and line.labelled for line in road.markings) for road in roads]),
        "crossroads": np.mean([any(line.breaks for line in road.markings) for road in roads]),
        "snow on the road": np.mean([bool(road.covers) for road in roads]),
        "clothoids": np.mean([road.alignment.bend != 0 for road in roads]),
    }
    assert shares["false lines"] > 0.6
    assert min(shares.values()) > 0.03, shares
    assert {road.lanes_left + road.lanes_right + 1 for road in roads} == {1, 2, 3, 4, 5, 6}


def test_cars_park_at_both_kerbs(mixed: list[tuple[Scene, LaneLabels]]) -> None:
    sides = Counter(
        (vehicle.lateral > 0, vehicle.oncoming)
        for scene, _ in mixed
        for vehicle in scene.vehicles
        if vehicle.speed == 0 and not scene.road.edges[0] + 2 < vehicle.lateral < scene.road.edges[1] - 2
    )
    assert min(sides[True, False], sides[False, True], sides[False, False]) >= 5, sides
    assert not sides[True, True]


def test_nothing_grows_in_tunnels(mixed: list[tuple[Scene, LaneLabels]]) -> None:
    tunnels = [scene for scene, _ in mixed if scene.light.ceiling]
    assert tunnels
    assert not any(scene.things for scene in tunnels)


def test_a_ramp_joins_as_another_leaves() -> None:
    """Seen from behind, the lines of a ramp that joins are those of an exit."""
    section = draw_cross_section(scene_rng(0, 0), "rural", "easy", Lanes(3.5, 1, 0, 1))
    section = replace(section, markings=tuple(Marking(at, (Stripe(),)) for at in section.lanes.boundaries()))
    leaving = with_ramp(scene_rng(0, 1), section, 0.0, joins=False)
    joining = with_ramp(scene_rng(0, 1), section, 40.0, joins=True)
    (parted,) = {line.span[0] for line in leaving.markings if line.span and line.span[1] == 1e5}
    (joined,) = {line.span[1] for line in joining.markings if line.span and line.span[0] < -9e4}
    assert joined == 40.0
    for beyond in (-200.0, -50.0, -20.0, -1.0, 30.0, 150.0):
        out, back = (
            sorted(
                float(line.offset_at(np.array([at]))[0])
                for line in changed.markings
                if line.span is None or line.span[0] <= at < line.span[1]
            )
            for changed, at in ((leaving, parted + beyond), (joining, joined - beyond))
        )
        assert len(out) == len(back) == (5 if beyond > 0 else 4 if beyond > -100 else 3)
        shared = 3 if beyond > 0 else 4  # ramps that join come at a flatter angle
        assert out[:shared] == pytest.approx(back[:shared])
    assert joining.bands[1].right_drift


def test_easy_roads_have_none_of_it() -> None:
    for index in range(60):
        scene = draw_scene(scene_rng(1, index), (288, 800), "easy")
        assert not scene.road.covers
        assert not scene.patches
        assert all(line.labelled and not line.drift and not line.breaks for line in scene.road.markings)


def test_symbols_lie_where_they_are_asked_for() -> None:
    rng = scene_rng(0, 0)
    right = ((0.0, 0.0), (40.0, 5.0))
    for patches in (
        *(arrow(10.0, 1.0, WHITE, turn=turn) for turn in (-1, 0, 1)),
        crossing(10.0, -2.0, 4.0, WHITE),
        chevrons(10.0, 1.0, WHITE, count=2),
        draw_lettering(rng, 10.0, 1.0, WHITE),
        hatching(rng, (10.0, 40.0), (-1.0, ()), (-1.0, right), WHITE),
    ):
        assert patches
        for patch in patches:
            assert 10.0 <= patch.s[0] < patch.s[1]
            assert -2.5 <= patch.lateral[0] <= patch.lateral[1] <= 5.0
            if patch.lateral_end is not None:
                assert patch.lateral_end[0] <= patch.lateral_end[1]
