"""Painted roads seen from above the bonnet: lines of every kind are told apart, whatever the light."""

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from lanenet_sad.datasets.synthetic import RenderedDrive
from lanenet_sad.lanes.lane import Image, Lane, LanePrediction, LaneType, LineColour, LineStyle, Points
from lanenet_sad.postprocess.line_type import LineTypeClassifier
from lanenet_sad.postprocess.paint_strip import RoadScale, road_scale, unwrap, usual_scale

HEIGHT, WIDTH = 360, 640
HORIZON, FOCAL, LENS = 130.0, 560.0, 1.4
WHITE, YELLOW, BLUE = (230, 230, 226), (226, 170, 40), (70, 110, 196)
DASHES = (3.0, 6.0)
Stripe = tuple[float, float, tuple[float, float], tuple[int, int, int]]  # metres aside, wide; dash and gap; colour


def to_image(x: float, z: float, lens: float = LENS) -> tuple[float, float]:
    return WIDTH / 2 + FOCAL * x / z, HORIZON + FOCAL * lens / z


def lane_at(x: float, *, track_id: int | None = None, slot: int = 2, lens: float = LENS) -> Lane:
    rows = np.arange(HEIGHT - 1, HORIZON + 15, -6.0)
    depth = FOCAL * lens / (rows - HORIZON)
    return Lane(np.stack([WIDTH / 2 + FOCAL * x / depth, rows], axis=1), slot=slot, track_id=track_id)


def paint_road(*stripes: Stripe, ground: int = 95, travelled: float = 0.0, lens: float = LENS) -> Image:
    """A flat road with stripes along it, `lens` metres below the camera."""
    large = np.full((HEIGHT * 2, WIDTH * 2, 3), ground, np.uint8)
    large[: int(2 * HORIZON)] = (150, 180, 210)
    for aside, width, (dash, gap), colour in stripes:
        start = -(travelled % (dash + gap)) if gap else 0.0
        for begin in np.arange(start, 90, dash + gap if gap else 90):
            near, far = max(begin, 1.2), begin + (dash if gap else 90)
            if far > near:
                corners = [
                    to_image(aside + side * width / 2, z, lens)
                    for side, z in ((-1, near), (1, near), (1, far), (-1, far))
                ]
                cv2.fillPoly(large, [np.rint(np.asarray(corners) * 2).astype(np.int32)], colour)
    small = cv2.resize(large, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.int16)
    noise = np.random.default_rng(int(10 * travelled)).normal(0, 3, small.shape)
    return np.clip(small + noise, 0, 255).astype(np.uint8)


def one(x: float, colour: tuple[int, int, int] = WHITE, dashes: tuple[float, float] = (1.0, 0.0)) -> Stripe:
    return x, 0.15, dashes, colour


def judge(image: Image, *lanes: Lane) -> list[LaneType | None]:
    told = LineTypeClassifier()(image, LanePrediction(lanes, (HEIGHT, WIDTH))).lanes
    return [lane.line_type for lane in told]


def test_solid_and_dashed_lines_of_a_single_picture() -> None:
    image = paint_road(one(-1.8), one(1.8, dashes=DASHES), travelled=2.0)
    assert judge(image, lane_at(-1.8), lane_at(1.8)) == [LaneType("solid", "white"), LaneType("dashed", "white")]


def test_a_double_line() -> None:
    image = paint_road(one(-1.96), one(-1.64), one(1.8))
    assert judge(image, lane_at(-1.8), lane_at(1.8)) == [LaneType("double", "white"), LaneType("solid", "white")]


@pytest.mark.parametrize(
    ("colour", "name"), [(WHITE, "white"), (YELLOW, "yellow"), (BLUE, "blue")], ids=["white", "yellow", "blue"]
)
@pytest.mark.parametrize("cast", [(1.0, 1.0, 1.0), (1.0, 0.95, 0.85), (0.88, 0.95, 1.0)], ids=["plain", "warm", "cold"])
def test_colour_in_coloured_light(colour: tuple[int, int, int], name: str, cast: tuple[float, float, float]) -> None:
    image = (paint_road(one(-1.8, colour), one(1.8)) * np.array(cast)).astype(np.uint8)
    left, right = judge(image, lane_at(-1.8), lane_at(1.8))
    assert left is not None
    assert (left.style, left.colour) == ("solid", name)
    assert right == LaneType("solid", "white")


@pytest.mark.parametrize("off", [-5.0, 5.0], ids=["left", "right"])
def test_a_curve_a_little_beside_the_paint(off: float) -> None:
    image = paint_road(one(-1.8), one(1.8, dashes=DASHES), travelled=2.0)
    lanes = [replace(lane, points=lane.points + np.array([off, 0])) for lane in (lane_at(-1.8), lane_at(1.8))]
    assert judge(image, *lanes) == [LaneType("solid", "white"), LaneType("dashed", "white")]


