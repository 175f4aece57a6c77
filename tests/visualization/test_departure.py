"""The warning stands from the event that begins a departure to the one that ends it."""

from dataclasses import replace

import numpy as np
import pytest

from lanenet_sad.lanes.driving import DrivingEvent, RoadMeasures
from lanenet_sad.lanes.lane import Image, Lane, LanePrediction
from lanenet_sad.visualization import DepartureAnnotator

HEIGHT, WIDTH = 180, 320
YELLOW = (255, 214, 10)


def make_picture() -> Image:
    return np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


def make_line(near_x: float, slot: int) -> Lane:
    share = np.linspace(0, 1, 9)
    return Lane(np.column_stack([near_x + (160 - near_x) * share, 179 - 100 * share]), slot)


def make_event(side: str, *, is_over: bool = False, kind: str = "departure") -> DrivingEvent:
    return DrivingEvent(kind, side, 1.0, 25, is_over=is_over)


def make_frame(*events: DrivingEvent, left: float = 1.0, right: float = 2.6) -> LanePrediction:
    road = RoadMeasures(left_distance=left, right_distance=right)
    return LanePrediction((make_line(40, 2), make_line(280, 3)), (HEIGHT, WIDTH), road=road, events=events)


def yellow(image: Image) -> np.ndarray:
    """Where the warning's colour is."""
    return (image == YELLOW).all(axis=2)


def test_without_a_departure_the_picture_stays():
    image = make_picture()
    drawn = DepartureAnnotator().annotate(image, make_frame(make_event("left", kind="lane_change")))
    assert (drawn == image).all()
    assert drawn is not image


@pytest.mark.parametrize("side", ["left", "right"])
def test_it_stands_from_the_beginning_to_the_end(side):
    annotator, image = DepartureAnnotator(), make_picture()
    frames = [make_frame(make_event(side)), make_frame(), make_frame(make_event(side, is_over=True)), make_frame()]
    shown = [yellow(annotator.annotate(image, frame)) for frame in frames]
    assert [bool(mask.any()) for mask in shown] == [True, True, False, False]
    assert (image == 90).all()
    banner, road = shown[0][:70], shown[0][110:]
    assert banner.any()
    assert road[:, :160].any() == (side == "left")
    assert road[:, 160:].any() == (side == "right")


def test_both_sides_have_a_banner_each():
    def banner_rows(*sides):
        frame = make_frame(*(make_event(side) for side in sides))
        mask = yellow(DepartureAnnotator().annotate(make_picture(), frame))
        return (mask.sum(axis=1) > 0.3 * mask.shape[1]).sum()  # a line is narrower

    assert banner_rows("left", "right") > 1.7 * banner_rows("left") > 0


def test_the_banner_names_the_distance_of_the_wheels():
    near = DepartureAnnotator().annotate(make_picture(), make_frame(make_event("left"), left=0.95))
    same = DepartureAnnotator().annotate(make_picture(), make_frame(make_event("left"), left=0.95))
    beyond = DepartureAnnotator().annotate(make_picture(), make_frame(make_event("left"), left=0.65))
    wide = DepartureAnnotator(half_width=1.2).annotate(make_picture(), make_frame(make_event("left"), left=0.95))
    assert (near == same).all()
    assert (near != beyond).any()
    assert (wide == beyond).all()  # both are 0.25 m beyond the line


def test_metres_that_rest_on_an_assumption_are_marked():
    def banner(scale):
        frame = make_frame(make_event("left"))
        return DepartureAnnotator().annotate(make_picture(), replace(frame, road=replace(frame.road, scale=scale)))

    assert (banner("assumed") != banner("calibration")).any()


def test_reset_forgets():
    annotator = DepartureAnnotator()
    annotator.annotate(make_picture(), make_frame(make_event("left")))
    annotator.reset()
    assert not yellow(annotator.annotate(make_picture(), make_frame())).any()


@pytest.mark.parametrize("size", [(1, 1), (12, 20), (90, 40), (1080, 1920)])
def test_every_size_of_picture_can_be_drawn_on(size):
    image = np.full((*size, 3), 90, np.uint8)
    frame = LanePrediction((), size, events=(make_event("right"),))
    drawn = DepartureAnnotator().annotate(image, frame)
    assert drawn.shape == image.shape
    assert (drawn != image).any()
