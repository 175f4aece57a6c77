"""Own labels become a dataset in CULane's layout by one command."""

import base64
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from benchmark_factories import write_curvelanes_root
from factories import make_picture, write_culane_root, write_picture

from lanenet_sad.check import check
from lanenet_sad.cli import main
from lanenet_sad.convert import convert
from lanenet_sad.datasets import CULane
from lanenet_sad.lanes.files import read_culane_lines
from lanenet_sad.lanes.images import image_size, read_image

LINES = {"left": [[20, 70], [70, 30]], "right": [[150, 70], [90, 30]]}


def label(lines=LINES, image="a.jpg", size=(72, 160), **more) -> dict:
    shapes = [{"label": name, "points": points, "shape_type": "linestrip"} for name, points in lines.items()]
    return {"version": "5", "imagePath": image, "imageHeight": size[0], "imageWidth": size[1], "shapes": shapes, **more}


def write_labels(root: Path, folders=("one", "two"), number: int = 3) -> Path:
    for folder in folders:
        for n in range(number):
            write_picture(root / folder / f"{n}.jpg", make_picture((72, 160)) // (1 + n + 3 * (folder == "two")))
            (root / folder / f"{n}.json").write_text(json.dumps(label(image=f"{n}.jpg")))
    return root


def names(root: Path, split: str) -> list[str]:
    return [line.split()[0] for line in (root / f"list/{split}_gt.txt").read_text().splitlines()]


def test_labelme_files_become_pictures_lines_masks_and_lists(tmp_path, capsys):
    source = write_labels(tmp_path / "labels")
    assert main(["convert", str(source), "--out", str(tmp_path / "own"), "--val-share", "0.5"]) == 0
    said = capsys.readouterr().out
    assert "6 pictures (3 train, 3 val)" in said
    assert "12 lanes (slot 2: 6, slot 3: 6); 0 pictures without lanes" in said
    assert {name.split("/")[1] for name in names(tmp_path / "own", "train")} != {
        name.split("/")[1] for name in names(tmp_path / "own", "val")
    }  # whole folders apart
    dataset = CULane(tmp_path / "own", "list/val_gt.txt")
    record = dataset.load(0)
    assert sorted(np.unique(record.lane_mask)) == [0, 2, 3]
    assert [lane.slot for lane in record.truth.lanes] == [2, 3]
    np.testing.assert_allclose(record.truth.lanes[0].points, LINES["left"])
    assert not check(tmp_path / "own", "culane", progress=False).faults


def test_pictures_of_one_folder_are_parted_once_in_order(tmp_path):
    source = write_labels(tmp_path / "labels", folders=("clip",), number=12)
    convert(source, out=tmp_path / "own", val_share=0.25, progress=False)
    assert names(tmp_path / "own", "val") == ["/clip/9.jpg", "/clip/10.jpg", "/clip/11.jpg"]
    result = convert(source, out=tmp_path / "none", val_share=0, progress=False)
    assert result.pictures == {"train": 12}


def test_val_folders_are_those_named(tmp_path):
    source = write_labels(tmp_path / "labels")
    convert(source, out=tmp_path / "own", val_folders=["o*"], progress=False)
    assert {name.split("/")[1] for name in names(tmp_path / "own", "val")} == {"one"}
    with pytest.raises(ValueError, match=r"--val-folders three: no picture lies in a folder of that name"):
        convert(source, out=tmp_path / "other", val_folders=["three"], progress=False)


def test_only_some_labels_are_lanes(tmp_path):
    source = write_labels(tmp_path / "labels")
    result = convert(source, out=tmp_path / "own", labels=["le*"], progress=False)
    assert (dict(result.labels), dict(result.passed_over)) == ({"left": 6}, {"right": 6})
    with pytest.raises(ValueError, match=r"--labels kerb: no line has such a label; there are left, right"):
        convert(source, out=tmp_path / "other", labels=["kerb"], progress=False)


def test_labels_may_name_slots(tmp_path):
    source = tmp_path / "labels"
    write_picture(source / "a.jpg", make_picture((72, 160)))
    numbered = {"lane_1": LINES["left"], "lane_4": LINES["right"]}
    (source / "a.json").write_text(json.dumps(label(numbered)))
    assert dict(convert(source, out=tmp_path / "by", label_slots=True, progress=False).slots) == {1: 1, 4: 1}
    assert dict(convert(source, out=tmp_path / "not", progress=False).slots) == {2: 1, 3: 1}


def test_what_is_broken_is_told_and_the_rest_goes_on(tmp_path, capsys):
    source = write_labels(tmp_path / "labels")
    (source / "one/0.json").write_text('{"shapes": [{"label"')
    (source / "one/1.jpg").unlink()
    (source / "two/2.jpg").write_bytes(b"\xff\xd8 no picture")
    write_picture(source / "two/unlabelled.jpg", make_picture((72, 160)))
    words = ["convert", str(source), "--out", str(tmp_path / "own"), "--format", "labelme"]
    assert main(words) == 2
    told = capsys.readouterr()
    assert "left out: " in told.out
    for name in ("0.json", "1.jpg", "2.jpg"):
        assert name in told.err
    assert len(names(tmp_path / "own", "train") + names(tmp_path / "own", "val")) == 3


def test_a_second_run_writes_the_same_but_never_over_what_somebody_changed(tmp_path):
    source = write_labels(tmp_path / "labels")
    convert(source, out=tmp_path / "own", progress=False)
    before = {path: path.read_bytes() for path in (tmp_path / "own").rglob("*.txt")}
    assert not convert(source, out=tmp_path / "own", progress=False).faults
    assert {path: path.read_bytes() for path in (tmp_path / "own").rglob("*.txt")} == before
    mended = tmp_path / "own/one/0.lines.txt"
    mended.write_text("1 2 3 4\n")
    (source / "one/0.json").write_text(json.dumps(label({"left": [[25, 70], [75, 30]]}, "0.jpg")))
    (fault,) = convert(source, out=tmp_path / "own", progress=False).faults
    assert "0.lines.txt was changed after it was written" in fault
    assert mended.read_text() == "1 2 3 4\n"


def test_a_folder_of_other_origin_is_refused(tmp_path):
    source = write_labels(tmp_path / "labels")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="no empty folder"):
        convert(source, out=tmp_path / "full", progress=False)
    with pytest.raises(ValueError, match="expected a folder apart from"):
        convert(source, out=source / "own", progress=False)


