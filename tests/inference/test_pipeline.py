import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import make_picture, write_picture, write_video, write_weights

from lanenet_sad.inference.pipeline import LanePipeline
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.inference.source import Source
from lanenet_sad.lanes.lane import Frame
from lanenet_sad.postprocess.decode import LaneDecoder
from lanenet_sad.postprocess.follower import LaneFollower


@pytest.fixture(scope="module")
def predictor(tmp_path_factory) -> Predictor:
    path = write_weights(tmp_path_factory.mktemp("weights") / "sure.safetensors")
    predictor = Predictor.from_weights(path, device="cpu")
    # what an untrained network sees is no line, and would be left out as stray points
    return replace(predictor, decoder=LaneDecoder(threshold=0.0, refine=False))


@pytest.fixture
def video(tmp_path) -> Path:
    return write_video(tmp_path / "drive.mp4", num_frames=9)


class EndlessSource(Source):
    """Counts the frames that it was asked for."""

    def __init__(self, *, broken_at: int | None = None, kind: str = "camera") -> None:
        super().__init__("endless")
        self.kind = kind
        self.count = 0
        self.broken_at = broken_at
        self.is_closed = threading.Event()

    def __iter__(self):
        try:
            while self.count != self.broken_at:
                yield Frame(make_picture((64, 160)), "endless", self.count, self.count / 25)
                self.count += 1
            raise ValueError("frame 3 is no frame")
        finally:
            self.is_closed.set()


def pipeline_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name in ("decode", "network", "lanes")]


@pytest.mark.parametrize("batch_size", [1, 4])
def test_frames_come_in_order_with_the_lanes_of_a_plain_call(predictor, video, batch_size):
    pipeline = LanePipeline(video, predictor=predictor, follow=False, batch_size=batch_size)
    found = list(pipeline)
    assert [frame.index for frame, _ in found] == list(range(9))
    for frame, prediction in found:
        (plain,) = predictor([frame.image])
        assert len(plain.lanes) == len(prediction.lanes) > 0
        for lane, expected in zip(prediction.lanes, plain.lanes, strict=True):
            np.testing.assert_allclose(lane.points, expected.points, atol=0.05)


def test_every_stage_is_timed_and_a_second_pass_is_a_new_one(predictor, video):
    pipeline = LanePipeline(video, predictor=predictor)
    first = [(frame.index, len(prediction.lanes)) for frame, prediction in pipeline]
    assert set(pipeline.clock.seconds) == {"decode", "preprocess", "network", "lanes"}
    assert all(seconds > 0 for seconds in pipeline.clock.seconds.values())
    assert [(frame.index, len(prediction.lanes)) for frame, prediction in pipeline] == first


def test_live_frames_do_not_wait_in_queues(predictor):
    source = EndlessSource()
    found = iter(LanePipeline(source, predictor=predictor, follow=False))
    next(found)
    before = -1
    while before != source.count:
        before = source.count
        time.sleep(0.3)
    # handed over; in and before each of the two queues; one more that was asked for
    assert source.count <= 1 + 2 * 2 + 1
    found.close()


def test_memory_is_bounded_a_slow_reader_makes_the_source_wait(predictor):
    source = EndlessSource(kind="video")
    found = iter(LanePipeline(source, predictor=predictor, follow=False, depth=2))
    for _ in range(3):
        next(found)
    before = -1
    while before != source.count:  # the queues fill up
        before = source.count
        time.sleep(0.3)
    assert source.count <= 3 + 3 * (2 + 2)
    found.close()
    assert source.is_closed.wait(5)


def test_who_stops_early_leaves_no_thread_behind(predictor):
    source = EndlessSource()
    with LanePipeline(source, predictor=predictor) as pipeline:
        for frame, _ in pipeline:
            if frame.index == 2:
                break
    deadline = time.monotonic() + 10
    while pipeline_threads():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert source.is_closed.is_set()


def test_a_loop_that_is_left_early_leaves_no_thread_behind_without_a_block_either(predictor):
    for frame, _ in LanePipeline(EndlessSource(), predictor=predictor, process=None):
        if frame.index == 2:
            break
    assert pipeline_threads() == []


def test_what_goes_wrong_at_the_end_leaves_nothing_open(predictor, monkeypatch):
    closed, pipeline = [], LanePipeline(EndlessSource(), predictor=predictor)
    monkeypatch.setattr(pipeline, "_close_found", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(pipeline, "_close_process", lambda: closed.append("process"))
    monkeypatch.setattr(pipeline.source, "__exit__", lambda *_: closed.append("source"), raising=False)
    pipeline.__enter__()
    with pytest.raises(KeyboardInterrupt):
        pipeline.__exit__(None, None, None)
    assert closed == ["source", "process"]


@pytest.mark.parametrize("how", ["end-of-the-block", "another-pass"])
def test_frames_kept_from_before_end_with_their_threads(predictor, video, how):
    source = EndlessSource() if how == "end-of-the-block" else str(video)
    with LanePipeline(source, predictor=predictor, process=None) as pipeline:
        frames = iter(pipeline)
        next(frames)
        if how == "another-pass":
            assert len(list(pipeline)) == 9
    assert pipeline_threads() == []
    assert next(frames, None) is None


def test_an_error_of_a_source_comes_after_the_frames_before_it(predictor):
    found = []

    def read():
        for frame, _ in LanePipeline(EndlessSource(broken_at=3), predictor=predictor, follow=False):
            found.append(frame.index)

    with pytest.raises(ValueError, match="frame 3 is no frame"):
        read()
    assert found == [0, 1, 2]


def test_unrelated_pictures_are_not_followed(predictor, tmp_path):
    for number in range(2):
        write_picture(tmp_path / f"photos/{number}.png", make_picture((64, 160), seed=number))
    assert LanePipeline(tmp_path / "photos", predictor=predictor).follower is None
    assert LanePipeline(tmp_path / "photos", predictor=predictor, follow=False).follower is None
    found = list(LanePipeline(tmp_path / "photos", predictor=predictor))
    assert all(lane.track_id is None for _, prediction in found for lane in prediction.lanes)


def test_a_drive_is_followed(predictor, video):
    pipeline = LanePipeline(video, predictor=predictor)
    assert isinstance(pipeline.follower, LaneFollower)
    for _, prediction in pipeline:
        assert prediction.road is not None
        ids = [lane.track_id for lane in prediction.lanes]
        assert None not in ids
        assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", ["batch_size", "depth"])
def test_sizes_below_one_are_refused(predictor, video, name):
    with pytest.raises(ValueError, match=f"{name}: expected at least 1, got 0"):
        LanePipeline(video, predictor=predictor, **{name: 0})
