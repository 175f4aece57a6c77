import json
from pathlib import Path

import numpy as np
import pytest

from lanenet_sad.lanes.files import write_culane_lines
from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.metrics.culane import CULANE_CANVAS, CULaneMetric, lane_ious
from lanenet_sad.metrics.culane_batch import score_culane_files
from lanenet_sad.metrics.culane_score import CULaneCounts, CULaneScore


def upright(x: float, top: float = 300.0) -> Lane:
    return Lane(np.stack([np.full(8, x), np.linspace(589, top, 8)], axis=1))


def moved(lane: Lane, right: float) -> Lane:
    return Lane(lane.points + np.array([right, 0.0]))


def picture(*lanes: Lane, size: tuple[int, int] = CULANE_CANVAS) -> LanePrediction:
    return LanePrediction(lanes, size, "a.jpg")


def counted(prediction: LanePrediction, truth: LanePrediction, **settings: object) -> CULaneCounts:
    metric = CULaneMetric(**settings)  # type: ignore[arg-type]
    metric.update(prediction, truth)
    return metric.compute().totals[metric.iou_thresholds[0]]


TWO = (upright(400), upright(900))


@pytest.mark.parametrize(
    ("prediction", "truth", "expected"),
    [
        (TWO, TWO, (2, 0, 0)),
        (TWO[::-1], TWO, (2, 0, 0)),
        ((), TWO, (0, 0, 2)),
        (TWO, (), (0, 2, 0)),
        ((), (), (0, 0, 0)),
        (TWO[:1], TWO, (1, 0, 1)),
        ((*TWO, upright(420)), TWO, (2, 1, 0)),
        ((Lane(np.zeros((0, 2))), Lane(np.array([[5.0, 5.0]]))), TWO, (0, 2, 2)),
    ],
    ids=["perfect", "swapped", "no-prediction", "no-label", "nothing", "one-missed", "one-extra", "without-curve"],
)
def test_counts_of_hand_made_images(
    prediction: tuple[Lane, ...], truth: tuple[Lane, ...], expected: tuple[int, int, int]
) -> None:
    assert counted(picture(*prediction), picture(*truth)) == CULaneCounts(*expected)


def test_iou_of_parallel_lanes_is_that_of_their_bands() -> None:
    inside = Lane(np.array([[400.0, 700.0], [400.0, 500.0], [400.0, -100.0]]))
    ious = lane_ious([inside.points], [moved(inside, 10.0).points], CULANE_CANVAS, 30)
    assert ious[0, 0] == pytest.approx(21 / 41)  # OpenCV's line of thickness 30 is 31 px wide


def test_iou_must_exceed_the_threshold() -> None:
    inside = Lane(np.array([[400.0, 700.0], [400.0, 500.0], [400.0, -100.0]]))
    shifted = moved(inside, 10.0)
    assert counted(picture(shifted), picture(inside), iou_thresholds=(21 / 41,)).tp == 0
    assert counted(picture(shifted), picture(inside), iou_thresholds=(np.nextafter(21 / 41, 0),)).tp == 1


def test_lanes_off_the_canvas_have_no_defined_iou_and_never_match() -> None:
    off = upright(5000)
    assert np.isnan(lane_ious([off.points], [off.points], CULANE_CANVAS, 30)).all()
    assert counted(picture(off), picture(off)) == CULaneCounts(0, 1, 1)


def test_canvas_width_scales_every_image_to_it() -> None:
    small = picture(upright(400).scaled(0.5), size=(295, 820))
    near = picture(moved(small.lanes[0], 6.0), size=(295, 820))
    assert counted(near, small) == CULaneCounts(1, 0, 0)
    assert counted(near, small, canvas_width=1640) == CULaneCounts(0, 1, 1)  # 12 px away at full width
    assert counted(small, small, canvas_width=1640) == CULaneCounts(1, 0, 0)


def test_canvas_width_gives_the_canvas_the_aspect_of_the_image() -> None:
    low = Lane(np.array([[100.0, 390.0], [100.0, 350.0], [100.0, 310.0]]))  # below row 590 at 1640 px width
    image = picture(low, size=(400, 820))
    assert counted(image, image, canvas_width=1640) == CULaneCounts(1, 0, 0)


def test_canvas_width_refuses_two_image_sizes() -> None:
    with pytest.raises(ValueError, match=r"a\.jpg.*one image size, got \(295, 820\) and \(590, 1640\)"):
        counted(picture(size=(295, 820)), picture(), canvas_width=1640)


@pytest.mark.parametrize(
    "settings",
    [{"iou_thresholds": ()}, {"iou_thresholds": (1.0,)}, {"lane_width": 0}, {"canvas_width": 0}],
    ids=["no-threshold", "threshold-1", "width-0", "canvas-0"],
)
def test_impossible_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"[Ee]xpected"):
        CULaneMetric(**settings)  # type: ignore[arg-type]


