"""The same (seed, index) shows the same road for ever: label hashes exactly, pixels within a tolerance.

Test sets are named by seed and index alone. After an intended change raise RENDERER_VERSION, set UPDATE_GOLDENS=1 to
write the goldens anew, and look at some pictures before you commit them.
"""

import hashlib
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from lanenet_sad.datasets.synthetic import RenderedScene, render_scene
from lanenet_sad.datasets.synthetic.benchmark_files import FIRST_INDEX
from lanenet_sad.datasets.synthetic.render import RENDERER_VERSION
from lanenet_sad.lanes.lane import Image

GOLDENS = Path(__file__).parent / "goldens"
LABELS, THUMBNAILS = GOLDENS / "labels.json", GOLDENS / "thumbnails.npz"
SCENES = [(0, FIRST_INDEX["test"] + number) for number in range(8)] + [(7, 0), (7, 1), (123, 5), (123, 6)]
REMEDY = "if that is intended, raise RENDERER_VERSION and write the goldens anew with UPDATE_GOLDENS=1"


@pytest.fixture(scope="module")
def scenes() -> dict[str, RenderedScene]:
    return {f"{seed}-{index}": render_scene(seed, index, image_size=(144, 400)) for seed, index in SCENES}


def label_hash(scene: RenderedScene) -> str:
    """Of all slots, types and points, these in tenths of a pixel, with a guard against the last bit of a float."""
    lanes = [
        [lane.slot, kind.style, kind.colour, np.rint(lane.points * 10 + 0.013).astype(int).tolist()]
        for lane, kind in zip(scene.lanes, scene.lane_types, strict=True)
    ]
    return hashlib.sha256(json.dumps(lanes).encode()).hexdigest()[:16]


def thumbnail(scene: RenderedScene) -> Image:
    return np.asarray(cv2.resize(scene.image, (50, 18), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def test_labels_are_those_of_this_version(scenes: dict[str, RenderedScene]) -> None:
    found = {"renderer": RENDERER_VERSION, "labels": {name: label_hash(scene) for name, scene in scenes.items()}}
    if os.environ.get("UPDATE_GOLDENS") == "1":
        GOLDENS.mkdir(exist_ok=True)
        LABELS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(LABELS.read_text(encoding="utf-8")), REMEDY


def test_pictures_are_those_of_this_version(scenes: dict[str, RenderedScene]) -> None:
    found = {name: thumbnail(scene) for name, scene in scenes.items()}
    if os.environ.get("UPDATE_GOLDENS") == "1":
        GOLDENS.mkdir(exist_ok=True)
        np.savez_compressed(THUMBNAILS, **found)  # type: ignore[arg-type]
    assert THUMBNAILS.stat().st_size < 60_000
    with np.load(THUMBNAILS) as goldens:
        assert set(goldens) == set(found)
        for name, picture in found.items():
            difference = np.abs(picture.astype(float) - goldens[name]).mean()
            assert difference < 2, f"scene {name} differs by {difference:.1f} grey levels: {REMEDY}"
