"""Set UPDATE_GOLDENS=1 to draw the golden pictures anew; look at them before you commit them."""

import os
from pathlib import Path

import numpy as np
import pytest

from lanenet_sad.inference.sinks import write_image
from lanenet_sad.lanes.images import read_image
from lanenet_sad.lanes.lane import Image, Lane, LanePrediction
from lanenet_sad.visualization import (
    Annotator,
    CaptionAnnotator,
    EgoLaneAnnotator,
    LaneAnnotator,
    annotate_all,
    attention_grid,
    slot_color,
)
from lanenet_sad.visualization.annotators import describe

HEIGHT, WIDTH = 90, 160
GOLDENS = Path(__file__).parent / "goldens"


def make_road() -> Image:
    """A grey road under a blue sky, the horizon at row 30."""
    image = np.full((HEIGHT, WIDTH, 3), (95, 97, 100), np.uint8)
    image[:30] = (120, 170, 225)
    return image


def make_line(near_x: float, far_x: float, slot: int | None, confidence: float = 0.9) -> Lane:
    """A straight line from below the picture to row 35."""
    share = np.linspace(0, 1, 9)
    return Lane(np.column_stack([near_x + (far_x - near_x) * share, 92 - 57 * share]), slot, confidence)


def make_four_lanes(run_time: float = 0.0) -> LanePrediction:
    lanes = (make_line(-60, 65, 1), make_line(30, 74, 2), make_line(130, 86, 3, 0.97), make_line(220, 95, 4, 0.5))
    return LanePrediction(lanes, (HEIGHT, WIDTH), run_time=run_time)


def make_prediction(*lanes: Lane) -> LanePrediction:
    return LanePrediction(lanes, (HEIGHT, WIDTH))


def draw_everything() -> Image:
    annotators = [EgoLaneAnnotator(), LaneAnnotator(show_confidence=True), CaptionAnnotator()]
    return annotate_all(make_road(), make_four_lanes(run_time=0.04), annotators)


def draw_grid() -> Image:
    ramp = np.linspace(0, 1, 20 * 40).reshape(20, 40)
    spot = np.exp(-((np.mgrid[:10, :16][0] - 5.0) ** 2) / 4)
    titles = ("before", "after")
    return attention_grid(make_road(), [[ramp, spot], [spot, ramp.T]], column_titles=titles, cell_width=96)


DRAWINGS = {
    "lanes": lambda: LaneAnnotator().annotate(make_road(), make_four_lanes()),
    "ego_lane": lambda: EgoLaneAnnotator().annotate(make_road(), make_four_lanes()),
    "caption": lambda: CaptionAnnotator("frame 12").annotate(make_road(), make_prediction()),
    "everything": draw_everything,
    "attention_grid": draw_grid,
}


@pytest.mark.parametrize("name", list(DRAWINGS))
def test_golden_pictures(name: str) -> None:
    drawn, path = DRAWINGS[name](), GOLDENS / f"{name}.png"
    if os.environ.get("UPDATE_GOLDENS") == "1":
        write_image(path, drawn)
    golden = read_image(path)
    assert drawn.shape == golden.shape
    difference = np.abs(drawn.astype(int) - golden)
    # Builds of OpenCV smooth edges and letters a little differently.
    assert difference.mean() < 0.5
    assert (difference.max(axis=-1) > 40).mean() < 0.005


ANNOTATORS = [
    LaneAnnotator(),
    LaneAnnotator(line_width=1, show_confidence=True),
    EgoLaneAnnotator(),
    CaptionAnnotator("text"),
]


