import json
import signal
import subprocess
import sys
import time
from configparser import ConfigParser
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from factories import make_picture, write_picture, write_video, write_weights
from prediction_factories import find, read_lines

import lanenet_sad
from lanenet_sad.inference.predictor import SHIPPED_WEIGHTS, Predictor
from lanenet_sad.inference.sources import open_source
from lanenet_sad.lanes.files import read_culane_lines
from lanenet_sad.metrics.tusimple import score_tusimple_files
from lanenet_sad.models.weights import load_weights, save_weights
from lanenet_sad.predict import predict

pytestmark = pytest.mark.usefixtures("unrefined")


def test_an_image_gives_a_drawn_image_and_a_line(tmp_path, weights):
    write_picture(tmp_path / "road.png", make_picture((90, 200)))
    summary = find(tmp_path / "road.png", tmp_path / "out", weights)
    (line,) = read_lines(tmp_path / "out" / "lanes.jsonl")
    assert summary.num_frames == 1
    assert summary.faults == ()
    assert line.keys() == {"version", "source", "frame", "time", "width", "height", "lanes", "drawn"}
    assert (line["source"], line["width"], line["height"]) == (str(tmp_path / "road.png"), 200, 90)
    assert [lane["slot"] for lane in line["lanes"]] == [1, 2, 3, 4]
    for lane in line["lanes"]:
        rows = [y for _, y in lane["points"]]
        assert rows == sorted(rows, reverse=True)  # near to far
        assert all(0 <= x < 200 for x, _ in lane["points"])
    drawn = cv2.imread(str(tmp_path / "out" / "road.png"))
    assert drawn.shape == (90, 200, 3)
    assert (drawn != cv2.imread(str(tmp_path / "road.png"))).any()


def test_a_folder_keeps_its_sub_folders(tmp_path, weights):
    for name in ("a/1.jpg", "b/1.jpg", "b/2.jpg"):
        write_picture(tmp_path / "photos" / name, make_picture((64, 160)))
    find(tmp_path / "photos", tmp_path / "out", weights, batch_size=2)
    assert {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")} == {
        "a/1.jpg",
        "b/1.jpg",
        "b/2.jpg",
        "lanes.jsonl",
        "lanes.settings.yaml",
    }
    lines = read_lines(tmp_path / "out" / "lanes.jsonl")
    assert [line["frame"] for line in lines] == [0, 0, 0]


def test_a_sequence_counts_its_frames(tmp_path, weights):
    for number in range(3):
        write_picture(tmp_path / f"photos/{number}.jpg", make_picture((64, 160)))
    find(tmp_path / "photos", tmp_path / "out", weights, sequence=True)
    assert [(line["frame"], line["time"]) for line in read_lines(tmp_path / "out" / "lanes.jsonl")] == [
        (0, 0.0),
        (1, 0.04),
        (2, 0.08),
    ]


def test_a_video_gives_a_video_and_lines_of_its_name(tmp_path, weights):
    write_video(tmp_path / "drive.mp4", num_frames=5, size=(65, 161))
    find(tmp_path / "drive.mp4", tmp_path / "out", weights, batch_size=3)
    assert len(read_lines(tmp_path / "out" / "drive.lanes.jsonl")) == 5
    with open_source(str(tmp_path / "out" / "drive.mp4")) as source:
        assert sum(1 for _ in source) == 5


def test_batches_change_nothing(tmp_path, weights):
    write_video(tmp_path / "drive.mp4", num_frames=5)
    for batch_size in (1, 4):
        find(tmp_path / "drive.mp4", tmp_path / str(batch_size), weights, batch_size=batch_size)
    one, four = (read_lines(tmp_path / size / "drive.lanes.jsonl") for size in ("1", "4"))
    assert all(line["lanes"] for line in one)
    for single, batched in zip(one, four, strict=True):
        for lane, other in zip(single["lanes"], batched["lanes"], strict=True):
            np.testing.assert_allclose(lane["points"], other["points"], atol=0.05)


def test_culane_files_hold_the_same_lanes(tmp_path, weights):
    write_picture(tmp_path / "photos/road.jpg", make_picture((64, 160)))
    find(tmp_path / "photos", tmp_path / "out", weights, format="culane")
    (line,) = read_lines(tmp_path / "out" / "lanes.jsonl")
    lanes = read_culane_lines(tmp_path / "out" / "road.lines.txt")
    assert len(lanes) == 4
    for lane, written in zip(lanes, line["lanes"], strict=True):
        np.testing.assert_allclose(lane.points, written["points"], atol=0.006)


def test_tusimple_files_sample_the_benchmarks_rows(tmp_path, weights):
    write_picture(tmp_path / "photos/road.jpg", make_picture((720, 1280)))
    find(tmp_path / "photos", tmp_path / "out", weights, format="tusimple")
    (line,) = (tmp_path / "out" / "photos.tusimple.json").read_text().splitlines()
    content = json.loads(line)
    assert content["raw_file"] == "road.jpg"
    assert content["h_samples"] == list(range(160, 720, 10))
    assert all(len(lane) == 56 for lane in content["lanes"])
    files = [tmp_path / "out" / "photos.tusimple.json"] * 2
    assert score_tusimple_files(*files).accuracy == 1.0  # a slow first picture does not cost the score


