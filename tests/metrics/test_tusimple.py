import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.lanes.tusimple_files import read_tusimple, write_tusimple
from lanenet_sad.metrics.tusimple import (
    TuSimpleMetric,
    TuSimpleScore,
    score_frame,
    score_tusimple_files,
    score_tusimple_frames,
)

ROWS = np.arange(240.0, 720.0, 10.0)
KINDS = [
    *("perfect", "jitter2", "jitter8", "jitter25", "offset", "dropped", "extra", "gaps"),
    *("overlong", "slow", "duplicated", "empty", "shuffled", "merged", "negatives", "mixed"),
]
ERRORS = [
    *("no_raw_file", "no_lanes", "no_run_time", "too_few", "too_many", "unknown_file", "short_lane", "repeated_file"),
    *("not_json", "blank_last_line", "string_in_lane", "null_run_time", "lanes_null", "all_slow"),
    *("no_lanes_predicted", "extra_key"),
]


def straight(x: float, count: int = len(ROWS)) -> Lane:
    """A vertical lane at x over the lowest `count` of the row anchors."""
    return Lane(np.stack([np.full(count, x), ROWS[::-1][:count]], axis=1))


def frame(*lanes: Lane, run_time: float = 0.0, rows: np.ndarray | None = ROWS) -> LanePrediction:
    return LanePrediction(lanes, (720, 1280), "clips/1/20.jpg", rows, run_time)


def scored(prediction: LanePrediction, truth: LanePrediction) -> TuSimpleScore:
    metric = TuSimpleMetric()
    metric.update(prediction, truth)
    return metric.compute()


def unzipped(source: Path, folder: Path) -> Path:
    """The file as plain text, wherever it is stored with or without gzip."""
    if source.exists():
        return source
    target = folder / source.name
    target.write_bytes(gzip.decompress(source.with_name(source.name + ".gz").read_bytes()))
    return target


def official(score: TuSimpleScore) -> list[float | None]:
    return [score.accuracy, score.false_positives, score.false_negatives]


@pytest.mark.official
@pytest.mark.parametrize("kind", KINDS)
def test_files_score_as_the_official_tool(shared: Path, tmp_path: Path, kind: str) -> None:
    root = shared / "goldens" / "tusimple"
    expected = json.loads((root / "expected.json").read_text())
    assert set(expected) == set(KINDS)
    labels = unzipped(root / "labels.json", tmp_path)
    predictions = unzipped(root / f"pred_{kind}.json", tmp_path)
    frames = score_tusimple_frames(labels, predictions)
    np.testing.assert_allclose(frames.figures, expected[kind]["per_image"], rtol=0, atol=6e-10)
    overall = expected[kind]["overall"]
    np.testing.assert_allclose(
        official(score_tusimple_files(labels, predictions)),
        [overall["Accuracy"], overall["FP"], overall["FN"]],
        rtol=0,
        atol=1e-12,
    )


@pytest.mark.official
@pytest.mark.parametrize("kind", KINDS)
def test_metric_on_lanes_in_memory_scores_as_the_official_tool(shared: Path, tmp_path: Path, kind: str) -> None:
    root = shared / "goldens" / "tusimple"
    overall = json.loads((root / "expected.json").read_text())[kind]["overall"]
    truths = {truth.name: truth for truth in read_tusimple(unzipped(root / "labels.json", tmp_path))}
    rows = {name: truth.row_anchors for name, truth in truths.items()}
    metric = TuSimpleMetric()
    for prediction in read_tusimple(unzipped(root / f"pred_{kind}.json", tmp_path), row_anchors=rows):
        metric.update(prediction, truths[prediction.name])
    figures = [overall["Accuracy"], overall["FP"], overall["FN"]]
    np.testing.assert_allclose(official(metric.compute()), figures, rtol=0, atol=1e-12)


@pytest.mark.official
@pytest.mark.parametrize("case", ERRORS)
def test_bad_files_give_the_official_text_and_the_place(shared: Path, case: str) -> None:
    root = shared / "goldens" / "tusimple" / "errors"
    cases = json.loads((root / "expected.json").read_text())
    assert set(cases) == set(ERRORS)
    if "result" in cases[case]:
        result = cases[case]["result"]
        score = score_tusimple_files(root / "labels.json", root / f"{case}.json")
        assert official(score) == pytest.approx([result["Accuracy"], result["FP"], result["FN"]], abs=1e-12)
        return
    with pytest.raises(ValueError) as caught:
        score_tusimple_files(root / "labels.json", root / f"{case}.json")
    assert str(caught.value).startswith(cases[case]["error"])
    assert f"{case}.json" in str(caught.value)
    assert "line" in str(caught.value)


