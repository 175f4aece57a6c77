import json
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

import lanenet_sad.synthesize as synthesize_module
from lanenet_sad.datasets.culane import CULane
from lanenet_sad.datasets.synthetic import drives_with
from lanenet_sad.datasets.tusimple import TEST_FILES, TRAIN_FILES, VAL_FILES, TuSimple
from lanenet_sad.lanes.files import read_culane_list
from lanenet_sad.synthesize import SynthesisSummary, synthesize

SIZE = (96, 256)


def make_set(root: Path, **changes: Any) -> SynthesisSummary:
    settings: dict[str, Any] = {
        "num_train": 3,
        "num_val": 1,
        "num_test": 4,
        "image_size": SIZE,
        "num_workers": 1,
        "progress": False,
    }
    return synthesize(root, **{**settings, **changes})


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_culane_layout_reads_back(tmp_path: Path) -> None:
    summary = make_set(tmp_path / "set")
    assert summary.num_images == {"train": 3, "val": 1, "test": 4}
    assert sum(summary.categories.values()) == 8
    assert summary.num_kept == 0
    root = tmp_path / "set"
    for list_file, count in {"train_gt": 3, "val_gt": 1, "train": 3, "val": 1, "test": 4}.items():
        dataset = CULane(root, f"list/{list_file}.txt")
        assert len(dataset) == count
        for index, entry in enumerate(read_culane_list(root / "list" / f"{list_file}.txt", 4)):
            record = dataset.load(index)
            assert record.image.shape == (*SIZE, 3)
            slots = {lane.slot for lane in record.truth.lanes}
            assert set(np.unique(record.lane_mask)) - {0} == slots
            if list_file.endswith("_gt"):
                assert entry.existence == tuple(int(slot in slots) for slot in (1, 2, 3, 4))
                assert entry.mask is not None
                assert (root / entry.mask.lstrip("/")).is_file()
    lines = [json.loads(line) for line in (root / "lane_types.jsonl").read_text().splitlines()]
    assert len(lines) == 8
    record = CULane(root, "list/train.txt").load(0)
    assert lines[0]["image"] == CULane(root, "list/train.txt").name(0)
    assert [lane["slot"] for lane in lines[0]["lanes"]] == [lane.slot for lane in record.truth.lanes]
    assert all(set(lane) == {"slot", "style", "colour"} for line in lines for lane in line["lanes"])
    tests = sorted(entry.image for entry in read_culane_list(root / "list" / "test.txt"))
    parts = [entry.image for path in (root / "list/test_split").iterdir() for entry in read_culane_list(path)]
    assert sorted(parts) == tests


def test_tusimple_layout_reads_back_at_any_size(tmp_path: Path) -> None:
    make_set(tmp_path, layout="tusimple", image_size=(144, 256), num_train=3)
    counts = [len(TuSimple(tmp_path, files)) for files in (TRAIN_FILES, VAL_FILES, TEST_FILES)]
    assert counts == [3, 1, 4]
    dataset = TuSimple(tmp_path, TRAIN_FILES)
    for index in range(3):
        record = dataset.load(index)
        assert record.image.shape == (144, 256, 3)
        assert record.truth.row_anchors is not None
        np.testing.assert_array_equal(record.truth.row_anchors, np.arange(32, 143, 2))
    line = json.loads((tmp_path / "test_label.json").read_text().splitlines()[0])
    assert set(line) >= {"lanes", "h_samples", "raw_file"}
    assert line["raw_file"].endswith("/20.jpg")


def test_processes_change_nothing(tmp_path: Path) -> None:
    make_set(tmp_path / "one", num_train=5, drives=1, drive_frames=2)
    make_set(tmp_path / "two", num_train=5, drives=1, drive_frames=2, num_workers=2)
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name] and not name.endswith(".mp4")] == []


def test_a_set_grows_without_changing_and_keeps_what_is_there(tmp_path: Path) -> None:
    make_set(tmp_path)
    before = contents(tmp_path)
    times = {name: (tmp_path / name).stat().st_mtime_ns for name in before if name.endswith(".jpg")}
    summary = make_set(tmp_path, num_train=4)
    assert summary.num_kept == 8
    after = contents(tmp_path)
    assert all(after[name] == before[name] for name in before if not name.startswith(("list/train", "lane_types")))
    assert all((tmp_path / name).stat().st_mtime_ns == time for name, time in times.items())
    assert len(CULane(tmp_path)) == 4


def test_other_settings_are_refused_unless_overwritten(tmp_path: Path) -> None:
    make_set(tmp_path, difficulty="easy")
    with pytest.raises(ValueError, match=r"other settings: difficulty easy \(now mixed\).*--overwrite"):
        make_set(tmp_path)
    make_set(tmp_path, overwrite=True)
    fresh = tmp_path / "fresh"
    make_set(fresh)
    for name, data in contents(fresh).items():
        assert (tmp_path / name).read_bytes() == data


