"""CurveLanes on a miniature of its layout, with pictures of two sizes."""

import numpy as np
import pytest
from benchmark_factories import write_curvelanes_root

from lanenet_sad.datasets import CurveLanes


def test_pictures_of_mixed_sizes(tmp_path):
    dataset = CurveLanes(write_curvelanes_root(tmp_path))
    assert len(dataset) == 2
    assert dataset.num_lanes == 10
    assert dataset.name(1) == f"images/{1:032x}.jpg"
    assert dataset.image_path(1) == tmp_path / "train" / dataset.name(1)
    assert [dataset.image_size(index) for index in range(2)] == [(72, 128), (66, 157)]
    truth = dataset.truth(1)
    assert truth.image_size == (66, 157)
    assert [lane.slot for lane in truth.lanes] == [5, 6, 7]
    assert all(lane.points[0, 1] > lane.points[-1, 1] for lane in truth.lanes)


def test_masks_are_drawn_in_proportion_to_culane(tmp_path):
    size = (590, 1640)
    dataset = CurveLanes(write_curvelanes_root(tmp_path, split="valid", sizes=(size,)), "valid", num_lanes=2)
    record = dataset.load(0)
    assert set(np.unique(record.lane_mask)) == {0, 1, 2}  # the third line is beyond two slots, and counts in the truth
    assert len(record.truth.lanes) == 3
    assert dataset.load(0, min_size=(200, 400)).lane_mask.shape == (295, 820)
    narrow = CurveLanes(tmp_path, "valid", num_lanes=2, line_width=3).load(0).lane_mask
    assert np.count_nonzero(narrow) < np.count_nonzero(record.lane_mask) / 3


def test_a_missing_label_is_named(tmp_path):
    root = write_curvelanes_root(tmp_path)
    (root / f"train/labels/{0:032x}.lines.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"CurveLanes label .*0.lines.json: there is no such file"):
        CurveLanes(root).truth(0)


def test_a_wrong_root_says_what_is_expected_and_what_is_there(tmp_path):
    write_curvelanes_root(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"CurveLanes root .*: expected valid/valid.txt in it, but it has train/"
    ):
        CurveLanes(tmp_path, "valid")
    with pytest.raises(ValueError, match="labels of the split test are not public; use the split valid"):
        CurveLanes(tmp_path, "test")