def test_perfect_prediction_scores_one() -> None:
    truth = frame(straight(300), straight(600, 20))
    assert official(scored(truth, truth)) == [1.0, 0.0, 0.0]


def test_no_prediction_misses_every_lane() -> None:
    assert official(scored(frame(), frame(straight(300), straight(600)))) == [0.0, 0.0, 1.0]


def test_order_of_predictions_does_not_matter() -> None:
    truth = frame(straight(300), straight(600, 20), straight(900, 30))
    swapped = frame(*reversed(truth.lanes))
    assert scored(swapped, truth) == scored(truth, truth)


@pytest.mark.parametrize(("offset", "accuracy"), [(19.9, 1.0), (20.0, 0.0), (-19.9, 1.0)], ids=["in", "at", "left"])
def test_limit_of_an_upright_lane_is_twenty_pixels(offset: float, accuracy: float) -> None:
    assert scored(frame(straight(300 + offset)), frame(straight(300))).accuracy == accuracy


def test_limit_widens_with_the_slope_of_the_label() -> None:
    tilted = Lane(np.stack([300 + ROWS, ROWS], axis=1)[::-1])  # 45 degrees: 20 / cos = 28.3 px
    beside = Lane(tilted.points + np.array([28.0, 0.0]))
    assert scored(frame(beside), frame(tilted)).accuracy == 1.0


def test_rows_where_both_are_absent_count_as_right() -> None:
    truth, prediction = frame(straight(300, 24)), frame(straight(300, 12))
    assert scored(prediction, truth).accuracy == pytest.approx(36 / 48)


def test_a_gap_at_row_anchors_stays_a_gap() -> None:
    points = straight(300).points
    gap = frame(Lane(np.delete(points, slice(10, 22), axis=0)))
    assert scored(gap, frame(straight(300))).accuracy == pytest.approx(36 / 48)
    free = LanePrediction(gap.lanes, gap.image_size)  # a free polyline is sampled across its gap
    assert scored(free, frame(straight(300))).accuracy == 1.0


def test_free_polyline_is_sampled_at_the_labels_rows() -> None:
    free = LanePrediction((Lane(np.array([[300.0, 719.0], [300.0, 231.0]])),), (720, 1280))
    assert scored(free, frame(straight(300))).accuracy == 1.0


def test_one_prediction_for_several_labels_makes_false_positives_negative() -> None:
    truth = frame(straight(300), straight(305), straight(310))
    assert scored(frame(straight(305)), truth).false_positives == -2.0


@pytest.mark.parametrize(("run_time", "accuracy"), [(0.2, 1.0), (0.201, 0.0)], ids=["in-time", "late"])
def test_slow_frames_score_nothing(run_time: float, accuracy: float) -> None:
    truth = frame(straight(300))
    assert scored(frame(straight(300), run_time=run_time), truth).accuracy == accuracy


@pytest.mark.parametrize(("extra", "accuracy"), [(2, 1.0), (3, 0.0)], ids=["allowed", "too-many"])
def test_more_than_two_surplus_predictions_score_nothing(extra: int, accuracy: float) -> None:
    lanes = [straight(300), *(straight(700 + 50 * i) for i in range(extra))]
    assert scored(frame(*lanes), frame(straight(300))).accuracy == accuracy


def test_fifth_label_is_forgiven() -> None:
    labels = [straight(100 + 200 * i) for i in range(5)]
    assert official(scored(frame(*labels[:4]), frame(*labels))) == [1.0, 0.0, 0.0]


def test_frame_without_labels_and_predictions_is_neither_right_nor_wrong() -> None:
    none = np.zeros((0, len(ROWS)))
    assert score_frame(none, none, ROWS, 0.0) == (0.0, 0.0, 0.0)