@pytest.mark.parametrize("annotator", ANNOTATORS, ids=["lanes", "confidence", "ego", "caption"])
@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH, 3), (7, 5, 3), (1, 1, 3)], ids=str)
def test_input_is_untouched_and_output_is_its_own(annotator: Annotator, shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    before = image.copy()
    drawn = annotator.annotate(image, make_four_lanes())
    assert np.array_equal(image, before)
    assert (drawn.shape, drawn.dtype) == (shape, np.uint8)
    assert not np.shares_memory(drawn, image)


@pytest.mark.parametrize(
    "lanes",
    [
        (),
        (Lane(np.zeros((0, 2)), 2), Lane(np.zeros((0, 2)), 3)),
        (Lane(np.array([[50.0, 60.0]]), 2), Lane(np.array([[90.0, 60.0]]), 3)),
        (Lane(np.array([[50.0, 60.0]] * 3), 2), Lane(np.array([[90.0, 60.0]] * 3), 3)),
        (make_line(-900, -800, 2), make_line(-700, -600, 3)),
    ],
    ids=["none", "empty", "one-point", "one-place", "outside"],
)
def test_nothing_to_draw_leaves_the_picture(lanes: tuple[Lane, ...]) -> None:
    image, prediction = make_road(), make_prediction(*lanes)
    drawn = annotate_all(image, prediction, [EgoLaneAnnotator(), LaneAnnotator(show_confidence=True)])
    assert np.array_equal(drawn, image)


def test_a_lane_colours_its_own_pixels_only() -> None:
    image = make_road()
    drawn = LaneAnnotator(line_width=6, opacity=1).annotate(image, make_prediction(make_line(80, 80, 2)))
    changed = (drawn != image).any(axis=-1)
    assert np.array_equal(drawn[60, 80], slot_color(2))
    assert changed[40:, 80].all()
    assert not changed[:, :72].any()
    assert not changed[:, 89:].any()
    assert not changed[:30].any()


def test_lines_narrow_with_distance_and_are_as_wide_as_asked() -> None:
    image = make_road()
    drawn = LaneAnnotator(line_width=10, opacity=1).annotate(image, make_prediction(make_line(80, 80, 2)))
    colored = (np.abs(drawn.astype(int) - slot_color(2)).max(axis=-1) < 20).sum(axis=1)
    assert 8 <= colored[89] <= 11
    assert colored[89] > colored[60] > colored[40] > 0


def test_width_follows_the_picture() -> None:
    small, large = np.zeros((90, 1600, 3), np.uint8), np.zeros((90, 400, 3), np.uint8)
    counts = [
        int((LaneAnnotator().annotate(image, make_prediction(make_line(80, 80, 2)))[85] > 0).any(axis=-1).sum())
        for image in (small, large)
    ]
    assert counts[0] >= 2.5 * counts[1]


def test_edges_are_smooth() -> None:
    drawn = LaneAnnotator(opacity=1).annotate(np.zeros((90, 160, 3), np.uint8), make_prediction(make_line(30, 74, 2)))
    assert len(np.unique(drawn[..., 0])) > 20


def test_lanes_far_outside_are_drawn_without_overflow() -> None:
    image = make_road()
    lane = Lane(np.array([[-1e12, 90.0], [80.0, 60.0], [80.0, 40.0], [1e12, -1e12]]), 2)
    drawn = annotate_all(image, make_prediction(lane, make_line(130, 86, 3)), [EgoLaneAnnotator(), LaneAnnotator()])
    assert (drawn != image).any()


def test_ego_lane_is_tinted_between_its_lines_and_fades() -> None:
    image = make_road()
    drawn = EgoLaneAnnotator().annotate(image, make_four_lanes())
    change = np.abs(drawn.astype(int) - image).sum(axis=-1)
    assert change[88, 80] > change[60, 80] > change[40, 80] > 0
    assert (change[60, [40, 120]] == 0).all()
    assert (change[:34] == 0).all()


@pytest.mark.parametrize(
    ("lanes", "num_lanes"),
    [
        ((make_line(30, 74, 2),), 4),
        ((make_line(30, 74, 1), make_line(130, 86, 4)), 4),
        ((make_line(30, 74, None), make_line(130, 86, None)), 4),
        ((make_line(30, 74, 2), make_line(130, 86, 3)), 6),
        ((make_line(130, 86, 2), make_line(30, 74, 3)), 4),
        ((Lane(np.array([[30.0, 90.0], [40.0, 70.0]]), 2), Lane(np.array([[90.0, 60.0], [85.0, 40.0]]), 3)), 4),
    ],
    ids=["one-line", "outer-lines", "no-slots", "six-slots", "swapped", "no-common-row"],
)
def test_without_both_ego_lines_nothing_is_tinted(lanes: tuple[Lane, ...], num_lanes: int) -> None:
    image = make_road()
    drawn = EgoLaneAnnotator(num_lanes=num_lanes).annotate(image, make_prediction(*lanes))
    assert np.array_equal(drawn, image)


def test_ego_tint_ends_where_the_lines_cross() -> None:
    image = make_road()
    drawn = EgoLaneAnnotator().annotate(image, make_prediction(make_line(30, 100, 2), make_line(130, 60, 3)))
    rows = np.flatnonzero((drawn != image).any(axis=(1, 2)))
    crossing = 92 - 57 * (100 / 140)
    assert crossing - 2 < rows.min() < crossing + 4


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (make_prediction(), "no lanes"),
        (make_prediction(Lane(np.zeros((0, 2)))), "no lanes"),
        (make_prediction(make_line(30, 74, 2)), "1 lane"),
        (make_four_lanes(run_time=0.04), "4 lanes  25 fps"),
    ],
    ids=["none", "empty-lane", "one", "four-with-speed"],
)
def test_caption_says_what_was_found(prediction: LanePrediction, expected: str) -> None:
    image = make_road()
    assert describe(prediction) == expected
    assert np.array_equal(
        CaptionAnnotator().annotate(image, prediction), CaptionAnnotator(expected).annotate(image, prediction)
    )
    assert np.array_equal(CaptionAnnotator(lambda _: "").annotate(image, prediction), image)


def test_confidence_is_written_inside_the_picture() -> None:
    image = make_road()
    plain = LaneAnnotator().annotate(image, make_four_lanes())
    labelled = LaneAnnotator(show_confidence=True).annotate(image, make_four_lanes())
    assert (plain != labelled).any(axis=-1).sum() > 100


def test_annotators_are_applied_in_order() -> None:
    image, prediction = make_road(), make_four_lanes()
    one_by_one = LaneAnnotator().annotate(EgoLaneAnnotator().annotate(image, prediction), prediction)
    assert np.array_equal(annotate_all(image, prediction, [EgoLaneAnnotator(), LaneAnnotator()]), one_by_one)
    assert not np.shares_memory(annotate_all(image, prediction, []), image)


def test_a_real_frame_with_hand_made_lanes(shared: Path) -> None:
    image = read_image(next(iter(sorted((shared / "data" / "roads").rglob("udacity*/**/*.jpg")))))
    height, width = image.shape[:2]
    prediction = LanePrediction(
        tuple(lane.scaled(width / 160, height / 90) for lane in make_four_lanes().lanes), (height, width)
    )
    drawn = LaneAnnotator().annotate(image, prediction)
    share = (drawn != image).any(axis=-1).mean()
    assert 0.005 < share < 0.1
