"""The set in data/sample is the renderer's memory: a change of what (seed, index) shows is seen here."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lanenet_sad.datasets.culane import CULane
from lanenet_sad.datasets.synthetic import render_scene
from lanenet_sad.datasets.synthetic.benchmark_files import FIRST_INDEX, Split
from lanenet_sad.datasets.synthetic.render import RENDERER_VERSION
from lanenet_sad.lanes.files import read_culane_lines

SAMPLE = Path(__file__).resolve().parents[3] / "data" / "sample"
REMEDY = "if that is intended, raise RENDERER_VERSION and make data/sample anew with the command of its README"


def test_sample_is_small_and_of_this_version() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*")) < 2_000_000
    manifest = json.loads((SAMPLE / "synthesis.json").read_text())
    assert manifest["finished"]
    assert manifest["settings"]["renderer"] == RENDERER_VERSION


@pytest.mark.parametrize(("split", "count"), [("train", 10), ("val", 2), ("test", 6)])
def test_sample_is_what_the_renderer_still_renders(split: Split, count: int) -> None:
    names = [CULane(SAMPLE, f"list/{split}.txt").name(index) for index in range(count)]
    for number, name in enumerate(names):
        scene = render_scene(0, FIRST_INDEX[split] + number, image_size=(288, 800))
        path = SAMPLE / name.lstrip("/")
        labels = read_culane_lines(path.with_suffix(".lines.txt"))
        kept = [lane for lane in scene.lanes if lane.slot is not None]
        assert len(labels) == len(kept), f"{name}: {REMEDY}"
        for label, lane in zip(labels, kept, strict=True):
            np.testing.assert_allclose(label.points, lane.points, atol=0.02, err_msg=f"{name}: {REMEDY}")
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB).astype(np.float32)
        assert np.abs(picture - scene.image).mean() < 4, f"{name}: {REMEDY}"
