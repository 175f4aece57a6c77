"""BDD100K on a miniature of its layouts of 2018 and 2020."""

import json
from pathlib import Path

import numpy as np
import pytest
from benchmark_factories import BDD100K_SIZE, bdd100k_label, write_bdd100k_root
from factories import distance_to_polyline, make_picture, make_straight_lane, write_picture

from lanenet_sad.datasets import BDD100K


@pytest.mark.parametrize("form", [2018, 2020])
def test_pictures_and_the_lines_between_their_edges(tmp_path, form):
    dataset = BDD100K(write_bdd100k_root(tmp_path, form=form))
    assert len(dataset) == 3
    assert dataset.num_lanes == 8
    assert dataset.name(1) == "00000001-0000.jpg"
    assert dataset.image_path(1) == tmp_path / "images/100k/train/00000001-0000.jpg"
    assert dataset.image(0).shape[:2] == dataset.image_size(0) == BDD100K_SIZE
    truth = dataset.truth(0)
    assert truth.name == "00000000-0000.jpg"
    assert [lane.slot for lane in truth.lanes] == [4, 5, 6]  # left of the car, right of it, kerb
    for lane, share in zip(truth.lanes, (0.25, 0.75, 1.3), strict=True):
        expected = make_straight_lane(share * BDD100K_SIZE[1], BDD100K_SIZE).points
        assert distance_to_polyline(lane.points, expected).max() < 0.1


def test_which_lines_are_kept_is_a_choice(tmp_path):
    root = write_bdd100k_root(tmp_path)
    assert len(BDD100K(root, centre=False).truth(0).lanes) == 5
    assert len(BDD100K(root, crosswise=True).truth(0).lanes) == 4
    assert len(BDD100K(root, kinds=["single white"]).truth(0).lanes) == 2
    with pytest.raises(ValueError, match=r"BDD100K kinds: expected some of crosswalk, .*, got \['lane'\]"):
        BDD100K(root, kinds=["lane"])


def test_masks_are_8_px_wide_to_train_on_and_2_px_to_be_scored(tmp_path):
    """Each line of the protocol; OpenCV draws even widths up to one pixel wider."""
    size = (720, 1280)
    upright = np.array([[640.0, 700.0], [640.0, 400.0]])
    for split in ("train", "val"):
        path = tmp_path / f"labels/lane/polygons/lane_{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([{"name": "a.jpg", "labels": [bdd100k_label(upright)]}]))
        write_picture(tmp_path / f"images/100k/{split}/a.jpg", make_picture(size))

    def width(dataset: BDD100K) -> int:
        record = dataset.load(0)
        assert set(np.unique(record.lane_mask)) == {0, 5}
        return np.count_nonzero(record.lane_mask[500])

    assert width(BDD100K(tmp_path)) in (8, 9)
    assert width(BDD100K(tmp_path, "val")) in (2, 3)
    assert width(BDD100K(tmp_path, line_width=20)) in (20, 21)
    with pytest.raises(ValueError, match="line_width: expected at least 1 px, got 0"):
        BDD100K(tmp_path, line_width=0)


def test_a_frame_with_a_broken_label_is_an_error_of_that_frame_alone(tmp_path):
    root = write_bdd100k_root(tmp_path)
    path = root / "labels/lane/polygons/lane_train.json"
    frames = json.loads(path.read_text())
    frames[1]["labels"][0]["poly2d"][0]["types"] = "LX"
    path.write_text(json.dumps(frames))
    dataset = BDD100K(root)
    assert len(dataset.load(0).truth.lanes) == 3
    with pytest.raises(
        ValueError, match=r"lane_train.json, frame 1 \(00000001-0000.jpg\), label 0: expected types of 8"
    ):
        dataset.load(1)


def test_a_wrong_root_says_what_is_expected_and_what_is_there(tmp_path):
    (tmp_path / "bdd100k").mkdir()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileNotFoundError) as error:
        BDD100K(tmp_path)
    assert str(error.value) == (
        f"BDD100K root {tmp_path}: expected labels/lane/polygons/lane_train.json or "
        "labels/bdd100k_labels_images_train.json in it, but it has bdd100k/, notes.txt."
    )
    with pytest.raises(FileNotFoundError, match="but there is no such folder"):
        BDD100K(Path("nowhere"))
    with pytest.raises(ValueError, match="labels of the split test are not public; papers are scored on the split val"):
        BDD100K(tmp_path, "test")
