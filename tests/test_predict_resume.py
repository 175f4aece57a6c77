"""`predict --resume` with other settings or sources than before, and lists whose names must not get in the way."""

import json
from pathlib import Path

import pytest
from factories import make_picture, write_picture, write_video
from prediction_factories import find, read_lines

pytestmark = pytest.mark.usefixtures("unrefined")


@pytest.fixture
def photos(tmp_path) -> Path:
    for number in range(3):
        write_picture(tmp_path / f"photos/{number}.jpg", make_picture((64, 160), seed=number))
    return tmp_path / "photos"


def test_labels_are_written_of_pictures_that_were_drawn_without(tmp_path, weights, photos):
    find(photos, tmp_path / "out", weights)
    with pytest.warns(UserWarning, match=r"photos: pictures are done again, .* format \(jsonl, now culane\)"):
        find(photos, tmp_path / "out", weights, format="culane", resume=True)
    assert len(list((tmp_path / "out").glob("*.lines.txt"))) == 3
    assert len(read_lines(tmp_path / "out/lanes.jsonl")) == 3


def test_another_threshold_does_pictures_again(tmp_path, weights, photos):
    find(photos, tmp_path / "out", weights)
    with pytest.warns(UserWarning, match=r"threshold \(0\.0, now 1\.0\)"):
        find(photos, tmp_path / "out", weights, threshold=1.0, resume=True)
    find(photos, tmp_path / "direct", weights, threshold=1.0)
    assert (tmp_path / "out/lanes.jsonl").read_bytes() == (tmp_path / "direct/lanes.jsonl").read_bytes()
    before = (tmp_path / "out/0.jpg").stat().st_mtime_ns
    assert find(photos, tmp_path / "out", weights, threshold=1.0, resume=True).num_frames == 3
    assert (tmp_path / "out/0.jpg").stat().st_mtime_ns == before


def test_pictures_and_a_sequence_do_not_take_each_others_lanes(tmp_path, weights, photos):
    find(photos, tmp_path / "out", weights, sequence=True)
    assert {line["frame"] for line in read_lines(tmp_path / "out/lanes.jsonl")} == {0, 1, 2}
    with pytest.warns(UserWarning, match=r"sequence \(on, now off\)"):
        find(photos, tmp_path / "out", weights, resume=True)
    assert {line["frame"] for line in read_lines(tmp_path / "out/lanes.jsonl")} == {0}
    find(photos, tmp_path / "out", weights, sequence=True, resume=True)
    assert {line["frame"] for line in read_lines(tmp_path / "out/lanes.jsonl")} == {0, 1, 2}


def test_lines_about_pictures_that_are_not_named_stay(tmp_path, weights, photos):
    find(photos / "0.jpg", tmp_path / "out", weights)
    summary = find(photos / "1.jpg", tmp_path / "out", weights, resume=True)
    assert summary.num_frames == 1
    assert [Path(line["source"]).name for line in read_lines(tmp_path / "out/lanes.jsonl")] == ["0.jpg", "1.jpg"]


def test_pictures_that_another_folder_has_written_over_are_drawn_again(tmp_path, weights, photos):
    for number in range(3):
        write_picture(tmp_path / f"others/{number}.jpg", make_picture((64, 160), seed=number + 7))
    find(photos, tmp_path / "out", weights)
    drawn = (tmp_path / "out/0.jpg").read_bytes()
    with pytest.warns(UserWarning, match=r"others: lines about other pictures \(3\) are dropped from"):
        find(tmp_path / "others", tmp_path / "out", weights, resume=True)
    assert (tmp_path / "out/0.jpg").read_bytes() != drawn
    with pytest.warns(UserWarning, match=r"photos: lines about other pictures \(3\) are dropped from"):
        find(photos, tmp_path / "out", weights, resume=True)
    assert (tmp_path / "out/0.jpg").read_bytes() == drawn
    assert len(read_lines(tmp_path / "out/lanes.jsonl")) == 3


def test_pictures_that_ranks_have_written_over_are_drawn_again(tmp_path, weights, photos, monkeypatch):
    find(photos, tmp_path / "out", weights)
    drawn = (tmp_path / "out/0.jpg").read_bytes()
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in "01":
        monkeypatch.setenv("RANK", rank)
        find(photos, tmp_path / "out", weights, threshold=1.0)
    assert (tmp_path / "out/0.jpg").read_bytes() != drawn
    monkeypatch.delenv("RANK")
    monkeypatch.delenv("WORLD_SIZE")
    with pytest.warns(UserWarning, match=r"pictures are done again, .* threshold \(1\.0, now 0\.0\)"):
        find(photos, tmp_path / "out", weights, resume=True)
    assert (tmp_path / "out/0.jpg").read_bytes() == drawn


