from pathlib import Path

import numpy as np
import pytest
from factories import make_straight_lane, write_culane_root, write_picture

from lanenet_sad.datasets import CULane
from lanenet_sad.lanes.files import CULaneListEntry, write_culane_lines, write_culane_list
from lanenet_sad.lanes.images import read_image
from lanenet_sad.lanes.raster import draw_lanes, label_line_width


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_culane_root(tmp_path)


def test_names_and_sizes(root: Path) -> None:
    dataset = CULane(root)
    assert len(dataset) == 3
    assert [dataset.name(i) for i in range(3)] == [f"/clip/{i:05d}.jpg" for i in range(3)]
    assert [dataset.image_size(i) for i in range(3)] == [(64, 160), (64, 160), (96, 128)]


def test_truth_is_in_the_files_order_with_slots(root: Path) -> None:
    truth = CULane(root).truth(2)
    assert (truth.name, truth.image_size, truth.row_anchors) == ("/clip/00002.jpg", (96, 128), None)
    assert [lane.slot for lane in truth.lanes] == [3, 2]  # the file has the right line first
    np.testing.assert_allclose(truth.lanes[1].points, make_straight_lane(0.2 * 128, (96, 128)).points, atol=1e-3)


def test_mask_is_drawn_where_its_file_is_missing(root: Path) -> None:
    record = CULane(root).load(2)
    lanes = [make_straight_lane(share * 128, (96, 128), slot) for share, slot in ((0.8, 3), (0.2, 2))]
    np.testing.assert_array_equal(record.lane_mask, draw_lanes(lanes, (96, 128), line_width=label_line_width(128)))
    assert set(np.unique(record.lane_mask)) == {0, 2, 3}
    np.testing.assert_array_equal(record.image, read_image(root / "clip/00002.jpg"))


def test_mask_file_is_the_label_where_it_is_there(root: Path) -> None:
    mask = np.zeros((64, 160), dtype=np.uint8)
    mask[40:, 30:40], mask[40:, 100:110] = 1, 255
    write_picture(root / "laneseg_label_w16/clip/00001.png", mask)
    np.testing.assert_array_equal(CULane(root).load(1).lane_mask, mask)


def test_reduced_record_fits_together(root: Path) -> None:
    full, reduced = (CULane(root).load(0, min_size=size) for size in (None, (32, 80)))
    assert reduced.image.shape == (32, 80, 3)
    assert reduced.lane_mask.shape == (32, 80)
    assert reduced.truth.image_size == full.truth.image_size == (64, 160)
    for slot in (2, 3):
        rows, columns = (at.mean() for at in np.nonzero(full.lane_mask == slot))
        small_rows, small_columns = (at.mean() for at in np.nonzero(reduced.lane_mask == slot))
        assert small_rows * 2 + 0.5 == pytest.approx(rows, abs=0.6)
        assert small_columns * 2 + 0.5 == pytest.approx(columns, abs=0.6)


def test_flags_and_geometry_give_slots(root: Path) -> None:
    entries = [
        CULaneListEntry("/clip/00000.jpg", "/none.png", (1, 1, 0, 0)),  # two flags, two lines
        CULaneListEntry("/clip/00001.jpg", "/none.png", (1, 1, 1, 0)),  # three flags, two lines: geometry
        CULaneListEntry("/clip/00001.jpg", "/none.png"),
        CULaneListEntry("/clip/00001.jpg"),
    ]
    write_culane_list(root / "list/own.txt", entries)
    dataset = CULane(root, "list/own.txt")
    slots = [{lane.slot for lane in dataset.truth(i).lanes} for i in range(4)]
    assert slots == [{1, 2}, {2, 3}, {2, 3}, {2, 3}]
    assert [set(np.unique(dataset.load(i).lane_mask)) - {0} for i in range(4)] == slots


def test_lines_beyond_the_slots_stay_in_the_truth_only(root: Path) -> None:
    size = (64, 160)
    write_culane_lines(root / "clip/00000.lines.txt", [make_straight_lane(x, size) for x in (20, 50, 110, 140, 230)])
    dataset = CULane(root)
    assert [lane.slot for lane in dataset.truth(0).lanes] == [1, 2, 3, 4, None]
    assert set(np.unique(dataset.load(0).lane_mask)) <= {0, 1, 2, 3, 4}


def test_other_number_of_slots(root: Path) -> None:
    with pytest.raises(ValueError, match=r"line 1: expected an image, a mask and 6 existence flags, got 6 fields\."):
        CULane(root, num_lanes=6)
    write_culane_list(root / "list/own.txt", [CULaneListEntry("/clip/00000.jpg")])
    assert [lane.slot for lane in CULane(root, "list/own.txt", num_lanes=6).truth(0).lanes] == [4, 3]


def test_missing_label(root: Path) -> None:
    (root / "clip/00001.lines.txt").unlink()
    dataset = CULane(root)
    assert dataset.truth(1).lanes == ()  # as in the official evaluator
    with pytest.raises(FileNotFoundError, match=r"CULane image .*00001.jpg: expected a label, but neither its mask "):
        dataset.load(1)


def test_empty_label_is_a_road_without_lanes(root: Path) -> None:
    (root / "clip/00001.lines.txt").write_text("")
    record = CULane(root).load(1)
    assert record.truth.lanes == ()
    assert not record.lane_mask.any()


def test_bad_files_are_named(root: Path) -> None:
    write_picture(root / "laneseg_label_w16/clip/00000.png", np.zeros((10, 10), np.uint8))
    (root / "clip/00002.jpg").unlink()
    dataset = CULane(root)
    with pytest.raises(ValueError, match=r"Lane mask .*00000.png: expected 64x160 pixels .* got 10x10"):
        dataset.load(0)
    for call in (dataset.load, dataset.truth, dataset.image_size):
        with pytest.raises(FileNotFoundError, match=r"Image .*00002.jpg: there is no such file"):
            call(2)


def test_real_roads_of_mixed_sizes(shared: Path) -> None:
    dataset = CULane(shared / "data/roads", "list/train_gt.txt")
    chosen = range(0, len(dataset), len(dataset) // 12)
    records = [dataset.load(i, min_size=(90, 160)) for i in chosen]
    assert len({record.truth.image_size for record in records}) > 1
    for index, record in zip(chosen, records, strict=True):
        assert record.image.shape[:2] == record.lane_mask.shape
        assert record.image.shape[0] < record.truth.image_size[0]
        flags = tuple(int(slot in record.lane_mask) for slot in range(1, 5))
        assert flags == dataset._entries[index].existence
    assert any(record.lane_mask.any() for record in records)
