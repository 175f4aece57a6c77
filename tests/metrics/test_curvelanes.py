import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from factories import make_picture, write_picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from lanenet_sad.lanes.curvelanes_files import read_key_points
from lanenet_sad.lanes.curves import natural_spline_by_length
from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.metrics.curvelanes import CurveLanesMetric, score_curvelanes_files
from lanenet_sad.metrics.matching import assign

SIZES = [(1440, 2560), (660, 1570), (720, 1280)]  # of the pictures in the data set
SIZE = (1440, 2560)
fuzzing = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def upright(share: float, size: tuple[int, int] = SIZE) -> Lane:
    """A straight lane at a share of the width, from the bottom to half the height."""
    return Lane(np.array([[share * size[1], size[0] - 1.0], [share * size[1], 0.5 * size[0]]]))


def lanes(*parts: Lane, size: tuple[int, int] = SIZE) -> LanePrediction:
    return LanePrediction(parts, size, "images/a.jpg")


def counted(prediction: LanePrediction, truth: LanePrediction) -> tuple[int, int, int]:
    metric = CurveLanesMetric()
    metric.update(prediction, truth)
    counts = metric.compute().totals[0.5]
    return counts.tp, counts.fp, counts.fn


def wavy(seed: int) -> tuple[LanePrediction, LanePrediction]:
    """Two sides of lanes that meet here and there."""
    generator = np.random.default_rng(seed)
    size = SIZES[seed % len(SIZES)]
    sides = []
    for _ in range(2):
        parts = []
        for share in (0.2, 0.4, 0.7):
            count = int(generator.integers(2, 12))
            y = np.linspace(size[0] - 1, generator.uniform(0.3, 0.6) * size[0], count)
            x = share * size[1] + np.cumsum(generator.normal(0, 25, count))
            parts.append(Lane(np.stack([x, y], axis=1)))
        sides.append(lanes(*parts, size=size))
    return sides[0], sides[1]


def drawn_by_the_book(lane: Lane, size: tuple[int, int]) -> np.ndarray:
    """A lane on 224x224 pixels, by the published rules and with another library's natural spline."""
    knots = lane.points / np.array([size[1] / 224, size[0] / 224])
    chords = np.sqrt((np.diff(knots, axis=0) ** 2).sum(axis=1))
    at = np.concatenate([[0.0], np.cumsum(chords)])
    curve = CubicSpline(at, knots, bc_type="natural")
    samples = [curve(at[i] + np.arange(0, chord)) for i, chord in enumerate(chords)]
    mask = np.zeros((224, 224), np.uint8)
    pixels = [(int(x), int(y)) for x, y in np.concatenate([*samples, knots[-1:]])]
    for start, end in pairwise(pixels):
        cv2.line(mask, start, end, 1, 5)
    return mask > 0


