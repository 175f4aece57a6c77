import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.metrics.bdd100k import BDD100KMetric, BDD100KScore, compare_lane_pixels, score_bdd100k_files
from lanenet_sad.metrics.bdd100k_lane_marks import (
    SUB_TASKS,
    BDD100KLaneMarkMetric,
    compare_lane_marks,
    score_bdd100k_lane_marks,
)

BACKGROUND = 0b1000
SINGLE_WHITE = 6  # parallel and solid

fuzzing = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def mask(*rows: str) -> np.ndarray:
    """A mask with 255 where the text has a #."""
    return np.array([[255 * (letter == "#") for letter in row] for row in rows], dtype=np.uint8)


def marks(size: tuple[int, int] = (20, 30), column: int | None = None, value: int = SINGLE_WHITE) -> np.ndarray:
    """A lane-mark mask that is background but for one column."""
    array = np.full(size, 255, np.uint8)
    if column is not None:
        array[:, column] = value
    return array


def write_masks(folder: Path, **masks: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in masks.items():
        assert cv2.imwrite(str(folder / f"{name}.png"), array)
    return folder


def lanes(*columns: float, size: tuple[int, int] = (72, 128)) -> LanePrediction:
    upright = [Lane(np.array([[x, size[0] - 1.0], [x, 10.0]])) for x in columns]
    return LanePrediction(tuple(upright), size, "a.jpg")


@pytest.mark.official
def test_binary_masks_score_as_the_official_function(shared: Path) -> None:
    root = shared / "goldens" / "bdd100k" / "binary"
    expected = json.loads((root / "expected.json").read_text())
    score = score_bdd100k_files(root / "gt", root / "pred")
    assert {f"{image.name}.png" for image in score.images} == set(expected["images"])
    for image in score.images:
        official = expected["images"][f"{image.name}.png"]
        assert 100 * image.accuracy == pytest.approx(official["accuracy"], abs=1e-9)
        assert 100 * image.iou == pytest.approx(official["iou"], abs=1e-9)
    mean = expected["mean"]
    assert [score.accuracy, score.iou] == pytest.approx([mean["accuracy"], mean["iou"]], abs=1e-9)


@pytest.mark.official
def test_lane_marks_score_as_the_official_toolkit(shared: Path) -> None:
    root = shared / "goldens" / "bdd100k" / "lane_mark"
    expected = json.loads((root / "expected.json").read_text())
    score = score_bdd100k_lane_marks(root / "gt", root / "pred")
    assert {f"{image.name}.png" for image in score.images} == set(expected["per_image_fraction"])
    for image in score.images:
        for task, figures in zip(SUB_TASKS, image.figures, strict=True):
            official = expected["per_image_fraction"][f"{image.name}.png"][task.name]
            np.testing.assert_allclose(figures, official, rtol=0, atol=1e-12)
    for task in SUB_TASKS:
        assert list(task.classes) == expected["names"][task.name]
        ours = [*score.classes[task.name].values(), score.tasks[task.name]]
        np.testing.assert_allclose(ours, expected["merged_percent"][task.name], rtol=0, atol=1e-10)
    np.testing.assert_allclose(score.average, expected["merged_percent"]["AVERAGE"], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("prediction", "label", "accuracy", "iou"),
    [
        (mask(".##."), mask(".##."), 1.0, 1.0),
        (mask("####"), mask(".##."), 1.0, 0.5),
        (mask("..##"), mask(".##."), 0.5, 1 / 3),
        (mask("...."), mask(".##."), 0.0, 0.0),
        (mask(".##."), mask("...."), 0.0, 0.0),
        (mask("...."), mask("...."), 0.0, 0.0),
    ],
    ids=["perfect", "wide", "one-off", "nothing-found", "nothing-there", "both-empty"],
)
def test_figures_of_two_masks(prediction: np.ndarray, label: np.ndarray, accuracy: float, iou: float) -> None:
    assert compare_lane_pixels(prediction, label, name="a") == ("a", accuracy, pytest.approx(iou))
    assert compare_lane_pixels(prediction // 255, label, name="a")[1] == accuracy  # any value but 0 is lane


def test_mean_is_over_images_not_over_pixels() -> None:
    metric = BDD100KMetric()
    metric.update_masks(mask("#..."), mask("#..."))
    metric.update_masks(mask("...."), mask("####"))
    score = metric.compute()
    assert (score.accuracy, score.iou, score.num_images) == (50.0, 50.0, 2)
    assert score.value == 0.5
    assert str(score).split()[-2:] == ["50.0000", "50.0000"]
    assert json.loads(json.dumps(score.to_dict()))["iou"] == 50.0


def test_no_images_are_undefined() -> None:
    score = BDD100KMetric().compute()
    assert score == BDD100KScore(None, None, 0)
    assert (score.value, str(score).split()[-2:]) == (0.0, ["-", "-"])


def test_drawn_lanes_find_all_and_pay_for_their_width() -> None:
    metric, narrow = BDD100KMetric(), BDD100KMetric(prediction_line_width=2)
    size = (360, 640)
    for one in (metric, narrow):
        one.update(lanes(100, 300, size=size), lanes(100, 300, size=size))
    assert metric.compute().accuracy == narrow.compute().accuracy == narrow.compute().iou == 100.0
    assert 10 < (metric.compute().iou or 0) < 50  # 4 px beside 1 px
    far = BDD100KMetric()
    far.update(lanes(200, size=size), lanes(100, 300, size=size))
    assert (far.compute().accuracy, far.compute().iou) == (0.0, 0.0)


def test_lanes_of_other_picture_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"masks of a\.jpg: expected a prediction of 72x128 pixels .* got 36x64"):
        BDD100KMetric().update(lanes(20, size=(36, 64)), lanes(20))


def test_merged_parts_equal_the_whole() -> None:
    whole, left, right = BDD100KMetric(), BDD100KMetric(), BDD100KMetric()
    for number, side in enumerate((left, right, right)):
        for metric in (whole, side):
            metric.update(lanes(20 + 5 * number), lanes(20))
    left.merge(right)
    assert left.compute() == whole.compute()
    with pytest.raises(ValueError, match="same line widths"):
        left.merge(BDD100KMetric(prediction_line_width=2))


@pytest.mark.parametrize("width", [0, -2])
def test_widths_are_positive(width: int) -> None:
    with pytest.raises(ValueError, match="positive line widths"):
        BDD100KMetric(label_line_width=width)


@pytest.mark.parametrize(
    ("shift", "figures"), [(0, (1, 1, 1)), (1, (1, 1, 1)), (2, (0, 1, 1)), (5, (0, 0, 1)), (6, (0, 0, 0))]
)
def test_boundary_tolerates_a_radius(shift: int, figures: tuple[int, ...]) -> None:
    category = compare_lane_marks(marks(column=10 + shift), marks(column=10)).figures[2]
    assert tuple(category[SINGLE_WHITE]) == figures
    assert (np.delete(category, SINGLE_WHITE, axis=0) == 1).all()  # neither labelled nor predicted


def test_radius_is_that_of_a_disk() -> None:
    label, prediction = marks(), marks()
    label[10, 10] = prediction[14, 14] = SINGLE_WHITE  # 5.7 px away
    assert compare_lane_marks(prediction, label).figures[2][SINGLE_WHITE, 2] == 0
    prediction[13, 14] = SINGLE_WHITE  # 5.0 px away: one of two is right, and the label is found
    assert compare_lane_marks(prediction, label).figures[2][SINGLE_WHITE, 2] == pytest.approx(2 / 3)


@pytest.mark.parametrize("empty", ["prediction", "label"])
def test_class_on_one_side_only_scores_nothing(empty: str) -> None:
    sides = {"prediction_mask": marks(column=10), "label_mask": marks(column=10), f"{empty}_mask": marks()}
    figures = compare_lane_marks(**sides).figures
    assert (figures[2][SINGLE_WHITE] == 0).all()
    assert [task[0].tolist() for task in figures[:2]] == [[0.0, 0.0, 0.0]] * 2


def test_background_bit_hides_whatever_else_is_set() -> None:
    hidden = marks(column=10, value=SINGLE_WHITE | BACKGROUND)
    assert all((task == 1).all() for task in compare_lane_marks(hidden, marks()).figures)


def test_average_is_the_mean_of_the_sub_tasks() -> None:
    metric = BDD100KLaneMarkMetric()
    metric.update_masks(marks(), marks(column=10))
    score = metric.compute()
    assert score.tasks == {"direction": (50.0,) * 3, "style": (50.0,) * 3, "category": (87.5,) * 3}
    assert score.average == pytest.approx((62.5,) * 3)
    assert score.value == pytest.approx(0.625)
    assert str(score).splitlines()[-1].split() == ["AVERAGE", "62.5", "62.5", "62.5"]
    results = json.loads(json.dumps(score.to_dict()))["results"]
    assert [result["radius"] for result in results] == [1, 2, 5]
    assert results[0]["classes"]["category"]["single white"] == 0.0


def test_merged_lane_marks_equal_the_whole() -> None:
    whole, left, right = BDD100KLaneMarkMetric(), BDD100KLaneMarkMetric(), BDD100KLaneMarkMetric()
    for shift, side in ((0, left), (3, right)):
        for metric in (whole, side):
            metric.update_masks(marks(column=10 + shift), marks(column=10))
    left.merge(right)
    assert left.compute().to_dict() == whole.compute().to_dict()
    assert BDD100KLaneMarkMetric().compute().value == 0.0
    assert "AVERAGE" in str(BDD100KLaneMarkMetric().compute())


def test_missing_masks_are_named_and_counted(tmp_path: Path) -> None:
    some = {f"m{number}": mask("#.") for number in range(6)}
    labels = write_masks(tmp_path / "labels", **some)
    predictions = write_masks(tmp_path / "predictions", m0=mask("#."))
    with pytest.raises(FileNotFoundError, match=r"predictions: 5 of 6 files are missing: .*m1\.png, .*m2\.png, .* …"):
        score_bdd100k_files(labels, predictions)
    score = score_bdd100k_files(labels, predictions, allow_missing=True)
    assert (score.num_images, score.num_missing) == (6, 5)
    assert score.accuracy == pytest.approx(100 / 6)
    assert score_bdd100k_files(labels, predictions, names=["m0.jpg"]).accuracy == 100.0
    with pytest.raises(FileNotFoundError, match=r"labels: 1 of 1 files are missing: .*m9\.png"):
        score_bdd100k_files(labels, predictions, names=["m9.jpg"], allow_missing=True)


def test_missing_lane_marks_count_as_zeros(tmp_path: Path) -> None:
    labels = write_masks(tmp_path / "labels", a=marks())
    score = score_bdd100k_lane_marks(labels, write_masks(tmp_path / "predictions"), allow_missing=True)
    assert score.classes["category"]["crosswalk"] == (0.0, 0.0, 0.0)
    assert score.classes["category"]["single white"] == (100.0, 100.0, 100.0)
    assert score.num_missing == 1


@pytest.mark.parametrize("function", [score_bdd100k_files, score_bdd100k_lane_marks])
def test_masks_of_another_size_are_named(tmp_path: Path, function: object) -> None:
    labels = write_masks(tmp_path / "labels", a=marks((8, 12)) // 255 * 0)
    predictions = write_masks(tmp_path / "predictions", a=marks((8, 16)))
    with pytest.raises(ValueError, match=r"predictions/a\.png: expected 8x12 pixels .* got 8x16"):
        function(labels, predictions, allow_missing=True)  # type: ignore[operator]


def test_lane_mark_masks_are_no_binary_labels(tmp_path: Path) -> None:
    labels = write_masks(tmp_path / "labels", a=marks(column=3))
    with pytest.raises(ValueError, match=r"a\.png: expected 0 where there is no lane"):
        score_bdd100k_files(labels, labels)


def test_folders_that_are_not_there_are_named(tmp_path: Path) -> None:
    labels = write_masks(tmp_path / "labels", a=mask("#."))
    with pytest.raises(FileNotFoundError, match="nowhere, but there is none"):
        score_bdd100k_files(tmp_path / "nowhere", labels)
    with pytest.raises(FileNotFoundError, match=r"predictions: expected the folder .*nowhere"):
        score_bdd100k_files(labels, tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"expected files \*\.png below"):
        score_bdd100k_files(write_masks(tmp_path / "empty"), labels)
    with pytest.raises(FileNotFoundError, match="the labels of one image or more"):
        score_bdd100k_files(labels, labels, names=[])
    with pytest.raises(ValueError, match="inside the dataset's folder"):
        score_bdd100k_files(labels, labels, names=["../a.png"])


@fuzzing
@given(data=st.binary(max_size=200), start=st.booleans())
def test_any_bytes_as_a_mask_give_the_error_or_a_result(tmp_path: Path, data: bytes, start: bool) -> None:
    labels = write_masks(tmp_path / "labels", a=mask("#.", ".#"))
    predictions = tmp_path / "predictions"
    predictions.mkdir(exist_ok=True)
    whole = (labels / "a.png").read_bytes()
    (predictions / "a.png").write_bytes(whole[:40] + data + whole[40:] if start else data)
    try:
        outcome = str(score_bdd100k_files(labels, predictions))
    except ValueError as error:
        outcome = str(error)
    assert "a.png" in outcome or "1 images" in outcome