def test_labelme_files_open_the_original_pictures(tmp_path, weights):
    for name in ("a/road.jpg", "b/road.png"):
        write_picture(tmp_path / "photos" / name, make_picture((90, 200)))
    summary = find(tmp_path / "photos", tmp_path / "out", weights, format="labelme")
    lines = read_lines(tmp_path / "out" / "lanes.jsonl")
    for line, name in zip(lines, ("a/road", "b/road"), strict=True):
        path = tmp_path / "out" / f"{name}.json"
        assert path in summary.paths
        content = json.loads(path.read_text(encoding="utf-8"))
        assert (path.parent / content["imagePath"]).resolve() == Path(line["source"]).resolve()
        assert (content["imageHeight"], content["imageWidth"]) == (90, 200)
        assert [shape["label"] for shape in content["shapes"]] == ["lane_1", "lane_2", "lane_3", "lane_4"]
        for shape, lane in zip(content["shapes"], line["lanes"], strict=True):
            assert 2 <= len(shape["points"]) <= 12
            assert all(point in lane["points"] for point in shape["points"])


def test_one_cvat_file_has_all_pictures_and_one_more_each_video(tmp_path, weights):
    for name in ("a/1.jpg", "b/2.jpg"):
        write_picture(tmp_path / "photos" / name, make_picture((90, 200)))
    write_video(tmp_path / "photos/drive.mp4", num_frames=3)
    find(tmp_path / "photos", tmp_path / "out", weights, format="cvat")
    for name, images in (("", ["a/1.jpg", "b/2.jpg"]), ("drive.", ["frame_000000", "frame_000001", "frame_000002"])):
        lines = read_lines(tmp_path / "out" / f"{name}lanes.jsonl")
        root = ElementTree.parse(tmp_path / "out" / f"{name}annotations.xml").getroot()
        assert [image.get("name") for image in root.findall("image")] == images
        for line, image in zip(lines, root.findall("image"), strict=True):
            assert (image.get("width"), image.get("height")) == (str(line["width"]), str(line["height"]))
            assert [each.findtext("attribute") for each in image] == [str(lane["slot"]) for lane in line["lanes"]]
            for polyline, lane in zip(image, line["lanes"], strict=True):
                points = [[float(n) for n in pair.split(",")] for pair in polyline.get("points").split(";")]
                assert all(point in lane["points"] for point in points)


def test_labelme_refuses_a_video_and_says_what_to_do(tmp_path, weights):
    clip = write_video(tmp_path / "drive.mp4", num_frames=2)
    with pytest.raises(ValueError, match=r"drive\.mp4: labelme opens pictures, not videos; use --format cvat, or"):
        find(clip, tmp_path / "out", weights, format="labelme")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("tool", "name"), [("labelme", "road.json"), ("cvat", "annotations.xml")])
def test_labels_that_may_be_corrected_are_not_written_over(tmp_path, weights, tool, name):
    write_picture(tmp_path / "photos/road.jpg", make_picture((64, 160)))
    find(tmp_path / "photos", tmp_path / "out", weights, format=tool)
    (tmp_path / "out" / name).write_text("corrected by hand")
    with pytest.raises(ValueError, match=rf"Labels .*{name} are there already, perhaps corrected by hand"):
        find(tmp_path / "photos", tmp_path / "out", weights, format=tool)
    assert (tmp_path / "out" / name).read_text() == "corrected by hand"


@pytest.mark.parametrize("size", [(590, 1640), (720, 1280), (768, 480), (100, 800), (33, 47)], ids=str)
def test_any_size_and_aspect_is_taken(size, weights):
    predictor = Predictor.from_weights(weights, device="cpu", threshold=0.0)
    (prediction,) = predictor([make_picture(size)])
    assert prediction.image_size == size
    assert len(prediction.lanes) == (4 if size[0] > 40 else len(prediction.lanes))
    for lane in prediction.lanes:
        assert lane.points[:, 0].min() >= -0.5
        assert lane.points[:, 0].max() <= size[1] - 0.5
        assert lane.points[:, 1].max() <= size[0] - 1


def test_without_weights_those_in_the_package_are_taken(tmp_path, monkeypatch, weights):
    monkeypatch.setattr("lanenet_sad.inference.predictor.SHIPPED_WEIGHTS", weights)
    write_picture(tmp_path / "road.jpg", make_picture((90, 200)))
    predict(str(tmp_path / "road.jpg"), out=tmp_path / "out", device="cpu", threshold=0.0, progress=False)
    (line,) = read_lines(tmp_path / "out" / "lanes.jsonl")
    assert len(line["lanes"]) == 4


