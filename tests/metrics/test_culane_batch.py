"""Many images at a time: the same figures as image by image."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.files import read_culane_lines
from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.metrics import culane_batch
from lanenet_sad.metrics.culane import CULaneMetric
from lanenet_sad.metrics.culane_batch import compare_batch, count_batch, score_culane_lists
from lanenet_sad.metrics.culane_files import LABELS, PREDICTIONS, LaneBatch, read_lane_files


def random_image(rng: np.random.Generator):
    """A few lanes of every kind: bent, short, single points, repeated points, beyond the picture, far away."""

    def lane():
        kind = rng.integers(0, 10)
        points = np.cumsum(rng.normal(0, [25, 30], (rng.integers(0, 12), 2)), axis=0) + rng.uniform(-60, [400, 250])
        if kind == 0 and len(points) > 1:
            points[1] = points[0]
        if kind == 1:
            points = points * 1e4
        return points.astype(np.float32).astype(np.float64)

    def near(points):
        return (points + rng.normal(0, 4, points.shape)).astype(np.float32).astype(np.float64)

    truth = [lane() for _ in range(rng.integers(0, 5))]
    prediction = [near(points) for points in truth if rng.random() < 0.8] + [lane() for _ in range(rng.integers(0, 3))]
    return truth, prediction


def as_prediction(lanes, size=(200, 350)) -> LanePrediction:
    return LanePrediction(tuple(Lane(points) for points in lanes), size)


@pytest.mark.parametrize("lane_width", [2, 7, 30, 52, 60], ids=lambda width: f"{width}px")
@pytest.mark.parametrize("matching", ["official", "optimal"])
def test_a_batch_equals_image_by_image(lane_width: int, matching) -> None:
    rng = np.random.default_rng(lane_width)
    images = [random_image(rng) for _ in range(40)]
    metric = CULaneMetric(lane_width=lane_width, canvas_size=(200, 350), matching=matching)
    batch = LaneBatch.of([(str(n), *lanes) for n, lanes in enumerate(images)])
    compared = compare_batch(batch, metric)
    for image, (truth, prediction), found in zip(range(40), images, compared.images, strict=True):
        expected = metric.compare(as_prediction(prediction), as_prediction(truth))
        np.testing.assert_array_equal(found.ious, expected.ious)
        assert found.pairs == expected.pairs
        assert [len(lane) for lane in batch.lanes(image, LABELS)] == [len(lane) for lane in truth]
        assert [len(lane) for lane in batch.lanes(image, PREDICTIONS)] == [len(lane) for lane in prediction]
    assert sum(ious.size for ious, _ in compared.images) > 100
    one_by_one, at_once = metric.empty(), metric.empty()
    for truth, prediction in images:
        one_by_one.update(as_prediction(prediction), as_prediction(truth))
    count_batch(batch, compared.matched, at_once, None)
    assert at_once.compute() == one_by_one.compute()


def test_images_of_mixed_sizes_are_scaled_to_the_canvas_width() -> None:
    rng = np.random.default_rng(3)
    images = [random_image(rng) for _ in range(20)]
    sizes = rng.integers(100, 500, (20, 2))
    metric = CULaneMetric(canvas_width=820)
    compared = compare_batch(LaneBatch.of([("", *lanes) for lanes in images]), metric, sizes)
    for (truth, prediction), size, found in zip(images, sizes.tolist(), compared.images, strict=True):
        expected = metric.compare(as_prediction(prediction, tuple(size)), as_prediction(truth, tuple(size)))
        np.testing.assert_array_equal(found.ious, expected.ious)


def test_processes_and_parts_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = write_files(tmp_path, 30)
    lists = {"a": names[:13], "b": names[13:]}
    plain = CULaneMetric()
    list(score_culane_lists(tmp_path / "labels", tmp_path / "found", lists, plain))
    monkeypatch.setattr(culane_batch, "_CHUNK", 4)
    monkeypatch.setattr(culane_batch, "_WORTH_COMPILING", 0)
    for workers in (1, 2):
        metric = CULaneMetric()
        options = {"num_workers": workers, "keep_lanes": True}
        parts = list(score_culane_lists(tmp_path / "labels", tmp_path / "found", lists, metric, **options))
        assert metric.compute() == plain.compute()
        assert [name for part in parts for name in part.batch.names] == names
        assert [part.category for part in parts] == ["a"] * 4 + ["b"] * 5
    assert plain.compute().num_images == 30


def test_odd_lanes_are_told_with_their_images(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "found").mkdir()
    (tmp_path / "labels/1.lines.txt").write_text("1 2 3 4 5\n\n7 8\n")
    (tmp_path / "found/1.lines.txt").write_text("1 2 nan 4\n1 2 1 2 3 4\n1 9 2 5 3 8\n1 2 3 4 word\n5 6 7 8 9\n")
    read = read_lane_files(tmp_path / "labels", tmp_path / "found", ["/1.jpg", "/2.jpg"])
    assert read.missing == (["/2.jpg"], ["/2.jpg"])
    assert {(side, what.split()[1]): number for (side, what), number in read.oddities.counts.items()} == {
        (LABELS, "an"): 1,  # with an unpaired last number
        (LABELS, "points"): 1,
        (LABELS, "a"): 1,  # with a single point
        (PREDICTIONS, "short"): 2,
        (PREDICTIONS, "an"): 1,
        (PREDICTIONS, "a"): 1,
        (PREDICTIONS, "repeated"): 1,
        (PREDICTIONS, "turn"): 1,
    }
    assert all("/1.jpg" in sentence for sentence in read.oddities.sentences())
    assert [len(lane) for lane in read.batch.lanes(0, LABELS)] == [2, 0, 1]
    assert [len(lane) for lane in read.batch.lanes(0, PREDICTIONS)] == [1, 3, 3, 2, 2]


ODD_NUMBERS = ["1-2 3 4\n", "1_0 2 3 4\n", "1e999 2\n3 4 5 6\n", "+1 .5 inf 3\n", "\u0663 2 3 4\n"]


@pytest.mark.parametrize("text", ["1 2 3 4\r\n5 6", "1e2 3.5e-1\n", "\n\n", "", *ODD_NUMBERS])
def test_numbers_are_read_as_one_file_at_a_time(tmp_path: Path, text: str) -> None:
    (tmp_path / "1.lines.txt").write_text(text, newline="")
    batch = read_lane_files(tmp_path, tmp_path, ["1.jpg"]).batch
    expected = [lane.points.tolist() for lane in read_culane_lines(tmp_path / "1.lines.txt")]
    assert [lane.tolist() for lane in batch.lanes(0, LABELS)] == expected


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=120), st.text("0123456789.-+eEnaif_ \t\r\n", max_size=60).map(str.encode)))
def test_any_bytes_are_read_as_one_file_at_a_time(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "1.lines.txt").write_bytes(data)
    read = read_lane_files(tmp_path, tmp_path, ["1.jpg"])
    expected = [lane.points.tolist() for lane in read_culane_lines(tmp_path / "1.lines.txt")]
    assert [lane.tolist() for lane in read.batch.lanes(0, LABELS)] == expected
    assert all(isinstance(sentence, str) for sentence in read.oddities.sentences())


def write_files(root: Path, number: int) -> list[str]:
    rng = np.random.default_rng(number)
    names = []
    for n in range(number):
        lanes = [
            np.stack([x + np.arange(12) * slope, 580 - np.arange(12) * 25], axis=1)
            for x, slope in rng.normal([800, 0], [400, 12], (4, 2))
        ]
        for folder, noise in (("labels", 0), ("found", 6)):
            path = root / folder / "clip" / f"{n}.lines.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            moved = [lane + rng.normal(0, noise, lane.shape) for lane in lanes if not noise or rng.random() < 0.9]
            path.write_text("".join(" ".join(f"{v:.2f}" for v in lane.ravel()) + "\n" for lane in moved))
        names.append(f"/clip/{n}.jpg")
    return names
