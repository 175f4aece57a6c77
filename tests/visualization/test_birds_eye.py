from dataclasses import replace

import numpy as np
import pytest
from road_factories import SIZE, make_camera, make_road_prediction

from lanenet_sad.lanes.driving import RoadMeasures
from lanenet_sad.lanes.lane import Image, Lane, LanePrediction, LaneType
from lanenet_sad.visualization.birds_eye import BirdsEyeAnnotator, MeasuresAnnotator, describe_line_types, describe_road
from lanenet_sad.visualization.palette import slot_color


def make_picture() -> Image:
    """Grey asphalt below the horizon of `make_camera`, with a red bar across the road 20 to 22 m ahead."""
    camera = make_camera()
    image = np.full((*SIZE, 3), (150, 190, 230), np.uint8)
    image[round(camera.vanishing_point[1]) :] = (90, 90, 90)
    far, near = camera.to_image([[0.0, 22.0], [0.0, 20.0]])[:, 1]
    image[round(far) : round(near)] = (220, 20, 20)
    return image


def inset_of(drawn: Image, image: Image) -> Image:
    """The part of a picture that was drawn on, without the frame."""
    rows, columns = np.nonzero((drawn != image).any(axis=2))
    return drawn[rows.min() + 1 : rows.max(), columns.min() + 1 : columns.max()]


def rows_of(inset: Image, color: tuple[int, int, int]) -> np.ndarray:
    """Rows in which a quarter of the pixels have about this colour."""
    return np.flatnonzero((np.abs(inset.astype(int) - color).max(axis=2) < 40).mean(axis=1) > 0.25)


