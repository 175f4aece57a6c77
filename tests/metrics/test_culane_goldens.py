"""The CULane metric against the figures of the official evaluator."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanenet_sad.lanes.files import read_culane_lines
from lanenet_sad.lanes.lane import Points
from lanenet_sad.metrics.culane import CULANE_CANVAS, CULaneMetric, lane_ious
from lanenet_sad.metrics.culane_batch import compare_batch, count_batch, score_culane_files
from lanenet_sad.metrics.culane_files import read_lane_files
from lanenet_sad.metrics.culane_score import CULaneCounts
from lanenet_sad.metrics.matching import match

pytestmark = pytest.mark.official
KINDS = ["typical", "harsh", "boundary", "rivals", "edge"]
THRESHOLDS = (0.3, 0.5, 0.75)


def read_expected(path: Path) -> dict[str, Any]:
    zipped = path.with_name(path.name + ".gz")
    text = path.read_text() if path.exists() else gzip.decompress(zipped.read_bytes()).decode()
    return json.loads(text)


def read_points(root: Path, name: str) -> list[Points]:
    path = root / name.lstrip("/")
    return [lane.points for lane in read_culane_lines(path.with_suffix(".lines.txt"))]


def counts(expected: dict[str, Any]) -> CULaneCounts:
    return CULaneCounts(expected["tp"], expected["fp"], expected["fn"])


def check_images(root: Path, kind: str, expected: dict[str, Any], skip: tuple[str, ...] = ()) -> int:
    """Compares IoUs, matches and counts of every image; gives the number of IoUs compared."""
    compared = 0
    for name, image in expected["images"].items():
        if Path(name).stem.startswith(skip):
            continue
        truth, prediction = read_points(root / "anno", name), read_points(root / f"pred_{kind}", name)
        for width in (30, 10):
            figures = image[f"w{width}"]
            ious = lane_ious(truth, prediction, CULANE_CANVAS, width)
            official = np.array(figures["iou"], dtype=np.float64).reshape(ious.shape)
            np.testing.assert_allclose(ious, official, rtol=0, atol=6e-10, err_msg=f"{name}, {width} px")
            assert match(ious) == figures["match"], name
            compared += ious.size
    return compared


@pytest.mark.parametrize("kind", KINDS)
def test_ious_and_matches_of_every_image_equal_the_official(shared: Path, kind: str) -> None:
    root = shared / "goldens" / "culane"
    assert check_images(root, kind, read_expected(root / f"expected_{kind}.json")) > 300


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [30, 10])
def test_counts_in_total_and_per_category_equal_the_official(shared: Path, kind: str, width: int) -> None:
    root = shared / "goldens" / "culane"
    expected = read_expected(root / f"expected_{kind}.json")
    metric = CULaneMetric(iou_thresholds=THRESHOLDS, lane_width=width)
    missing: list[str] = []
    for split in sorted((root / "list" / "test_split").glob("*.txt")):
        names = split.read_text().split()
        missing += score_culane_files(root / "anno", root / f"pred_{kind}", names, metric, split.stem).predictions
    score = metric.compute()
    for threshold in THRESHOLDS:
        official = expected["overall"][f"w{width}_t{threshold}"]
        total = score.totals[threshold]
        assert total == counts(official)
        for ratio in ("precision", "recall", "f1"):
            assert getattr(total, ratio) == pytest.approx(official[ratio], abs=1e-12)
        if width == 30:
            categories = expected["categories"][f"w30_t{threshold}"]
            assert score.categories[threshold] == {name: counts(row) for name, row in categories.items()}
    assert bool(missing) == (kind == "edge")
    assert score.num_images == len(expected["images"])


@pytest.mark.parametrize("kind", KINDS)
def test_counts_of_every_image_equal_the_official(shared: Path, kind: str) -> None:
    root = shared / "goldens" / "culane"
    for name, image in read_expected(root / f"expected_{kind}.json")["images"].items():
        metric = CULaneMetric(iou_thresholds=THRESHOLDS)
        score_culane_files(root / "anno", root / f"pred_{kind}", [name], metric)
        found = {str(t): [c.tp, c.fp, c.fn] for t, c in metric.compute().totals.items()}
        assert found == image["w30"]["counts"], name


def test_degenerate_files_equal_the_official_where_it_is_defined(shared: Path) -> None:
    root = shared / "goldens" / "culane" / "degenerate"
    expected = read_expected(root / "expected_degenerate.json")
    undefined = ("00_", "01_", "02_", "03_", "04_", "06_")  # NaN or repeated points: recorded, not to be copied
    assert check_images(root, "degenerate", expected, skip=undefined) > 0
    metric = CULaneMetric()
    score_culane_files(root / "anno", root / "pred_degenerate", list(expected["images"]), metric)
    assert metric.compute().num_images == len(expected["images"])


def test_lanes_that_opencv_versions_draw_differently_are_drawn_as_the_official_tool(shared: Path) -> None:
    root = shared / "goldens" / "culane"
    sensitive = json.loads((root / "opencv_sensitive.json").read_text())
    for kind, names in sensitive.items():
        images = read_expected(root / f"expected_{kind}.json")["images"]
        check_images(root, kind, {"images": {name: images[name] for name in names}})
    assert sum(map(len, sensitive.values())) > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lane_width", [30, 10])
def test_compiled_ious_matches_and_counts_equal_the_official(shared: Path, kind: str, lane_width: int) -> None:
    root = shared / "goldens" / "culane"
    expected = read_expected(root / f"expected_{kind}.json")
    names = list(expected["images"])
    batch = read_lane_files(root / "anno", root / f"pred_{kind}", names).batch
    metric = CULaneMetric(iou_thresholds=THRESHOLDS, lane_width=lane_width)
    compared = compare_batch(batch, metric)
    for name, found in zip(names, compared.images, strict=True):
        figures = expected["images"][name][f"w{lane_width}"]
        official = np.array(figures["iou"], dtype=np.float64).reshape(found.ious.shape)
        np.testing.assert_allclose(found.ious, official, rtol=0, atol=6e-10, err_msg=name)
        assert found.pairs == figures["match"], name
    count_batch(batch, compared.matched, metric, None)
    totals = metric.compute().totals
    assert totals == {t: counts(expected["overall"][f"w{lane_width}_t{t}"]) for t in THRESHOLDS}


def test_what_opencv_versions_draw_differently_is_drawn_as_the_official_tool_does(shared: Path) -> None:
    root = shared / "goldens" / "culane"
    for kind, names in json.loads((root / "opencv_sensitive.json").read_text()).items():
        expected = read_expected(root / f"expected_{kind}.json")["images"]
        batch = read_lane_files(root / "anno", root / f"pred_{kind}", names).batch
        for name, found in zip(names, compare_batch(batch, CULaneMetric()).images, strict=True):
            official = np.array(expected[name]["w30"]["iou"], dtype=np.float64).reshape(found.ious.shape)
            np.testing.assert_allclose(found.ious, official, rtol=0, atol=6e-10, err_msg=name)
