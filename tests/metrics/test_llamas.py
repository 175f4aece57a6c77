import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.lanes.llamas_markers import LLAMAS_LANES, LLAMAS_SIZE, parse_llamas_label
from lanenet_sad.metrics.llamas import LLAMASMetric, predicted_curve, score_llamas_files
from lanenet_sad.metrics.llamas_files import pair_llamas_files
from lanenet_sad.metrics.polyline_files import read_polylines

fuzzing = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ROWS = np.arange(717.0)
IMAGE = "rec/1.2_3"
DASHES = [
    {
        "pixel_start": {"x": near[0], "y": near[1]},
        "pixel_end": {"x": far[0], "y": far[1]},
        "world_start": {"z": 5},
    }
    for near, far in (((600, 700), (610, 660)), ((620, 620), (625, 600)))
]
LABEL = json.dumps({"lanes": [{"lane_id": "l0", "markers": DASHES}]})


def upright(x: float, top: int = 300) -> Lane:
    """A lane at one x, with a point in every row from the bottom up to `top`."""
    rows = np.arange(716.0, top - 1, -1)
    return Lane(np.stack([np.full(len(rows), x), rows], axis=1))


def lanes(*parts: Lane, size: tuple[int, int] = LLAMAS_SIZE) -> LanePrediction:
    return LanePrediction(parts, size, IMAGE)


def counted(prediction: LanePrediction, truth: LanePrediction) -> tuple[int, int, int]:
    metric = LLAMASMetric()
    metric.update(prediction, truth)
    counts = metric.compute().totals[0.5]
    return counts.tp, counts.fp, counts.fn


def row_lane(x: float, top: int = 300) -> list[float]:
    return [-1.0] * top + [x] * (717 - top)


def row_image(**xs: float) -> dict[str, list[float]]:
    return {lane: row_lane(xs[lane]) if lane in xs else [-1.0] * 717 for lane in LLAMAS_LANES}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.official
def test_files_score_as_the_official_script(shared: Path) -> None:
    root = shared / "goldens" / "llamas"
    expected = json.loads((root / "expected_culane_metric.json").read_text())
    thresholds = [float(threshold) for threshold in expected["overall"]]
    score = score_llamas_files(root / "labels.json", root / "pred", iou_thresholds=thresholds)
    for threshold, official in expected["overall"].items():
        assert score.totals[float(threshold)].to_dict() == pytest.approx(official, abs=1e-12)
    assert {image.name for image in score.images} == set(expected["images"])
    for image in score.images:
        official = expected["images"][image.name]["counts"]
        assert [[c.tp, c.fp, c.fn] for c in image.counts] == list(official.values())


@pytest.mark.official
def test_ious_are_those_of_the_official_script(shared: Path) -> None:
    root = shared / "goldens" / "llamas"
    expected = json.loads((root / "expected_culane_metric.json").read_text())["images"]
    pairs = list(pair_llamas_files(root / "labels.json", root / "pred", names=None, allow_missing=False))
    assert len(pairs) == len(expected)
    for name, truth, path in pairs:
        assert path is not None
        ious = LLAMASMetric().compare_rows(read_polylines(path, "prediction"), truth).ious
        np.testing.assert_allclose(ious.T, expected[name]["iou_pred_x_gt"], rtol=0, atol=6e-10)


@pytest.mark.official
def test_lanes_in_memory_score_as_files(shared: Path) -> None:
    root = shared / "goldens" / "llamas"
    metric = LLAMASMetric()
    for name, truth, path in pair_llamas_files(root / "labels.json", root / "pred", names=None, allow_missing=False):
        assert path is not None
        rows = [np.flatnonzero(x >= 0)[::-1] for x in truth]  # near to far
        labelled = [Lane(np.stack([x[y], y.astype(float)], axis=1)) for x, y in zip(truth, rows, strict=True)]
        predicted = [Lane(points) for points in read_polylines(path, "prediction")]
        metric.update(lanes(*predicted), LanePrediction(tuple(labelled), LLAMAS_SIZE, name))
    assert metric.compute() == score_llamas_files(root / "labels.json", root / "pred")