def test_a_shadow_across_a_solid_line_makes_no_dashes() -> None:
    image = paint_road(one(-1.8), one(1.8)).astype(np.float64)
    for top, bottom in ((170, 178), (200, 215), (260, 290)):
        image[top:bottom] *= 0.5
    assert judge(image.astype(np.uint8), lane_at(-1.8), lane_at(1.8)) == [LaneType("solid", "white")] * 2


def test_where_there_is_no_paint_nothing_is_told_for_sure() -> None:
    image = paint_road(one(1.8))
    classifier = LineTypeClassifier(sure=0.95)
    left, right = classifier(image, LanePrediction((lane_at(-1.8), lane_at(1.8)), (HEIGHT, WIDTH))).lanes
    assert left.line_type is None
    assert right.line_type is not None


def test_what_is_known_of_a_track_outlasts_a_hidden_line() -> None:
    classifier = LineTypeClassifier()
    lanes = (lane_at(-1.8, track_id=1), lane_at(1.8, track_id=2, slot=3))
    for number in range(6):
        image = paint_road(one(-1.8), one(1.8, dashes=DASHES), travelled=number)
        seen = classifier(image, LanePrediction(lanes, (HEIGHT, WIDTH)))
    expected = [LaneType("solid", "white"), LaneType("dashed", "white")]
    assert [lane.line_type for lane in seen.lanes] == expected
    blank = paint_road()
    for _ in range(4):
        hidden = classifier(blank, LanePrediction(lanes, (HEIGHT, WIDTH)))
    assert [lane.line_type for lane in hidden.lanes] == expected
    swapped = tuple(replace(lane, track_id=3 - (lane.track_id or 0)) for lane in lanes)
    assert [lane.line_type for lane in classifier(blank, LanePrediction(swapped, (HEIGHT, WIDTH))).lanes] == [
        expected[1],
        expected[0],
    ]


def test_a_line_that_becomes_another_is_told_anew_and_reset_forgets() -> None:
    classifier = LineTypeClassifier()
    lanes = (lane_at(-1.8, track_id=1), lane_at(1.8, track_id=2, slot=3))

    def look(travelled: float, *stripes: Stripe) -> LaneType | None:
        image = paint_road(*stripes, travelled=travelled)
        return classifier(image, LanePrediction(lanes, (HEIGHT, WIDTH))).lanes[0].line_type

    for number in range(6):
        told = look(number, one(-1.8), one(1.8))
    assert told == LaneType("solid", "white")
    for number in range(16):
        told = look(1.3 * number, one(-1.8, dashes=DASHES), one(1.8))
    assert told == LaneType("dashed", "white")
    classifier.reset()
    assert look(0.0, one(-1.8), one(1.8)) == LaneType("solid", "white")


def test_a_line_that_is_seen_alone_is_looked_at_in_the_size_that_the_road_had_before() -> None:
    """From high up, as in a lorry, a double line would be taken for one broad line."""
    classifier, lens = LineTypeClassifier(), 2.6
    alone = lane_at(1.8, track_id=3, slot=3, lens=lens)
    pair = (lane_at(-1.8, track_id=1, lens=lens), replace(alone, track_id=2))
    image = paint_road(one(-1.8), one(1.64), one(1.96), lens=lens)
    for lanes in [pair] * 3 + [(alone,)] * 3:
        told = classifier(image, LanePrediction(lanes, (HEIGHT, WIDTH))).lanes[-1]
    assert told.line_type == LaneType("double", "white")


@pytest.mark.parametrize(("confidence", "colour"), [(1.0, "yellow"), (0.1, "white")], ids=["sure", "unsure"])
def test_frames_in_which_a_line_is_hardly_seen_change_its_type_little(confidence: float, colour: LineColour) -> None:
    classifier, line = LineTypeClassifier(), lane_at(-1.8, track_id=1)
    white, yellow = paint_road(one(-1.8)), paint_road(one(-1.8, YELLOW))
    for image, sure in [(white, 1.0)] * 6 + [(yellow, confidence)] * 14:
        (told,) = classifier(image, LanePrediction((replace(line, confidence=sure),), (HEIGHT, WIDTH))).lanes
    assert told.line_type == LaneType("solid", colour)


@pytest.mark.parametrize(("frames", "style"), [(200, "solid"), (260, "dashed")], ids=["kept", "forgotten"])
def test_a_number_that_was_not_seen_for_long_is_that_of_another_line(frames: int, style: LineStyle) -> None:
    classifier, line = LineTypeClassifier(), lane_at(-1.8, track_id=1)
    solid, dashed = paint_road(one(-1.8)), paint_road(one(-1.8, dashes=DASHES), travelled=2.0)
    for image, lanes in [(solid, (line,))] * 6 + [(solid, ())] * frames + [(dashed, (line,))] * 2:
        told = classifier(image, LanePrediction(lanes, (HEIGHT, WIDTH)))
    assert told.lanes[0].line_type == LaneType(style, "white")


