"""The verb `score` for BDD100K, LLAMAS and CurveLanes."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lanenet_sad.cli import main
from lanenet_sad.score import score


def written(tmp_path: Path, *words: str) -> dict:
    assert main(["score", *words, "--json", str(tmp_path / "out.json"), "--no-progress"]) == 0
    return json.loads((tmp_path / "out.json").read_text())


@pytest.mark.official
def test_bdd100k_masks_by_either_protocol(shared, tmp_path):
    root = shared / "goldens" / "bdd100k"
    words = ["bdd100k", "--labels", f"{root}/binary/gt", "--predictions", f"{root}/binary/pred"]
    pixels = written(tmp_path, *words)
    expected = json.loads((root / "binary/expected.json").read_text())["mean"]
    assert pixels["benchmark"] == "bdd100k"
    assert pixels["iou"] == pytest.approx(expected["iou"], abs=1e-6)
    words = ["bdd100k", "--labels", f"{root}/lane_mark/gt", "--predictions", f"{root}/lane_mark/pred"]
    marks = written(tmp_path, *words, "--protocol", "lane_marks")
    expected = json.loads((root / "lane_mark/expected.json").read_text())["merged_percent"]
    directions = [row["classes"]["direction"]["parallel"] for row in marks["results"]]
    assert directions == pytest.approx(expected["direction"][0], abs=1e-6)


@pytest.mark.official
def test_llamas_lanes_with_their_page_and_regression(shared, tmp_path):
    root = shared / "goldens" / "llamas"
    words = ["llamas", "--labels", f"{root}/labels.json", "--predictions"]
    options = ["--iou", "0.5", "0.75", "--report", f"{tmp_path}/report"]
    lanes = written(tmp_path, *words, f"{root}/pred", *options)["results"]
    expected = json.loads((root / "expected_culane_metric.json").read_text())["overall"]
    page = json.loads((tmp_path / "report/figures.json").read_text())["totals"]
    for key in ("tp", "fp", "fn"):
        assert [row[key] for row in lanes] == [expected["0.5"][key], expected["0.75"][key]]
        assert page[key] == expected["0.5"][key]
    regression = written(tmp_path, *words, f"{root}/regression_pred.json", "--protocol", "regression")
    expected = json.loads((root / "expected_regression.json").read_text())
    assert regression["overall"] == pytest.approx(expected["overall_mean_abs"], abs=1e-9)


def test_curvelanes_with_its_page(tmp_path):
    for folder in ("valid/labels", "valid/images", "found"):
        (tmp_path / folder).mkdir(parents=True)
    lane = [[1200.0, 1400.0], [1230.0, 900.0], [1260.0, 500.0]]
    label = {
        "Lines": [[{"x": str(x), "y": str(y)} for x, y in lane], [{"x": "300", "y": "1400"}, {"x": "900", "y": "500"}]]
    }
    (tmp_path / "valid/labels/a.lines.json").write_text(json.dumps(label))
    cv2.imwrite(str(tmp_path / "valid/images/a.jpg"), np.zeros((1440, 2560, 3), np.uint8))
    (tmp_path / "found/a.lines.txt").write_text(" ".join(f"{x + 6} {y}" for x, y in lane) + "\n")
    words = ["curvelanes", "--labels", f"{tmp_path}/valid", "--predictions", f"{tmp_path}/found"]
    row = written(tmp_path, *words, "--report", f"{tmp_path}/report")["results"][0]
    assert (row["tp"], row["fp"], row["fn"], row["lane_width"]) == (1, 0, 1, 5)
    assert '"../valid/images/a.jpg",2560,1440' in (tmp_path / "report/frames/000.js").read_text()
    (tmp_path / "found/a.lines.txt").unlink()
    with pytest.raises(FileNotFoundError, match="1 of 1 files are missing"):
        score("curvelanes", labels=tmp_path / "valid", predictions=tmp_path / "found")


@pytest.mark.parametrize(
    ("benchmark", "options", "message"),
    [
        ("bdd100k", {"protocol": "lines"}, "expected a protocol of pixels, lane_marks, got 'lines'"),
        ("llamas", {"protocol": "regression", "report": Path("x")}, "no page of errors"),
        ("bdd100k", {"report": Path("x")}, "no page of errors"),
        ("curvelanes", {"labels": None}, "expected --labels"),
    ],
)
def test_what_a_benchmark_does_not_have_is_an_error(tmp_path, benchmark, options, message):
    with pytest.raises(ValueError, match=message):
        score(benchmark, **{"labels": tmp_path, "predictions": tmp_path, **options})


def test_options_without_effect_are_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="--lane-width has no effect on the score of bdd100k"):  # noqa: SIM117
        with pytest.raises(FileNotFoundError):
            score("bdd100k", labels=tmp_path, predictions=tmp_path, lane_width=5)