def set_orientation(path: Path, orientation: int) -> None:
    """Writes an EXIF flag into a JPEG: 3 turns it by half, 6 by a quarter."""
    picture = path.read_bytes()
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00" + bytes([orientation, 0, 0, 0])
    exif = b"\xff\xe1\x00\x22Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00" + entry + b"\x00\x00\x00\x00"
    path.write_bytes(picture[:2] + exif + picture[2:])


def test_a_picture_inside_the_label_and_one_that_was_turned(tmp_path):
    source = tmp_path / "labels"
    write_picture(source / "turned.jpg", make_picture((160, 72)))
    set_orientation(source / "turned.jpg", 6)
    (source / "turned.json").write_text(json.dumps(label(image="turned.jpg")))
    inside = cv2.imencode(".jpg", make_picture((72, 160)))[1].tobytes()
    embedded = label(image="gone.jpg", imageData=base64.b64encode(inside).decode())
    (source / "embedded.json").write_text(json.dumps(embedded))
    result = convert(source, out=tmp_path / "own", val_share=0, progress=False)
    assert not result.faults
    assert image_size(tmp_path / "own/turned.jpg") == (72, 160)
    assert (tmp_path / "own/embedded.jpg").read_bytes() == inside


def test_a_picture_turned_by_half_is_written_as_the_program_showed_it(tmp_path):
    source = tmp_path / "labels"
    write_picture(source / "a.jpg", make_picture((72, 160)))
    stored = read_image(source / "a.jpg").astype(int)
    set_orientation(source / "a.jpg", 3)
    (source / "a.json").write_text(json.dumps(label()))
    convert(source, out=tmp_path / "labelme", progress=False)
    assert np.abs(read_image(tmp_path / "labelme/a.jpg").astype(int) - stored[::-1, ::-1]).mean() < 3
    (source / "a.json").unlink()
    (source / "a.lines.txt").write_text("20 70 70 30\n")  # CULane's text is about stored pixels
    convert(source, out=tmp_path / "culane", progress=False)
    assert (tmp_path / "culane/a.jpg").read_bytes() == (source / "a.jpg").read_bytes()


def test_pictures_that_predict_drew_into_are_not_trained_on(tmp_path, capsys):
    source = write_labels(tmp_path / "labels", folders=("2024", "2025"))
    (source / "lanes.jsonl").write_text("{}\n")
    words = ["convert", str(source), "--out", str(tmp_path / "own")]
    assert main(words) == 2
    assert "have lanes drawn into them by predict); name the folder of the pictures with --images" in (
        capsys.readouterr().err
    )
    write_labels(tmp_path / "originals", folders=("2024", "2025"))
    assert main([*words, "--images", str(tmp_path / "originals"), "--val-folders", "2024"]) == 0
    assert {name.split("/")[1] for name in names(tmp_path / "own", "val")} == {"2024"}