def write_label(path: Path, parts: list[Lane]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [[{"y": str(y), "x": str(x)} for x, y in lane.points.tolist()] for lane in parts]
    path.write_text(json.dumps({"Lines": lines}))


def make_root(root: Path, number: int = 2) -> Path:
    """A folder such as `valid`, with pictures of different sizes that have a lane each."""
    for index in range(number):
        size = ((72, 128), (66, 157))[index % 2]
        write_picture(root / "images" / f"{index}.jpg", make_picture(size))
        write_label(root / "labels" / f"{index}.lines.json", [upright(0.5, size)])
    return root


@pytest.mark.parametrize("seed", range(9))
def test_ious_are_those_of_lanes_drawn_by_the_book(seed: int) -> None:
    prediction, truth = wavy(seed)
    expected = np.zeros((3, 3))
    for g, p in np.ndindex(expected.shape):
        one, other = (drawn_by_the_book(side.lanes[i], side.image_size) for side, i in ((truth, g), (prediction, p)))
        expected[g, p] = (one & other).sum() / (one | other).sum()
    np.testing.assert_allclose(CurveLanesMetric().compare(prediction, truth).ious, expected, atol=1e-12)


def test_spline_samples_start_anew_in_every_span() -> None:
    samples = natural_spline_by_length([[0.0, 0.0], [2.5, 0.0], [2.5, 0.0], [4.0, 0.0]])
    np.testing.assert_allclose(samples[:, 0], [0, 1, 2, 2.5, 3.5, 4], atol=1e-12)
    assert natural_spline_by_length([[3.0, 4.0]] * 2).tolist() == [[3.0, 4.0]]
    assert natural_spline_by_length([[0.0, 0.0], [0.0, 5e-244], [0.0, 9e-244]]).tolist() == [[0.0, 0.0]]


def test_perfect_prediction_finds_all() -> None:
    assert counted(lanes(upright(0.2), upright(0.8)), lanes(upright(0.8), upright(0.2))) == (2, 0, 0)


def test_empty_sides() -> None:
    assert counted(lanes(), lanes(upright(0.5))) == (0, 0, 1)
    assert counted(lanes(upright(0.5)), lanes()) == (0, 1, 0)
    assert counted(lanes(), lanes()) == (0, 0, 0)


@pytest.mark.parametrize(("shift", "found"), [(2, 1), (3, 0)], ids=["near", "off"])
def test_shift_on_the_canvas(shift: int, found: int) -> None:
    # OpenCV draws 7 columns at a width of 5: 5 / 9 = 0.56 and 4 / 10 = 0.4
    truth = upright(0.5)
    moved = Lane(truth.points + np.array([(shift + 0.25) * SIZE[1] / 224, 0.0]))
    assert counted(lanes(moved), lanes(truth))[0] == found


def test_each_side_is_scaled_by_its_own_size() -> None:
    small = (720, 1280)
    assert counted(lanes(upright(0.5, small), size=small), lanes(upright(0.5))) == (1, 0, 0)


def test_single_points_count_and_no_points_do_not() -> None:
    single, none = Lane(np.array([[100.0, 100.0]])), Lane(np.zeros((0, 2)))
    repeated = Lane(np.array([[100.0, 100.0]] * 3))
    assert counted(lanes(single, none), lanes(single)) == (0, 1, 1)
    assert counted(lanes(repeated), lanes(repeated)) == (0, 1, 1)


def test_pairs_have_the_largest_sum() -> None:
    assert assign(np.array([[0.9, 0.8], [0.7, 0.0]])) == [1, 0]
    assert assign(np.array([[0.9], [0.95], [np.nan]])) == [-1, 0, -1]


@pytest.mark.parametrize("points", [[[1e12, 0], [0, 0]], [[np.inf, 0], [0, 0]]], ids=["long", "infinite"])
def test_absurd_lanes_are_refused(points: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"lane 0 of images/a\.jpg: expected finite points and at most 1000000 pixels"):
        counted(lanes(Lane(np.array(points))), lanes())


def test_merged_parts_equal_the_whole() -> None:
    whole, left, right = CurveLanesMetric(), CurveLanesMetric(), CurveLanesMetric()
    for seed, side in ((0, left), (1, right)):
        for metric in (whole, side):
            metric.update(*wavy(seed))
    left.merge(right)
    assert left.compute() == whole.compute()
    with pytest.raises(ValueError, match="same settings"):
        left.merge(CurveLanesMetric(canvas_size=(100, 100)))
    with pytest.raises(ValueError, match="positive height and width"):
        CurveLanesMetric(canvas_size=(0, 100))


def test_files_of_pictures_of_mixed_sizes(tmp_path: Path) -> None:
    root = make_root(tmp_path / "valid")
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    (predictions / "0.lines.txt").write_text("64 71 64 36\n")
    write_label(predictions / "1.lines.json", [upright(0.5, (66, 157)), upright(0.1, (66, 157))])
    score = score_curvelanes_files(root, predictions)
    assert score == score_curvelanes_files(root / "labels", predictions, names=["images/0.jpg", "images/1.jpg"])
    counts = score.totals[0.5]
    assert (counts.tp, counts.fp, counts.fn, score.num_images) == (2, 1, 0, 2)
    assert score.value == pytest.approx(0.8)
    assert str(score).splitlines()[0] == "CurveLanes F1, lanes 5 px wide, 2 images"


def test_predictions_may_lie_where_the_list_names_the_pictures(tmp_path: Path) -> None:
    root = make_root(tmp_path / "valid", 1)
    (tmp_path / "predictions" / "images").mkdir(parents=True)
    (tmp_path / "predictions" / "images" / "0.lines.txt").write_text("64 71 64 36\n")
    assert score_curvelanes_files(root, tmp_path / "predictions").totals[0.5].tp == 1


def test_missing_files_are_named_and_counted(tmp_path: Path) -> None:
    root = make_root(tmp_path / "valid", 5)
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    with pytest.raises(FileNotFoundError, match=r"predictions: 5 of 5 files are missing: .*0\.lines\.txt, .* …"):
        score_curvelanes_files(root, predictions)
    score = score_curvelanes_files(root, predictions, allow_missing=True)
    assert (score.num_missing, score.totals[0.5].fn) == (5, 5)


def test_sizes_come_from_pictures_or_from_the_user(tmp_path: Path) -> None:
    root = make_root(tmp_path / "valid", 1)
    (root / "images" / "0.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"picture .*0\.jpg: there is no such file, and without pictures"):
        score_curvelanes_files(root, root / "labels")
    assert score_curvelanes_files(root, root / "labels", image_size=(72, 128)).totals[0.5].tp == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "expected JSON"),
        ("[]", "an object with 'Lines', a list"),
        ('{"Lines": [[{"x": 1}]]}', "line 0: expected points with x and y, got {'x': 1}"),
        ('{"Lines": [[], [{"x": "nan", "y": 2}]]}', "line 1: expected a coordinate in pixels, got 'nan'"),
    ],
    ids=["no-json", "no-object", "no-y", "nan"],
)
def test_broken_labels_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    root = make_root(tmp_path / "valid", 1)
    (root / "labels" / "0.lines.json").write_text(text)
    with pytest.raises(ValueError, match=rf"CurveLanes label .*0\.lines\.json.*{complaint}"):
        score_curvelanes_files(root, root / "labels")


number = st.floats() | st.integers() | st.text(max_size=3) | st.none()
anything: st.SearchStrategy[Any] = st.recursive(
    number,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Lines", "x", "y"]), inner, max_size=2)
    ),
    max_leaves=8,
)
points = st.fixed_dictionaries({"x": number, "y": number})


@fuzzing
@given(
    data=st.binary(max_size=60)
    | st.fixed_dictionaries({"Lines": st.lists(st.lists(points, max_size=3) | anything, max_size=3)}).map(
        lambda content: json.dumps(content).encode()
    )
)
def test_any_bytes_as_a_label_give_the_error_or_a_score(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.lines.json"
    path.write_bytes(data)
    try:
        read = read_key_points(path, "CurveLanes label")
        compared = CurveLanesMetric().compare(lanes(upright(0.5)), lanes(*map(Lane, read)))
        outcome = "finite IoUs" if np.isfinite(compared.ious).all() else ""
    except ValueError as error:
        outcome = str(error)
    assert any(text in outcome for text in ("a.lines.json", "expected finite points", "finite IoUs"))