def test_lanes_without_a_curve_and_pictures_without_lanes_pass() -> None:
    image = paint_road(one(1.8))
    short = Lane(np.array([[300.0, 350.0], [302.0, 340.0]]), slot=2)
    assert judge(image) == []
    assert judge(image, short) == [None]
    assert judge(image, Lane(np.zeros((0, 2))), lane_at(1.8)) == [None, LaneType("solid", "white")]


@pytest.mark.parametrize("size", [(40, 64), (360, 640), (64, 20)], ids=["small", "usual", "narrow"])
def test_no_lanes_however_odd_break_it(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    classifier = LineTypeClassifier()
    for _ in range(25):
        image = (
            rng.integers(0, 256, (*size, 3)).astype(np.uint8) if rng.random() < 0.8 else np.zeros((*size, 3), np.uint8)
        )
        lanes = []
        for number in range(int(rng.integers(0, 5))):
            rows = np.sort(rng.uniform(0, size[0] - 1, int(rng.integers(0, 30))))[::-1]
            if rng.random() < 0.2:
                rows = np.round(rows / 10)  # several points in one row
            columns = rng.uniform(-0.5, 1.5) * size[1] + rng.normal(0, 40, len(rows)).cumsum()
            lanes.append(Lane(np.stack([columns, rows], axis=1), track_id=number + 1 if rng.random() < 0.7 else None))
        told = classifier(image, LanePrediction(tuple(lanes), size))
        assert len(told.lanes) == len(lanes)


def test_everything_else_of_a_prediction_stays() -> None:
    lanes = (lane_at(-1.8, track_id=4), lane_at(1.8))
    before = LanePrediction(lanes, (HEIGHT, WIDTH), "name", run_time=0.5)
    after = LineTypeClassifier()(paint_road(one(-1.8)), before)
    assert (after.name, after.run_time, after.image_size) == ("name", 0.5, (HEIGHT, WIDTH))
    assert [lane.track_id for lane in after.lanes] == [4, None]
    assert all(new.points is old.points for new, old in zip(after.lanes, lanes, strict=True))


def test_scale_of_the_road_from_two_lanes() -> None:
    found = road_scale([lane_at(-1.8).points, lane_at(1.8).points], (HEIGHT, WIDTH))
    assert found is not None
    assert found.horizon == pytest.approx(HORIZON, abs=0.5)
    assert found.spread == pytest.approx(3.6 / LENS, rel=0.01)
    assert road_scale([lane_at(-1.8).points], (HEIGHT, WIDTH)) is None
    parallel: Points = np.stack([np.full(20, 100.0), np.arange(350.0, 150.0, -10)], axis=1)
    assert road_scale([parallel, parallel + np.array([60, 0])], (HEIGHT, WIDTH)) is None
    assert usual_scale(lane_at(1.8).points).horizon == pytest.approx(HORIZON, abs=12)


def test_a_strip_shows_paint_in_its_middle_and_dashes_as_long_as_they_are() -> None:
    image = paint_road(one(1.8, dashes=DASHES), travelled=2.0)
    strips = unwrap(image, [lane_at(1.8).points + np.array([3, 0])], RoadScale(HORIZON, 3.7 / LENS))
    ridge = strips.paint[0, :, strips.paint.shape[2] // 2]
    painted = ridge > 0.5 * ridge.max()
    share = np.gradient(strips.metres[0])[painted].sum() / np.gradient(strips.metres[0]).sum()
    assert share == pytest.approx(1 / 3, abs=0.12)
    assert strips.colour[0][painted].mean() > strips.ground[0][painted].mean() + 60


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"sure": 1.5}, "sure: expected a number between 0 and 1, got 1.5"), ({"every": 0}, "every: expected 1 frame")],
    ids=["sure", "every"],
)
def test_bad_settings_are_named(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LineTypeClassifier(**settings)  # type: ignore[arg-type]


def test_types_of_a_rendered_drive() -> None:
    drive = RenderedDrive(200, 0, num_frames=3, image_size=(288, 512), difficulty="easy", fps=8)
    classifier = LineTypeClassifier(every=1)
    for number, (image, lanes) in enumerate(drive):
        told = classifier(image, LanePrediction(tuple(replace(lane, line_type=None) for lane in lanes), (288, 512)))
        truth = {lane.track_id: lane.line_type for lane in drive.truth(number).lanes}
    own = [lane for lane in told.lanes if lane.slot in (2, 3)]
    assert len(own) == 2
    assert all(lane.line_type == truth[lane.track_id] for lane in own)


@pytest.mark.slow
def test_a_frame_with_four_lanes_takes_little_time() -> None:
    image = cv2.resize(paint_road(one(-1.8), one(1.8)), (1280, 720))
    lanes = tuple(lane_at(x, track_id=k).scaled(2) for k, x in enumerate((-5.4, -1.8, 1.8, 5.4), start=1))
    classifier, prediction = LineTypeClassifier(), LanePrediction(lanes, (720, 1280))
    classifier(image, prediction)
    started = time.process_time()
    for _ in range(200):
        classifier(image, prediction)
    assert (time.process_time() - started) / 200 < 0.0024