def test_perfect_prediction_finds_all() -> None:
    assert counted(lanes(upright(300), upright(900)), lanes(upright(900), upright(300))) == (2, 0, 0)


def test_empty_prediction_misses_all_and_empty_label_makes_all_false() -> None:
    assert counted(lanes(), lanes(upright(300))) == (0, 0, 1)
    assert counted(lanes(upright(300)), lanes()) == (0, 1, 0)
    assert counted(lanes(), lanes()) == (0, 0, 0)


@pytest.mark.parametrize(("shift", "found"), [(9, 1), (11, 0)], ids=["near", "off"])
def test_shift_of_a_lane_31_pixels_wide(shift: float, found: int) -> None:
    # OpenCV draws 31 columns at a width of 30: (31 - 9) / (31 + 9) = 0.55 and (31 - 11) / (31 + 11) = 0.48
    assert counted(lanes(upright(300 + shift)), lanes(upright(300)))[0] == found


def test_coordinates_are_truncated() -> None:
    compared = LLAMASMetric().compare(lanes(upright(300.99)), lanes(upright(300)))
    assert compared.ious[0, 0] == 1.0


def test_label_counts_from_row_300_on() -> None:
    cut, whole = (LLAMASMetric().compare(lanes(upright(300)), lanes(upright(300, top))) for top in (300, 100))
    assert cut.ious == whole.ious > 0.95


def test_label_above_row_300_counts_and_matches_nothing() -> None:
    high = Lane(np.array([[300.0, 200.0], [300.0, 299.0]]))
    assert counted(lanes(high), lanes(high)) == (0, 1, 1)


def test_single_points_are_no_lanes_but_repeated_ones_are() -> None:
    single, repeated = Lane(np.array([[300.0, 500.0]])), Lane(np.array([[300.0, 500.0]] * 3))
    assert counted(lanes(single), lanes(single)) == (0, 0, 0)
    assert counted(lanes(repeated), lanes()) == (0, 1, 0)
    assert counted(lanes(repeated), lanes(upright(300))) == (0, 1, 1)


def test_curve_of_three_points_is_a_parabola_and_of_two_a_line() -> None:
    np.testing.assert_allclose(predicted_curve(np.array([[0.0, 0.0], [49.0, 98.0]]))[:, 0], np.arange(50.0))
    curve = predicted_curve(np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0], [0.0, 8.0]]))
    u = np.linspace(-1, 1, 50)
    np.testing.assert_allclose(curve, np.stack([3 - 3 * u**2, 4 + 4 * u], axis=1), atol=1e-9)


def test_points_that_no_spline_joins_are_named() -> None:
    with pytest.raises(ValueError, match="no spline goes through it"):
        counted(lanes(Lane(np.array([[0.0, 0.0], [1e-300, 0.0], [5.0, 5.0]]))), lanes(upright(300)))


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"label of rec/1\.2_3: expected lanes of a picture of 717x1276 .* got 590x1640"
    ):
        LLAMASMetric().update(lanes(), lanes(size=(590, 1640)))


def test_merged_parts_equal_the_whole() -> None:
    whole, left, right = LLAMASMetric(), LLAMASMetric(), LLAMASMetric()
    for shift, side in ((0, left), (40, right)):
        for metric in (whole, side):
            metric.update(lanes(upright(300 + shift)), lanes(upright(300)))
    left.merge(right)
    assert left.compute() == whole.compute()
    with pytest.raises(ValueError, match="same settings"):
        left.merge(LLAMASMetric(lane_width=10))


def test_table_and_json_have_zeros_where_nothing_was_found() -> None:
    metric = LLAMASMetric(iou_thresholds=(0.5, 0.75))
    metric.update(lanes(), lanes(upright(300)))
    score = metric.compute()
    assert score.value == 0.0
    assert str(score).splitlines()[-1].split() == ["0.75", "0", "0", "1", "0.0000", "0.0000", "0.0000"]
    assert score.to_dict()["results"][1] == {
        **dict.fromkeys(("tp", "fp", "precision", "recall", "f1"), 0),
        "iou_threshold": 0.75,
        "lane_width": 30,
        "fn": 1,
    }


