import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import write_picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.llamas_markers import LLAMAS_LANES
from lanenet_sad.metrics.llamas_files import read_row_lanes
from lanenet_sad.metrics.llamas_regression import regression_errors, score_llamas_regression_files
from lanenet_sad.metrics.llamas_segmentation import score_llamas_segmentation_files, segmentation_figures

fuzzing = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ROWS = np.arange(717.0)


def row_lane(x: float, top: int = 300) -> list[float]:
    return [-1.0] * top + [x] * (717 - top)


def row_image(**xs: float) -> dict[str, list[float]]:
    return {lane: row_lane(xs[lane]) if lane in xs else [-1.0] * 717 for lane in LLAMAS_LANES}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.official
def test_regression_scores_as_the_official_script(shared: Path) -> None:
    root = shared / "goldens" / "llamas"
    expected = json.loads((root / "expected_regression.json").read_text())
    score = score_llamas_regression_files(root / "labels.json", root / "regression_pred.json")
    assert score.overall == pytest.approx(expected["overall_mean_abs"], abs=1e-12)
    assert score.lanes == pytest.approx(expected["per_lane_mean_abs"], abs=1e-12)
    ours = np.array(list(score.images.values())).T
    official = np.array([expected["per_image"][lane] for lane in LLAMAS_LANES], dtype=float)
    np.testing.assert_allclose(ours, official, rtol=0, atol=1e-12)


@pytest.mark.official
@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("scale", [None, 255.0], ids=["bytes", "floats"])
def test_segmentation_scores_as_the_official_script(shared: Path, case: int, scale: float | None) -> None:
    cases = json.loads((shared / "goldens" / "llamas" / "segmentation_auc.json").read_text())
    assert len(cases) == 4
    prediction = np.array(cases[case]["pred_u8"], dtype=np.uint8)
    figures = segmentation_figures(prediction if scale is None else prediction / scale, np.array(cases[case]["label"]))
    assert figures._asdict() == pytest.approx(cases[case]["expected"], abs=1e-12)


def test_regression_is_off_by_the_distance(tmp_path: Path) -> None:
    truth = write(tmp_path / "labels.json", {"a": row_image(l0=500, r0=700), "b": row_image(l0=500), "c": row_image()})
    off = {lane: [x] * 417 for lane, x in zip(LLAMAS_LANES, (0, 503, 701, 0), strict=True)}
    found = write(tmp_path / "found.json", {"a": off, "b": {**off, "l0": [500] * 717}})
    with pytest.raises(FileNotFoundError, match="1 of 3 images are missing: c"):
        score_llamas_regression_files(truth, found)
    score = score_llamas_regression_files(truth, found, allow_missing=True)
    assert score.lanes == {"l1": None, "l0": 1.5, "r0": 1.0, "r1": None}
    assert score.overall == pytest.approx(4 / 3)
    assert (score.num_images, score.num_missing, score.value) == (2, 1, pytest.approx(3 / 7))
    assert str(score).splitlines()[-1].split() == ["-", "1.5000", "1.0000", "-", "1.3333"]
    assert json.loads(json.dumps(score.to_dict()))["lanes"]["l1"] is None


def test_regression_needs_a_number_wherever_there_is_a_lane(tmp_path: Path) -> None:
    truth = np.full((1, 717), np.nan)
    truth[0, 600:] = 5
    assert regression_errors(np.where(np.isnan(truth), np.nan, 7.0), truth) == [2.0]
    with pytest.raises(ValueError, match="expected a number in every row from 300 on"):
        regression_errors(np.full((1, 717), np.nan), truth)


def test_minus_one_of_a_regression_is_far_off(tmp_path: Path) -> None:
    truth = write(tmp_path / "labels.json", {"a": row_image(l0=500)})
    assert score_llamas_regression_files(truth, write(tmp_path / "p.json", {"a": row_image()})).overall == 501


@pytest.mark.parametrize(
    ("prediction", "figures"),
    [
        ([255, 0, 0], (1.0, 1.0, 1.0, 1.0)),
        ([0, 255, 255], (0.0, 1 / 3, 1.0, 0.0)),  # the lane is found last, when precision was 0
        ([255, 255, 0], (1.0, 0.5, 1.0, 1.0)),  # the first step in recall counts with the precision of the start
        ([0, 0, 255], (0.0, 1 / 3, 1.0, 0.0)),
        ([128, 128, 0], (0.0, 0.5, 1.0, 0.5)),  # nothing is predicted at 1: precision 0, officially
    ],
    ids=["perfect", "inverse", "wide", "beside", "unsure"],
)
def test_area_by_hand(prediction: list[int], figures: tuple[float, ...]) -> None:
    ours = segmentation_figures(np.array([prediction], np.uint8), np.array([[1, 0, 0]]))
    assert tuple(ours) == pytest.approx(figures)


def test_area_without_a_lane_is_zero() -> None:
    assert tuple(segmentation_figures(np.array([[0.5, np.nan]]), np.zeros((1, 2)))) == (0.0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match=r"the label's shape \(1, 3\), got \(1, 2\)"):
        segmentation_figures(np.zeros((1, 2)), np.zeros((1, 3)))


def test_segmentation_files(tmp_path: Path) -> None:
    mask = np.zeros((8, 12), np.uint8)
    mask[:, 4] = 255
    for name in ("rec/a.json_1", "rec/b.json_1"):
        write_picture(tmp_path / "labels" / f"{name}.png", mask)
    write_picture(tmp_path / "maps" / "rec/a.json_1.png", mask)
    with pytest.raises(FileNotFoundError, match=r"1 of 2 files are missing: .*b\.json_1\.png"):
        score_llamas_segmentation_files(tmp_path / "labels", tmp_path / "maps")
    score = score_llamas_segmentation_files(tmp_path / "labels", tmp_path / "maps", allow_missing=True)
    assert (score.num_images, score.num_missing, score.auc) == (2, 1, 0.5)
    assert score.value == score.to_dict()["auc"] == 0.5
    assert str(score).split()[-3] == "0.5000"
    write_picture(tmp_path / "maps" / "rec/b.json_1.png", mask[:4])
    with pytest.raises(ValueError, match=r"b\.json_1\.png: expected 8x12 pixels .* got 4x12"):
        score_llamas_segmentation_files(tmp_path / "labels", tmp_path / "maps")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["l0", "l1", "r0", "r1"]), inner),
    max_leaves=12,
)


@fuzzing
@given(data=st.binary(max_size=80) | anything.map(lambda content: json.dumps({"a": content}).encode()))
def test_any_bytes_as_rows_give_the_error_or_lanes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    try:
        outcome = str({rows.shape for rows in read_row_lanes(path).values()} or {(4, 717)})
    except ValueError as error:
        outcome = str(error)
    assert "a.json" in outcome or outcome == "{(4, 717)}"
