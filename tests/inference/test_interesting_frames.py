"""The strip of a video's most telling frames."""

import cv2
import numpy as np
import pytest

from lanenet_sad.inference.interesting_frames import InterestingFrames
from lanenet_sad.lanes.driving import DrivingEvent, RoadMeasures
from lanenet_sad.lanes.lane import Frame, Image, Lane, LanePrediction

SIZE = (36, 64)


def make_prediction(
    slots: str = "23", *, confidence: float = 0.9, curvature: float | None = None, events: tuple[DrivingEvent, ...] = ()
) -> LanePrediction:
    lanes = tuple(Lane(np.zeros((0, 2)), int(slot), confidence) for slot in slots)
    road = None if curvature is None else RoadMeasures(curvature=curvature)
    return LanePrediction(lanes, SIZE, road=road, events=events)


def make_image(number: int, size: tuple[int, int] = SIZE) -> Image:
    """A grey that tells the frames apart."""
    return np.full((*size, 3), number % 256, np.uint8)


def collect(predictions: dict[int, LanePrediction], num_frames: int, **settings) -> InterestingFrames:
    """Look at a video with one frame each tenth of a second; frames not named are ordinary."""
    frames = InterestingFrames(**settings)
    for number in range(num_frames):
        image = make_image(number)
        prediction = predictions.get(number, make_prediction())
        frames.add(Frame(image, "a.mp4", number, number / 10), image, prediction)
    return frames


def reasons(frames: InterestingFrames) -> dict[int, str]:
    """The frames that were taken for a reason, known by their grey."""
    return {int(picture[0, 0, 0]): why for _, why, picture in frames.chosen() if why}


def test_each_kind_of_moment_is_found():
    event = DrivingEvent("lane_change", "left", 2.0, 20)
    departure = DrivingEvent("departure", "right", 8.0, 80)
    over = DrivingEvent("departure", "right", 8.0, 80, duration=1.0, is_over=True)
    frames = collect(
        {
            20: make_prediction(events=(event,)),
            37: make_prediction("1234"),
            **{number: make_prediction("2") for number in range(50, 57)},
            53: make_prediction(""),
            65: make_prediction(confidence=0.4),
            71: make_prediction(curvature=-0.002),
            72: make_prediction(curvature=0.01),
            80: make_prediction(events=(departure,)),
            90: make_prediction(events=(over,)),
        },
        100,
    )
    assert reasons(frames) == {
        20: "lane change to the left",
        37: "most lanes (4)",
        50: "own lane lost for 0.6 s",
        53: "no lane",
        65: "lowest confidence 0.40",
        72: "sharpest curve, 100 m to the right",
        80: "departure to the right",
    }
    others = [time for time, why, _ in frames.chosen() if not why]
    assert others == [0.0, 1.6, 3.2, 9.6]  # 4.8 and 6.4 would look like what is there already
    assert [time for time, _, _ in frames.chosen()] == sorted(time for time, _, _ in frames.chosen())


def test_a_dull_video_is_spread_out():
    frames = collect({}, 240)
    assert reasons(frames) == {0: "lowest confidence 0.90"}
    times = [time for time, _, _ in frames.chosen()]
    assert len(times) >= 8
    assert max(np.diff(times)) <= 3.2 + 1e-9
    assert times[-1] >= 24 - 3.2


def test_a_flickering_line_is_one_loss_and_the_longest_counts():
    lost = {10: make_prediction("2"), **{n: make_prediction("2") for n in range(30, 40)}, 33: make_prediction()}
    chosen = reasons(collect(lost, 60))
    assert chosen[30] == "own lane lost for 0.9 s"
    assert 10 in chosen  # the first frame with fewer lanes
    assert sum("lost" in why for why in chosen.values()) == 1


def test_two_reasons_share_a_picture():
    event = DrivingEvent("departure", "left", 2.0, 20)
    frames = collect({20: make_prediction("", events=(event,))}, 40)
    assert reasons(frames)[20] == "departure to the left, own lane lost for a moment, no lane"


def test_memory_stays_flat_however_much_happens():
    generator = np.random.default_rng(0)
    frames = InterestingFrames(cell_size=(9, 16))
    most = 0
    for number in range(3000):
        events = (DrivingEvent("lane_change", "left", number / 25, number),) if number % 7 == 0 else ()
        prediction = make_prediction(
            "1234"[: generator.integers(0, 5)],
            confidence=generator.uniform(),
            curvature=generator.normal() * 1e-3,
            events=events,
        )
        image = make_image(number)
        frames.add(Frame(image, "a.mp4", number, number / 25), image, prediction)
        most = max(most, len({id(picture) for picture in held_pictures(frames)}))
    assert most <= 24
    assert all(picture.shape == (9, 16, 3) for picture in held_pictures(frames))
    assert len(frames.chosen()) == 12


def held_pictures(frames: InterestingFrames) -> list[Image]:
    """Every picture that can be reached from the collection."""
    found, waiting, seen = [], [frames], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            found.append(value)
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
        elif hasattr(value, "__dict__"):
            waiting += vars(value).values()
    return found


@pytest.mark.parametrize("size", [(36, 64), (64, 36), (720, 1280)], ids=str)
def test_the_picture_is_written(tmp_path, size):
    frames = InterestingFrames(cell_size=(90, 100), num_frames=5)
    for number in range(30):
        image = make_image(120, size)
        frames.add(Frame(image, "a.mp4", number, number * 10.0), image, make_prediction())
    assert frames.write(tmp_path / "a.strip.jpg")
    picture = cv2.imread(str(tmp_path / "a.strip.jpg"))
    height, width = frames.chosen()[0][2].shape[:2]
    assert (height, width) == ((56, 100) if size[0] < size[1] else (90, 51))
    assert picture.shape[1] == 4 * (width + 6) + 6
    assert picture.shape[0] > 2 * height
    assert abs(int(picture[20, 20, 0]) - 120) < 6
    caption = picture[6 + height : 6 + height + 8, 6 : 6 + width]
    assert caption.max() > 60  # something stands below the picture


def test_pictures_that_change_size_and_short_videos_are_fine():
    frames = InterestingFrames()
    for number, size in enumerate([(36, 64), (64, 36)]):
        image = make_image(number, size)
        frames.add(Frame(image, "a.mp4", number, number / 25), image, make_prediction())
    sheet = frames.sheet()
    assert sheet is not None
    assert len(frames.chosen()) == 2


def test_without_a_frame_the_old_picture_stays(tmp_path):
    path = tmp_path / "a.strip.jpg"
    path.write_bytes(b"old")
    assert not InterestingFrames().write(path)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("settings", [{"num_frames": 0}, {"cell_size": (0, 40)}], ids=str)
def test_impossible_pictures_are_refused(settings):
    with pytest.raises(ValueError, match="Interesting frames: expected a number and cell size of 1 or more"):
        InterestingFrames(**settings)