def test_an_interrupted_run_leaves_whole_files_and_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = synthesize_module.write_image

    def interrupt(job: Any) -> Any:
        calls.append(job)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(job)

    with monkeypatch.context() as patch:
        patch.setattr(synthesize_module, "write_image", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make_set(tmp_path)
    images = list(tmp_path.rglob("*.jpg"))
    assert len(images) == 3
    assert all(cv2.imread(str(path)) is not None for path in images)
    assert not (tmp_path / "list").exists()
    assert not any(path.name.startswith(".") for path in tmp_path.rglob("*"))
    assert json.loads((tmp_path / "synthesis.json").read_text())["finished"] is False
    assert make_set(tmp_path).num_kept == 3
    make_set(tmp_path / "fresh")
    assert contents(tmp_path / "fresh").items() <= contents(tmp_path).items()


def test_drive_is_a_video_with_the_lanes_of_every_frame(tmp_path: Path) -> None:
    make_set(tmp_path, num_train=0, num_val=0, num_test=0, drives=1, drive_frames=4)
    with av.open(str(tmp_path / "drives" / "0000.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    lines = [json.loads(line) for line in (tmp_path / "drives" / "0000.lanes.jsonl").read_text().splitlines()]
    assert len(frames) == len(lines) == 4
    assert frames[0].shape == (*SIZE, 3)
    assert [line["frame"] for line in lines] == [0, 1, 2, 3]
    assert (lines[0]["width"], lines[0]["height"]) == (256, 96)
    assert make_set(tmp_path, num_train=0, num_val=0, num_test=0, drives=1, drive_frames=4).num_kept == 1


def test_drives_with_a_manoeuvre_stand_beside_those_without(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"num_train": 0, "num_val": 0, "num_test": 0, "drives": 1, "drive_frames": 1}
    make_set(tmp_path, **settings)
    assert make_set(tmp_path, **settings, manoeuvre="cut_in").num_kept == 0
    assert make_set(tmp_path, **settings, manoeuvre="cut_in").num_kept == 1
    (index,) = drives_with("cut_in", seed=0, image_size=SIZE, count=1)
    names = {path.name for path in (tmp_path / "drives").glob("*.mp4")}
    assert names == {"0000.mp4", f"cut_in_{index:04d}.mp4"}


def test_without_masks_the_lines_are_enough(tmp_path: Path) -> None:
    make_set(tmp_path, masks=False)
    assert not (tmp_path / "laneseg_label_w16").exists()
    record = CULane(tmp_path).load(0)
    assert set(np.unique(record.lane_mask)) - {0} == {lane.slot for lane in record.truth.lanes}


@pytest.mark.parametrize("layout", ["culane", "tusimple"])
def test_contact_sheet_shows_the_first_pictures_with_their_labels(tmp_path: Path, layout: str) -> None:
    make_set(tmp_path, layout=layout, num_train=1, num_val=1, num_test=2, contact_sheet=3, difficulty="easy")
    sheet = cv2.imread(str(tmp_path / "contact_sheet.jpg"))
    assert sheet.shape[1] == 3 * 406 + 6
    assert sheet.shape[0] > 150
    before = contents(tmp_path)
    summary = make_set(tmp_path, layout=layout, num_train=1, num_val=1, num_test=2, contact_sheet=1, difficulty="easy")
    assert summary.num_kept == 4
    assert cv2.imread(str(tmp_path / "contact_sheet.jpg")).shape[1] == 412
    after = contents(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"contact_sheet.jpg"}


def test_summary_tells_the_throughput_of_this_call(tmp_path: Path) -> None:
    first = make_set(tmp_path)
    assert first.images_per_second > 0
    assert f"{first.images_per_second:.1f} images/s on 1 core" in str(first)
    again = make_set(tmp_path)
    assert again.images_per_second == 0
    assert "images/s" not in str(again)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout": "kitti"}, "expected layout culane or tusimple, got 'kitti'"),
        ({"num_val": -1}, "num_val of 0 or more, got -1"),
        ({"num_train": 0, "num_val": 0, "num_test": 0}, "nothing to do"),
        ({"drive_frames": 0}, "drive_frames of 1 or more"),
        ({"contact_sheet": -1}, "contact_sheet of 0 or more, got -1"),
        ({"num_lanes": 1}, "num_lanes of 2 or more, got 1"),
        ({"image_size": (16, 16)}, "at least 32x32"),
        ({"difficulty": "hard"}, "expected difficulty easy or mixed"),
    ],
    ids=["layout", "count", "nothing", "frames", "sheet", "lanes", "size", "difficulty"],
)
def test_bad_settings_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_set(tmp_path / "set", **change)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="a folder with other files"):
        make_set(tmp_path)
    assert contents(tmp_path) == {"thesis.txt": b"mine"}


def test_an_output_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="expected a folder, got a file"):
        make_set(tmp_path / "file")
    with pytest.raises(OSError, match=r"Cannot write .* into the folder .*file/below"):
        make_set(tmp_path / "file" / "below")