def test_the_inset_shows_places_where_they_are():
    image = make_picture()
    drawn = BirdsEyeAnnotator(make_camera(), share=0.5, ahead=40).annotate(image, LanePrediction((), SIZE))
    inset = inset_of(drawn, image)
    rows = rows_of(inset, (220, 20, 20))
    seen = (1 - (rows.mean() + 0.5) / len(inset)) * (40 * 1.06) - 40 * 0.06  # metres ahead
    assert seen == pytest.approx(21, abs=0.7)
    assert np.array_equal(drawn[:, :320], image[:, :320])  # in the right half only
    assert drawn[: SIZE[0] // 2 + 20].tobytes() != image[: SIZE[0] // 2 + 20].tobytes()


def test_lanes_run_upright_in_their_colours():
    image, prediction = make_picture(), make_road_prediction(make_camera(), slots=(2, 3))
    inset = inset_of(BirdsEyeAnnotator(make_camera(), share=0.5).annotate(image, prediction), image)
    for slot, place in ((2, -1.8), (3, 1.8)):
        rows, columns = np.nonzero(np.abs(inset.astype(int) - slot_color(slot)).max(axis=2) < 30)
        assert len(set(rows)) > 0.6 * len(inset)
        assert columns.mean() == pytest.approx((place / 16 + 0.5) * inset.shape[1], abs=2)
        assert columns.std() < 2


def test_the_camera_of_each_frame_counts():
    image, annotator = make_picture(), BirdsEyeAnnotator()
    prediction = make_road_prediction(make_camera())
    for unknown in (None, replace(make_camera(), height=None)):
        assert np.array_equal(annotator.annotate(image, replace(prediction, camera=unknown)), image)
    first = annotator.annotate(image, replace(prediction, camera=make_camera()))
    assert not np.array_equal(first, image)
    other = annotator.annotate(image, replace(prediction, camera=make_camera(pitch=0.02)))
    assert not np.array_equal(other, first)
    assert np.array_equal(annotator.annotate(image, replace(prediction, camera=make_camera())), first)


@pytest.mark.parametrize("shape", [(360, 640, 3), (720, 1280, 3), (54, 96, 3), (1, 1, 3)], ids=str)
def test_input_is_untouched_and_output_is_its_own(shape):
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    before = image.copy()
    prediction = replace(make_road_prediction(make_camera()), road=RoadMeasures(curvature=0.002, lateral_offset=0.1))
    for annotator in (BirdsEyeAnnotator(None), BirdsEyeAnnotator(make_camera()), MeasuresAnnotator()):
        if shape != (1, 1, 3) or not isinstance(annotator, BirdsEyeAnnotator):
            drawn = annotator.annotate(image, prediction)
            assert (drawn.shape, drawn.dtype) == (shape, np.uint8)
            assert not np.shares_memory(drawn, image)
        assert np.array_equal(image, before)


@pytest.mark.parametrize("size", [(360, 640), (480, 640), (640, 360), (48, 640)], ids=str)
def test_a_share_of_everything_is_as_large_as_fits(size):
    image = np.full((*size, 3), 90, np.uint8)
    camera = make_camera(image_size=size, centre=((size[1] - 1) / 2, (size[0] - 1) / 2))
    drawn = BirdsEyeAnnotator(camera, share=1.0).annotate(image, LanePrediction((), size))
    rows, columns = np.nonzero((drawn != image).any(axis=2))
    assert rows.min() > 0
    assert rows.max() < size[0] - 1
    assert columns.max() < size[1] - 1
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert height > 0.9 * (size[0] - 16) or width > 0.9 * size[1] / 2


def test_impossible_insets_are_refused():
    with pytest.raises(ValueError, match="a share of the picture's height"):
        BirdsEyeAnnotator(None, share=1.5)


@pytest.mark.parametrize(
    ("road", "lines"),
    [
        (RoadMeasures(), []),
        (
            RoadMeasures(0.00238, 0.21, 3.6, scale="calibration"),
            ["radius 420 m right | offset +0.21 m | width 3.6 m"],
        ),
        (
            RoadMeasures(-1 / 87.0, -0.2, 3.71),
            ["radius 87 m left | offset -0.20 m | width 3.7 m", "metres assume a lane width of 3.7 m"],
        ),
        (RoadMeasures(curvature=0.0, scale="calibration"), ["straight"]),
        (RoadMeasures(left_distance=1.5, scale="calibration"), ["1.50 m to the left line"]),
        (RoadMeasures(right_distance=1.5, scale="calibration"), ["1.50 m to the right line"]),
        (
            RoadMeasures(curvature=1 / 1234, time_to_crossing=1.24, crossing_side="left", scale="calibration"),
            ["radius 1200 m right", "left line in 1.2 s"],
        ),
        (RoadMeasures(lateral_offset=0.0, time_to_crossing=9.0, scale="calibration"), ["offset +0.00 m"]),
    ],
)
def test_measures_in_words(road, lines):
    assert describe_road(road) == lines


def test_measures_are_written_into_the_upper_left_corner():
    image = make_picture()
    prediction = LanePrediction((), SIZE, road=RoadMeasures(0.002, 0.1, 3.5))
    drawn = MeasuresAnnotator(lane_width=3.5).annotate(image, prediction)
    rows, columns = np.nonzero((drawn != image).any(axis=2))
    assert rows.max() < 80
    assert columns.max() < 400
    assert (drawn[rows, columns] > 200).any()  # letters on
    assert (drawn[rows, columns] < 90).any()  # a dark strip
    assert np.array_equal(MeasuresAnnotator().annotate(image, LanePrediction((), SIZE)), image)


def test_line_types_of_the_own_lane_in_words():
    lanes = (Lane(np.zeros((2, 2)), 1), Lane(np.zeros((2, 2)), 2, line_type=LaneType("solid_dashed", "yellow")))
    both = (*lanes, Lane(np.zeros((2, 2)), 3, line_type=LaneType("dashed", "white")))
    assert describe_line_types(LanePrediction(lanes, SIZE)) == ["left solid dashed yellow"]
    assert describe_line_types(LanePrediction(both, SIZE)) == ["left solid dashed yellow | right dashed white"]
    assert describe_line_types(LanePrediction(lanes[:1], SIZE)) == []


def test_inset_and_measures_do_not_meet_in_an_upright_picture():
    size = (768, 480)
    image = np.full((*size, 3), 90, np.uint8)
    road = RoadMeasures(-0.004, -1.42, 3.1, time_to_crossing=2.5, crossing_side="right")
    camera = make_camera(image_size=size, centre=(239.5, 383.5))
    columns = []
    for annotator in (MeasuresAnnotator(), BirdsEyeAnnotator(camera)):
        drawn = annotator.annotate(image, LanePrediction((), size, road=road))
        columns.append(np.nonzero((drawn != image).any(axis=(0, 2)))[0])
    assert columns[0].max() < columns[1].min()


def test_a_camera_of_another_shape_draws_no_inset():
    image = make_picture()
    upright = np.ascontiguousarray(image.transpose(1, 0, 2))
    drawn = BirdsEyeAnnotator(make_camera()).annotate(upright, LanePrediction((), upright.shape[:2]))
    assert np.array_equal(drawn, upright)


def test_an_assumed_width_that_is_not_known_is_not_told():
    road = RoadMeasures(lane_width=3.0)
    assert describe_road(road)[-1] == "metres assume a lane width of 3.7 m"
    assert describe_road(road, lane_width=None)[-1] == "metres assume a lane width"
