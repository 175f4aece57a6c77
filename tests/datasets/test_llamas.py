"""LLAMAS on a miniature of its layout."""

import numpy as np
import pytest
from benchmark_factories import LLAMAS_SIZE, write_llamas_root

from lanenet_sad.datasets import LLAMAS
from lanenet_sad.datasets.llamas import row_points


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_llamas_root(tmp_path_factory.mktemp("llamas"))


def test_the_four_lines_next_to_the_car(root):
    dataset = LLAMAS(root)
    assert len(dataset) == 2
    assert dataset.name(1) == "images-2014-12-18-14-17-05/14189411_0001_color_rect.png"
    assert dataset.image_path(1) == root / "color_images/train" / dataset.name(1)
    assert dataset.image_size(0) == dataset.image(0).shape[:2] == LLAMAS_SIZE
    truth = dataset.truth(0)
    assert [lane.slot for lane in truth.lanes] == [1, 2, 3]
    assert all((np.diff(lane.points[:, 1]) == -1).all() for lane in truth.lanes)
    assert all((lane.points[:, 0] >= 0).all() for lane in truth.lanes)


@pytest.mark.parametrize(("num_lanes", "slots"), [(2, [None, 1, 2]), (4, [1, 2, 3]), (6, [2, 3, 4])])
def test_other_numbers_of_slots_count_from_the_car_outwards(root, num_lanes, slots):
    assert [lane.slot for lane in LLAMAS(root, num_lanes=num_lanes).truth(0).lanes] == slots


def test_masks_follow_the_lines(root):
    record = LLAMAS(root).load(0)
    assert record.lane_mask.shape == LLAMAS_SIZE
    assert set(np.unique(record.lane_mask)) == {0, 1, 2, 3}
    for lane in record.truth.lanes:
        x, y = lane.points[len(lane.points) // 2]
        assert np.nonzero(record.lane_mask[int(y)] == lane.slot)[0].mean() == pytest.approx(x, abs=2)
    assert np.count_nonzero(LLAMAS(root, line_width=2).load(0).lane_mask) < np.count_nonzero(record.lane_mask) / 3


def test_grey_pictures(tmp_path):
    write_llamas_root(tmp_path, num_images=1, images="gray")
    dataset = LLAMAS(tmp_path, images="gray")
    assert dataset.name(0).endswith("_gray_rect.png")
    assert dataset.image(0).shape == (*LLAMAS_SIZE, 3)
    with pytest.raises(ValueError, match="LLAMAS images: expected one of color, gray, got 'red'"):
        LLAMAS(tmp_path, images="red")
    with pytest.raises(FileNotFoundError, match=r"Image .*color_rect.png: there is no such file"):
        LLAMAS(tmp_path).image(0)


def test_a_wrong_root_says_what_is_expected_and_what_is_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected labels/train/<sequence>/\*.json in it, but it is empty"):
        LLAMAS(tmp_path)
    (tmp_path / "labels/valid").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"expected labels/valid/<sequence>/\*.json in it, but it has labels/"):
        LLAMAS(tmp_path, "valid")
    with pytest.raises(ValueError, match="labels of the split test are not public; use the split valid"):
        LLAMAS(tmp_path, "test")


def test_what_is_left_of_the_picture_and_a_single_point_are_no_points():
    x = np.full(717, np.nan)
    x[[300, 301, 302]] = [-3.0, 5.5, 6.5]
    assert row_points(x).tolist() == [[6.5, 302], [5.5, 301]]
    x[302] = np.nan
    assert row_points(x).shape == (0, 2)


def test_a_broken_label_is_named(tmp_path):
    root = write_llamas_root(tmp_path, num_images=1)
    (label,) = root.glob("labels/train/*/*.json")
    label.write_text("{")
    with pytest.raises(ValueError, match=r"LLAMAS label .*14189411_0000\.json"):
        LLAMAS(root).load(0)