def test_weights_in_the_package_are_installed_with_it():
    settings = ConfigParser()
    settings.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf-8")
    assert Path(lanenet_sad.__file__).parent / "weights" == SHIPPED_WEIGHTS.parent
    assert "weights/*" in settings["options.package_data"]["lanenet_sad"].split()


def test_an_unsure_network_finds_nothing(tmp_path):
    unsure = write_weights(tmp_path / "unsure.safetensors", belief=-20.0)
    predictor = Predictor.from_weights(unsure, device="cpu", threshold=0.0)
    assert predictor([make_picture((90, 200))])[0].lanes == ()


def test_the_original_is_never_drawn_over(tmp_path, weights):
    write_picture(tmp_path / "road.png", make_picture((64, 160)))
    before = (tmp_path / "road.png").read_bytes()
    with pytest.raises(ValueError, match="is an input itself"):
        find(tmp_path / "road.png", tmp_path, weights)
    assert (tmp_path / "road.png").read_bytes() == before
    assert not (tmp_path / "lanes.jsonl").exists()


def test_a_video_beside_another_of_its_name_is_not_overwritten(tmp_path, weights):
    write_video(tmp_path / "clips" / "drive.mkv", num_frames=2)
    other = write_video(tmp_path / "clips" / "drive.mp4", num_frames=3)
    before = other.read_bytes()
    find(tmp_path / "clips", tmp_path / "clips", weights)
    assert other.read_bytes() == before
    assert {path.name for path in (tmp_path / "clips").glob("drive_*.mp4")} == {"drive_mkv.mp4", "drive_mp4.mp4"}


def test_results_inside_the_source_are_not_read_again(tmp_path, weights):
    write_picture(tmp_path / "photos" / "road.jpg", make_picture((64, 160)))
    for _ in range(2):
        assert find(tmp_path / "photos", tmp_path / "photos" / "out", weights).num_frames == 1


def test_nothing_readable_leaves_earlier_results(tmp_path, weights):
    picture = tmp_path / "road.jpg"
    write_picture(picture, make_picture((64, 160)))
    find(picture, tmp_path / "out", weights)
    before = (tmp_path / "out" / "lanes.jsonl").read_text()
    picture.write_bytes(b"")
    assert len(find(picture, tmp_path / "out", weights).faults) == 1
    assert (tmp_path / "out" / "lanes.jsonl").read_text() == before


@pytest.mark.parametrize(("file_format", "title"), [("culane", "CULane"), ("labelme", "labelme")])
def test_two_images_with_one_name_for_their_lanes_are_reported(tmp_path, weights, file_format, title):
    for suffix in ("jpg", "png"):
        write_picture(tmp_path / "photos" / f"road.{suffix}", make_picture((64, 160)))
    (fault,) = find(tmp_path / "photos", tmp_path / "out", weights, format=file_format).faults
    assert f"road.png: {title}'s name for its lanes" in fault


@pytest.mark.parametrize("verb", ["predict", pytest.param("attention", marks=pytest.mark.slow)])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_keeps_the_finished_part(tmp_path, weights, verb, number):
    clip = write_video(tmp_path / "drive.mp4", num_frames=3000)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "lanenet_sad", verb, str(clip), "--out", str(out), "--weights", str(weights)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and sum(path.stat().st_size for path in out.glob(".*")) < 20_000:
        time.sleep(0.05)
    process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert "interrupted" in error
    with open_source(str(next(out.glob("*.mp4")))) as source:
        num_frames = sum(1 for _ in source)
        assert source.faults == []
    assert 0 < num_frames < 3000
    if verb == "predict":
        assert num_frames - len(read_lines(out / "drive.lanes.jsonl")) in (0, 1)
    else:
        with np.load(out / "drive.attention.npz") as maps:
            assert len(maps) // 4 in (num_frames, num_frames - 1)
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("device", ["cuda", "mps", "tpu"])
def test_a_device_that_is_not_there_is_refused(weights, device):
    import torch

    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(ValueError, match=f"Device '{device}'"):
        Predictor.from_weights(weights, device=device)


def test_real_video_runs(shared, tmp_path, weights):
    clip = shared / "data" / "videos" / "udacity_solidWhiteRight.mp4"
    predictor = Predictor.from_weights(weights, device="cpu")
    with open_source(str(clip)) as source:
        frame = next(iter(source))
    assert predictor([frame.image])[0].image_size == (540, 960)


def test_the_point_threshold_is_the_one_asked_for_or_that_of_the_weights(tmp_path, weights):
    network, card = load_weights(weights)
    save_weights(tmp_path / "own.safetensors", network, replace(card, threshold=0.6))
    thresholds = [
        Predictor.from_weights(path, device="cpu", **options).decoder.threshold
        for path, options in (
            (weights, {}),
            (tmp_path / "own.safetensors", {}),
            (tmp_path / "own.safetensors", {"threshold": 0.2}),
        )
    ]
    assert thresholds == [0.3, 0.6, 0.2]