@pytest.mark.parametrize("bad", [{"iou_thresholds": ()}, {"iou_thresholds": (1.0,)}, {"lane_width": 0}])
def test_settings_are_checked(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        LLAMASMetric(**bad)


def test_markers_and_rows_of_one_label_score_alike(tmp_path: Path) -> None:
    write(tmp_path / "labels" / "valid" / f"{IMAGE}.json", LABEL)
    rows = [-1 if np.isnan(x) else x for x in parse_llamas_label(LABEL)[1]]
    table = write(tmp_path / "rows.json", {IMAGE: {**row_image(), "l0": rows}})
    write(tmp_path / "predictions" / f"{IMAGE}.lines.txt", "596 716 610 660 625 600\n")
    scores = [score_llamas_files(at, tmp_path / "predictions") for at in (tmp_path / "labels" / "valid", table)]
    assert scores[0] == scores[1]
    assert scores[0].totals[0.5].tp == 1
    assert score_llamas_files(tmp_path / "labels", tmp_path / "predictions").totals == scores[0].totals
    written = tmp_path / "predictions" / f"{IMAGE}.lines.txt"
    for names in ([IMAGE], [f"{IMAGE}.json"], [f"{IMAGE}_color_rect.png"]):
        assert score_llamas_files(table, tmp_path / "predictions", names=names) == scores[0]
        written = written.rename(written.with_name("1.2_3_color_rect.lines.txt"))


def test_missing_files_are_named_and_counted(tmp_path: Path) -> None:
    table = write(tmp_path / "rows.json", {f"rec/{number}": row_image(l0=500) for number in range(5)})
    write(tmp_path / "predictions" / "rec" / "0.lines.txt", "500 716 500 300\n")
    with pytest.raises(FileNotFoundError, match=r"predictions: 4 of 5 files are missing: .*rec/1\.lines\.txt, .* …"):
        score_llamas_files(table, tmp_path / "predictions")
    score = score_llamas_files(table, tmp_path / "predictions", allow_missing=True)
    assert (score.num_missing, score.totals[0.5].tp, score.totals[0.5].fn) == (4, 1, 4)
    with pytest.raises(FileNotFoundError, match="1 of 1 images are missing: rec/9"):
        score_llamas_files(table, tmp_path / "predictions", names=["rec/9"])
    with pytest.raises(FileNotFoundError, match=r"nowhere, but there is none"):
        score_llamas_files(tmp_path / "nowhere", tmp_path / "predictions")


@pytest.mark.parametrize("line", ["1 2 3", "1 2 x 4", "nan 1 2 3", "inf 1 2 3"])
def test_broken_predictions_are_named(tmp_path: Path, line: str) -> None:
    table = write(tmp_path / "rows.json", {IMAGE: row_image(l0=500)})
    write(tmp_path / "predictions" / f"{IMAGE}.lines.txt", f"500 716 500 300\n{line}\n")
    with pytest.raises(ValueError, match=r"LLAMAS prediction .*1\.2_3\.lines\.txt"):
        score_llamas_files(table, tmp_path / "predictions")


numbers = st.lists(st.floats() | st.integers(-2000, 2000), max_size=9)


@fuzzing
@given(
    data=st.binary(max_size=60)
    | st.lists(numbers, max_size=3).map(lambda lines: "\n".join(" ".join(map(str, line)) for line in lines).encode())
)
def test_any_bytes_as_predictions_give_the_error_or_a_score(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.lines.txt"
    path.write_bytes(data)
    try:
        predicted = read_polylines(path, "LLAMAS prediction")
        compared = LLAMASMetric().compare_rows(predicted, np.array([row_lane(500.0)]))
        outcome = "finite IoUs" if np.isfinite(compared.ious).all() else ""
    except ValueError as error:
        outcome = str(error)
    assert any(text in outcome for text in ("a.lines.txt", "no spline", "finite IoUs"))