def test_labels_that_are_there_are_refused_without_saying_that_they_are_done_again(tmp_path, weights, photos):
    write_picture(tmp_path / "photos/0.png", make_picture((64, 160)))
    first = find(photos, tmp_path / "out", weights, format="labelme")
    again = find(photos, tmp_path / "out", weights, format="labelme", resume=True)
    assert again.faults == first.faults
    assert len(again.faults) == 1
    with pytest.raises(ValueError, match="are there already"):  # a warning would be an error of its own
        find(photos, tmp_path / "out", weights, format="labelme", threshold=1.0, resume=True)


def test_a_first_namesake_is_not_written_over_the_results_of_the_other(tmp_path, weights):
    write_video(tmp_path / "rec/b/drive.mp4", num_frames=2)
    find(tmp_path / "rec", tmp_path / "out", weights)
    write_video(tmp_path / "rec/drive.mp4", num_frames=3)
    with pytest.raises(ValueError, match=r"drive\.summary\.json is about .*b/drive\.mp4, and the results of .*; move"):
        find(tmp_path / "rec", tmp_path / "out", weights, resume=True)
    assert len(read_lines(tmp_path / "out/drive.lanes.jsonl")) == 2


def test_a_video_that_is_added_does_not_touch_the_others(tmp_path, weights):
    for name in "bc":
        write_video(tmp_path / f"rec/{name}/drive.mp4", num_frames=2)
    find(tmp_path / "rec", tmp_path / "out", weights)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    write_video(tmp_path / "rec/a/drive.mp4", num_frames=3)
    summary = find(tmp_path / "rec", tmp_path / "out", weights, resume=True)
    assert [each.frames for each in summary.sources] == [3]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(read_lines(tmp_path / "out/a_drive.lanes.jsonl")) == 3


def test_two_folders_of_a_list_are_two_drives(tmp_path, weights):
    for name in ("one", "two"):
        for number in range(2):
            write_picture(tmp_path / f"{name}/{number}.jpg", make_picture((64, 160), seed=number))
    (tmp_path / "drives.txt").write_text("one\ntwo\n")
    find(tmp_path / "drives.txt", tmp_path / "out", weights, sequence=True, format="cvat")
    endings = ("lanes.jsonl", "metrics.csv", "strip.jpg", "summary.json", "annotations.xml")
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert names == {f"{name}.{ending}" for name in ("one", "two") for ending in endings} | {
        f"{name}/{number}.jpg" for name in ("one", "two") for number in range(2)
    }
    lines = read_lines(tmp_path / "out/two.lanes.jsonl")
    assert [(Path(line["source"]).parent.name, line["frame"]) for line in lines] == [("two", 0), ("two", 1)]
    for ending in ("lanes.jsonl", "annotations.xml"):
        (tmp_path / f"out/one.{ending}").unlink()
    summary = find(tmp_path / "drives.txt", tmp_path / "out", weights, sequence=True, format="cvat", resume=True)
    assert [each.source for each in summary.sources] == ["one"]


def test_a_missing_picture_in_a_list_does_not_stop_label_files(tmp_path, weights, photos):
    (tmp_path / "photos/list.txt").write_text("0.jpg\ngone.jpg\n1.jpg\n")
    summary = find(tmp_path / "photos/list.txt", tmp_path / "out", weights, format="labelme")
    assert len(summary.faults) == 1
    assert all(json.loads((tmp_path / f"out/{number}.json").read_text())["shapes"] for number in range(2))


def test_a_strip_does_not_replace_a_drawn_picture(tmp_path, weights):
    write_video(tmp_path / "in/a.mp4", num_frames=2)
    write_picture(tmp_path / "in/a.strip.jpg", make_picture((64, 160)))
    with pytest.raises(ValueError, match=r"a\.strip\.jpg would be written for .*a\.strip\.jpg and again for .*a\.mp4;"):
        find(tmp_path / "in", tmp_path / "out", weights)
    assert not (tmp_path / "out").exists()