def test_a_broken_list_of_a_benchmark_is_told(tmp_path):
    root = write_culane_root(tmp_path / "culane")
    (root / "list/val_gt.txt").write_text("/clip/00000.jpg /../x.png\n")
    result = convert(root, out=tmp_path / "own", progress=False)
    assert result.pictures == {"train": 3}
    (fault,) = result.faults
    assert "val_gt.txt, line 1" in fault
    assert "no labels to read for val, test" in result.summary()


def test_a_label_of_another_picture_size_is_a_fault(tmp_path):
    source = write_labels(tmp_path / "labels")
    (source / "one/0.json").write_text(json.dumps(label(image="0.jpg", size=(144, 320))))
    (fault,) = convert(source, out=tmp_path / "own", progress=False).faults
    assert "its label was drawn on 144x320 pixels (height x width), but it has 72x160" in fault


def test_cvat_and_coco_files_with_their_pictures(tmp_path):
    for n in range(2):
        write_picture(tmp_path / f"cvat/images/{n} a.jpg", make_picture((72, 160)))
    lines = '<polyline label="lane" points="20,70;70,30"/>'
    images = "".join(f'<image name="{n} a.jpg" width="160" height="72">{lines * (n == 0)}</image>' for n in range(2))
    (tmp_path / "cvat/annotations.xml").write_text(f"<annotations>{images}</annotations>")
    result = convert(tmp_path / "cvat", out=tmp_path / "a", val_share=0, progress=False)
    assert (result.kind, result.empty, dict(result.pictures)) == ("cvat", 1, {"train": 2})
    assert names(tmp_path / "a", "train") == ["/0_a.jpg", "/1_a.jpg"]
    content = {
        "images": [{"id": 1, "file_name": "0 a.jpg", "height": 72, "width": 160}],
        "categories": [{"id": 3, "name": "solid"}],
        "annotations": [{"image_id": 1, "category_id": 3, "segmentation": [[20, 70, 70, 30, 74, 30, 26, 70]]}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    result = convert(tmp_path / "coco.json", out=tmp_path / "b", images=tmp_path / "cvat/images", progress=False)
    assert dict(result.labels) == {"solid": 1}
    (lane,) = read_culane_lines(tmp_path / "b/0_a.lines.txt")
    assert abs(lane.points[0, 0] - 23) < 2


def test_culane_text_without_lists_and_benchmarks(tmp_path):
    root = write_culane_root(tmp_path / "culane")
    for path in (root / "list").rglob("*.txt"):
        path.unlink()
    result = convert(root, out=tmp_path / "own", num_lanes=6, masks=False, progress=False)
    assert result.kind == "culane"
    assert not (tmp_path / "own/laneseg_label_w16").exists()
    assert len(CULane(tmp_path / "own", "list/train.txt", num_lanes=6)) == 2
    curves = write_curvelanes_root(tmp_path / "curves", split="train")
    result = convert(curves, out=tmp_path / "from_curves", progress=False)
    assert result.kind == "curvelanes"
    assert result.pictures["train"] > 0
    assert result.num_lanes > 0


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()], ids=["nothing", "empty"])
def test_a_source_without_labels_is_an_error(tmp_path, make):
    make(tmp_path / "labels")
    with pytest.raises((ValueError, FileNotFoundError), match=r"there is no such file or folder|found none"):
        convert(tmp_path / "labels", out=tmp_path / "own")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["labelme", "cvat"])
def test_the_example_becomes_a_trained_model(shared, tmp_path, kind, capsys):
    own, run = str(tmp_path / "own"), str(tmp_path / "run")
    assert main(["convert", str(shared / "data/own_labels_example" / kind), "--out", own]) == 0
    assert main(["check", own, "culane"]) == 0
    small = ["--schedule.max-steps", "8", "--batch-size", "2", "--runtime.num-workers", "0"]
    assert main(["train", "--config", "own_roads_enet_sad", "--root", own, "--out", run, *small]) == 0
    weights = ["--weights", f"{run}/best.safetensors"]
    words = ["--root", own, "--split", "val", "--canvas-width", "1640", *weights, "--out", run]
    assert main(["evaluate", "culane", *words]) == 0
    assert json.loads((tmp_path / "run/score.json").read_text())["results"][0]["f1"] > 0.5