def test_merged_parts_equal_the_whole() -> None:
    whole, left, right = (CULaneMetric(iou_thresholds=(0.3, 0.5)) for _ in range(3))
    cases = [(TWO, TWO, "a"), (TWO[:1], TWO, "b"), (TWO, (), None), ((), TWO, "a")]
    for number, (prediction, truth, category) in enumerate(cases):
        for metric in (whole, left if number < 2 else right):
            metric.update(picture(*prediction), picture(*truth), category=category)
    left.merge(right)
    assert left.compute() == whole.compute()
    assert left.compute().categories[0.5] == {"a": CULaneCounts(2, 0, 2), "b": CULaneCounts(1, 0, 1)}
    assert left.compute().totals[0.5] == CULaneCounts(3, 2, 3)


def test_metrics_of_different_settings_do_not_merge() -> None:
    with pytest.raises(ValueError, match=r"expected the same settings"):
        CULaneMetric().merge(CULaneMetric(lane_width=10))


@pytest.mark.parametrize(
    ("counts", "precision", "recall", "f1"),
    [
        (CULaneCounts(3, 1, 2), 0.75, 0.6, 2 / 3),
        (CULaneCounts(0, 1, 0), 0.0, None, None),
        (CULaneCounts(0, 0, 1), None, 0.0, None),
        (CULaneCounts(0, 0, 0), None, None, None),
        (CULaneCounts(0, 2, 2), 0.0, 0.0, 0.0),
    ],
    ids=["usual", "no-label", "no-prediction", "nothing", "all-wrong"],
)
def test_ratios(counts: CULaneCounts, precision: float | None, recall: float | None, f1: float | None) -> None:
    assert counts.precision == precision
    assert counts.recall == recall
    assert counts.f1 == pytest.approx(f1)


def make_score() -> CULaneScore:
    categories = {"test0_normal": CULaneCounts(8, 2, 2), "test7_cross": CULaneCounts(0, 5, 0)}
    return CULaneScore({0.5: CULaneCounts(8, 7, 2)}, {0.5: categories}, lane_width=30, num_images=4)


def test_table_reports_false_positives_alone_for_crossroads() -> None:
    assert str(make_score()).splitlines() == [
        "CULane F1 (%) at IoU > 0.5, lanes 30 px wide, 4 images",
        "category      TP  FP  FN  precision  recall     F1",
        "test0_normal   8   2   2      80.00   80.00  80.00",
        "test7_cross    -   5   -          -       -      -",
        "total          8   7   2      53.33   80.00  64.00",
    ]


def test_json_holds_none_for_the_undefined() -> None:
    score = CULaneMetric(iou_thresholds=(0.5, 0.75)).compute()
    figures = json.loads(json.dumps(score.to_dict()))
    assert figures["results"][1]["f1"] is None
    assert figures["results"][0]["categories"] == {}
    assert "nan" not in str(score).lower()
    assert score.value == 0.0
    assert make_score().to_dict()["results"][0]["categories"]["test7_cross"] == {"fp": 5}
    assert make_score().value == pytest.approx(0.64)


def test_value_is_f1_at_the_first_threshold() -> None:
    metric = CULaneMetric(iou_thresholds=(0.75, 0.3))
    metric.update(picture(moved(TWO[0], 8.0)), picture(TWO[0]))
    score = metric.compute()
    assert (score.totals[0.75].tp, score.totals[0.3].tp) == (0, 1)
    assert score.value == 0.0


def test_missing_files_count_as_no_lanes_and_are_named(tmp_path: Path) -> None:
    labels, found = tmp_path / "labels", tmp_path / "found"
    for name, folders in {"v/1": (labels, found), "v/2": (labels,), "v/3": (found,)}.items():
        for folder in folders:
            write_culane_lines(folder / f"{name}.lines.txt", [upright(400)])
    metric = CULaneMetric()
    missing = score_culane_files(labels, found, ["/v/1.jpg", "/v/2.jpg", "v/3.jpg"], metric)
    assert metric.compute().totals[0.5] == CULaneCounts(1, 1, 1)
    assert missing.predictions == ["/v/2.jpg"]
    assert missing.annotations == ["v/3.jpg"]


def test_files_of_mixed_sizes_need_their_sizes(tmp_path: Path) -> None:
    write_culane_lines(tmp_path / "1.lines.txt", [upright(400)])
    metric = CULaneMetric(canvas_width=820)
    with pytest.raises(ValueError, match=r"image size of 1\.jpg is not given"):
        score_culane_files(tmp_path, tmp_path, ["1.jpg"], metric)
    score_culane_files(tmp_path, tmp_path, ["1.jpg"], metric, image_sizes={"1.jpg": (590, 1640)})
    assert metric.compute().totals[0.5] == CULaneCounts(1, 0, 0)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"predictions: expected the folder .*nowhere"):
        score_culane_files(tmp_path, tmp_path / "nowhere", [], CULaneMetric())


def test_lanes_on_pictures_without_labels_are_counted_apart() -> None:
    metric, other = CULaneMetric(), CULaneMetric()
    metric.update(picture(TWO[0], TWO[1]), picture())
    metric.update(picture(), picture())
    metric.update(picture(TWO[0]), picture(TWO[0]))
    other.update(picture(TWO[0]), picture())
    metric.merge(other)
    score = metric.compute()
    assert (score.num_unmarked, score.false_on_unmarked) == (3, 3)
    assert score.to_dict()["unmarked"] == {"num_images": 3, "fp": 3}
    assert str(score).endswith("3 images have no lane to find: 1.00 false lanes an image")