def test_merged_parts_equal_the_whole() -> None:
    truth = frame(straight(300), straight(600))
    predictions = [frame(straight(300)), frame(straight(600), straight(620)), frame()]
    whole, left, right = TuSimpleMetric(), TuSimpleMetric(), TuSimpleMetric()
    for number, prediction in enumerate(predictions):
        whole.update(prediction, truth)
        (left if number == 0 else right).update(prediction, truth)
    left.merge(right)
    assert left.compute() == whole.compute()
    assert left.compute().num_images == 1  # three predictions of one frame: the official tool counts names


def test_frames_without_a_name_count_one_by_one() -> None:
    truth, metric = replace(frame(straight(300)), name=""), TuSimpleMetric()
    for _ in range(3):
        metric.update(truth, truth)
    assert metric.compute().num_images == 3


def test_written_predictions_score_as_in_memory(tmp_path: Path) -> None:
    truth = frame(straight(300), straight(600, 30))
    prediction = frame(straight(310), straight(650, 25))
    labels = {"raw_file": truth.name, "h_samples": ROWS.tolist(), "lanes": [[300] * 48, [-2] * 18 + [600] * 30]}
    (tmp_path / "labels.json").write_text(json.dumps(labels) + "\n")
    write_tusimple(tmp_path / "predictions.json", [prediction])
    from_files = score_tusimple_files(tmp_path / "labels.json", tmp_path / "predictions.json")
    assert from_files == scored(prediction, truth)


def test_no_frames_are_undefined() -> None:
    score = TuSimpleMetric().compute()
    assert score.to_dict() == {"metric": "TuSimple accuracy", "num_images": 0, "accuracy": None, "fp": None, "fn": None}
    assert score.value == 0.0
    assert str(score).split()[-3:] == ["-", "-", "-"]


def test_table_and_json_name_the_figures_as_the_official_tool() -> None:
    score = TuSimpleScore(0.9664, 0.0602, 0.0205, 2782)
    assert str(score).splitlines()[1:] == ["  Accuracy        FP        FN", "    0.9664    0.0602    0.0205"]
    assert json.loads(json.dumps(score.to_dict()))["accuracy"] == score.value == 0.9664


def test_label_without_rows_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"label of clips/1/20.jpg: expected row anchors"):
        TuSimpleMetric().update(frame(), frame(rows=None))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json: there is no such file"):
        score_tusimple_files(tmp_path / "labels.json", tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    "label",
    [{"raw_file": "a", "lanes": []}, {"raw_file": "a", "lanes": [[1, 2]], "h_samples": [1]}, 5],
    ids=["no-rows", "short-lane", "no-object"],
)
def test_broken_label_file_is_named_with_its_line(tmp_path: Path, label: object) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(label) + "\n")
    (tmp_path / "p.json").write_text('{"raw_file": "a", "lanes": [], "run_time": 1}\n')
    with pytest.raises(ValueError, match=r"TuSimple label .*labels\.json, line 1: expected raw_file, h_samples and"):
        score_tusimple_files(tmp_path / "labels.json", tmp_path / "p.json")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
NUMBERS = st.integers(-3, 700) | st.floats(-1e9, 1e9) | st.sampled_from([10**400, float("nan"), True, None])
LANES = st.lists(st.lists(NUMBERS, max_size=3), max_size=7) | ANYTHING
LINES = st.fixed_dictionaries(
    {},
    optional={
        "raw_file": st.sampled_from(["a", "b"]) | ANYTHING,
        "lanes": LANES,
        "h_samples": st.lists(NUMBERS, max_size=3) | ANYTHING,
        "run_time": NUMBERS | ANYTHING,
    },
)


FILES = st.tuples(st.lists(LINES | ANYTHING, max_size=3), st.sampled_from([b"", b"", b"{", b"\xff", b"\n[]"]))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILES, FILES, st.booleans())
def test_any_lines_give_a_score_or_the_documented_error(tmp_path: Path, labels, predictions, allow_missing) -> None:
    for name, (lines, rest) in (("labels.json", labels), ("found.json", predictions)):
        (tmp_path / name).write_bytes("".join(json.dumps(line) + "\n" for line in lines).encode() + rest)
    told = ".json"
    try:
        told += str(
            score_tusimple_files(tmp_path / "labels.json", tmp_path / "found.json", allow_missing=allow_missing)
        )
    except ValueError as error:
        told = str(error)
    assert ".json" in told
