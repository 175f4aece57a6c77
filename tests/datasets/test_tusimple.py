import json
from pathlib import Path

import numpy as np
import pytest
from factories import make_picture, make_straight_lane, write_picture

from lanenet_sad.datasets import TuSimple
from lanenet_sad.datasets.tusimple import TEST_FILES, TRAIN_FILES, VAL_FILES
from lanenet_sad.lanes.curves import sample_at_rows

SIZE = (720, 1280)
ROWS = np.arange(160.0, 720.0, 10.0)


def write_frame(root: Path, label_file: str, name: str, crossings: list[float], folder: str = "") -> None:
    lanes = [np.nan_to_num(sample_at_rows(make_straight_lane(x, SIZE).points, ROWS), nan=-2) for x in crossings]
    label = {"raw_file": name, "lanes": [lane.round(2).tolist() for lane in lanes], "h_samples": ROWS.tolist()}
    (root / label_file).parent.mkdir(parents=True, exist_ok=True)
    with (root / label_file).open("a") as file:
        file.write(json.dumps(label) + "\n")
    write_picture(root / folder / name, make_picture(SIZE))


def test_frames_of_several_label_files(tmp_path: Path) -> None:
    write_frame(tmp_path, TRAIN_FILES[0], "clips/0313-1/1/20.jpg", [300, 900])
    write_frame(tmp_path, TRAIN_FILES[1], "clips/0601/2/20.jpg", [100, 400, 800])
    dataset = TuSimple(tmp_path)
    assert len(dataset) == 2
    assert dataset.num_lanes == 6
    assert dataset.name(1) == "clips/0601/2/20.jpg"
    assert dataset.image_path(1) == tmp_path / "clips/0601/2/20.jpg"
    truth = dataset.truth(1)
    assert truth.image_size == SIZE
    assert truth.row_anchors is not None
    assert truth.row_anchors.tolist() == ROWS.tolist()
    assert [lane.slot for lane in truth.lanes] == [2, 3, 4]


def test_mask_is_drawn_in_proportion_to_culane(tmp_path: Path) -> None:
    write_frame(tmp_path, TEST_FILES[0], "clips/a/20.jpg", [300, 1100])
    record = TuSimple(tmp_path, TEST_FILES).load(0)
    assert record.lane_mask.shape == SIZE
    assert set(np.unique(record.lane_mask)) == {0, 3, 4}
    for slot, lane in ((3, record.truth.lanes[0]), (4, record.truth.lanes[1])):
        for x, y in lane.points[::12]:
            columns = np.nonzero(record.lane_mask[int(y)] == slot)[0]
            assert columns.mean() == pytest.approx(x, abs=1)
    write_frame(tmp_path, VAL_FILES[0], "clips/b/20.jpg", [640])
    upright = TuSimple(tmp_path, VAL_FILES)
    assert np.count_nonzero(upright.load(0).lane_mask[500]) in (12, 13)  # OpenCV draws even widths one wider


def test_reduced_record(tmp_path: Path) -> None:
    write_frame(tmp_path, TEST_FILES[0], "clips/a/20.jpg", [300, 1100])
    record = TuSimple(tmp_path, TEST_FILES).load(0, min_size=(360, 640))
    assert record.image.shape == (360, 640, 3)
    assert record.lane_mask.shape == (360, 640)
    assert record.truth.image_size == SIZE


def test_images_beside_a_label_file_in_a_subfolder(tmp_path: Path) -> None:
    write_frame(tmp_path, "train_set/label_data_0313.json", "clips/a/20.jpg", [300], folder="train_set")
    write_frame(tmp_path, "labels/own.json", "clips/b/20.jpg", [300])
    dataset = TuSimple(tmp_path, ["train_set/label_data_0313.json", "labels/own.json"])
    assert [dataset.load(i).image.shape for i in range(2)] == [(720, 1280, 3)] * 2


def test_raw_file_that_climbs_out_of_the_root_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "secret.jpg", make_picture((8, 8)))
    (tmp_path / "root").mkdir()
    write_frame(tmp_path / "root", "a.json", "clips/a/20.jpg", [300])
    label = {"raw_file": "clips/../../secret.jpg", "lanes": [], "h_samples": []}
    with (tmp_path / "root/a.json").open("a") as file:
        file.write(json.dumps(label) + "\n")
    with pytest.raises(ValueError, match=r"a.json, line 2: raw_file: expected the name of a file inside the dataset's"):
        TuSimple(tmp_path / "root", ["a.json"])


def test_wrong_label_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"TuSimple file .*label_data_0313.json: there is no such file"):
        TuSimple(tmp_path)
    with pytest.raises(ValueError, match=r"expected a list of file names, got 'test_label.json'"):
        TuSimple(tmp_path, "test_label.json")
    with pytest.raises(ValueError, match=r"expected a list of file names, got \[\]"):
        TuSimple(tmp_path, [])


def test_missing_picture_is_named(tmp_path: Path) -> None:
    write_frame(tmp_path, "a.json", "clips/a/20.jpg", [300])
    (tmp_path / "clips/a/20.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"Image .*clips/a/20.jpg: there is no such file"):
        TuSimple(tmp_path, ["a.json"]).load(0)
