"""Everything a user can hand over that is wrong: one clear sentence that names it, exit code 2, no traceback.

What was finished before stays on disk.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from factories import make_picture, write_culane_root, write_picture, write_video, write_weights

from lanenet_sad.cli import main
from lanenet_sad.inference import predictor


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "sure.safetensors")


def said(capsys, *words: object, code: int = 2) -> str:
    """Run the command line and return what it said on stderr: one sentence, maybe with a reason on a second line."""
    assert main([str(word) for word in words]) == code
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert 0 < len(error.strip().splitlines()) <= 2, error
    assert len(error) < 600, error
    return error


def train_words(root: Path, out: Path, *more: str) -> list[object]:
    words = ["train", "--config", "synthetic_enet_sad", "--root", root, "--out", out, "--schedule.max-steps", "2"]
    words += ["--batch-size", "1", "--view.input-size", "32", "64", "--val-split", "null"]
    return [*words, "--runtime.num-workers", "0", "--runtime.no-progress", *more]


def predict_words(source: Path, out: Path, weights: Path, *more: str) -> list[object]:
    return ["predict", source, "--out", out, "--weights", weights, "--device", "cpu", "--no-progress", *more]


def test_a_missing_list(capsys, tmp_path):
    assert "there is no list/train_gt.txt" in said(capsys, *train_words(tmp_path, tmp_path / "run"))


def test_an_empty_list(capsys, tmp_path):
    root = write_culane_root(tmp_path / "culane")
    (root / "list/train_gt.txt").write_text("\n")
    assert f"CULane list {root / 'list/train_gt.txt'}" in said(capsys, *train_words(root, tmp_path / "run"))


def test_a_list_line_with_the_wrong_number_of_fields(capsys, tmp_path):
    root = write_culane_root(tmp_path / "culane")
    with (root / "list/train_gt.txt").open("a") as file:
        file.write("/clip/00000.jpg /mask.png 1\n")
    error = said(capsys, *train_words(root, tmp_path / "run"))
    assert "train_gt.txt, line 4: expected an image, a mask and 4 existence flags, got 3 fields." in error


def test_a_mask_of_another_size(capsys, tmp_path):
    root = write_culane_root(tmp_path / "culane")
    write_picture(root / "laneseg_label_w16/clip/00001.png", np.zeros((10, 20), np.uint8))
    error = said(capsys, *train_words(root, tmp_path / "run", "--schedule.max-steps", "3"))
    assert "laneseg_label_w16/clip/00001.png" in error
    assert (tmp_path / "run" / "last.pt").is_file()


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"not a picture"])
def test_a_broken_picture_among_others(capsys, tmp_path, weights, damage):
    for number in range(3):
        write_picture(tmp_path / f"photos/{number}.jpg", make_picture((64, 160)))
    broken = tmp_path / "photos/1.jpg"
    broken.write_bytes(damage(broken.read_bytes()))
    assert str(broken) in said(capsys, *predict_words(tmp_path / "photos", tmp_path / "out", weights))
    assert len((tmp_path / "out/lanes.jsonl").read_text().splitlines()) == 2
    assert {path.name for path in (tmp_path / "out").glob("*.jpg")} == {"0.jpg", "2.jpg"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("not json", "expected a JSON object, got 'not json'", id="not-json"),
        pytest.param(json.dumps({"raw_file": "../../etc/passwd", "lanes": [], "h_samples": []}), "passwd", id="climbs"),
        pytest.param(json.dumps({"lanes": [], "h_samples": []}), "raw_file", id="no-raw-file"),
    ],
)
def test_a_tusimple_line_that_is_wrong(capsys, tmp_path, line, message):
    for name in ("label_data_0313.json", "label_data_0601.json"):
        (tmp_path / name).write_text(line + "\n")
    words = train_words(tmp_path, tmp_path / "run", "--benchmark", "tusimple", "--canvas-width", "null")
    error = said(capsys, *words)
    assert "label_data_0313.json, line 1" in error
    assert message in error


@pytest.mark.parametrize("content", [b"", b"this is text, not a video"], ids=["zero-bytes", "text"])
def test_an_unreadable_video(capsys, tmp_path, weights, content):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(content)
    assert f"{clip}: not a readable video" in said(capsys, *predict_words(clip, tmp_path / "out", weights))


def test_a_video_that_breaks_in_the_middle(capsys, tmp_path, weights):
    clip = write_video(tmp_path / "clip.mkv", num_frames=120)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    error = said(capsys, *predict_words(clip, tmp_path / "out", weights))
    assert f"{clip}: broke off after" in error
    assert 5 < len((tmp_path / "out/clip.lanes.jsonl").read_text().splitlines()) < 120
    assert (tmp_path / "out/clip.mp4").is_file()


def test_a_broken_video_in_attention(capsys, tmp_path, weights):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips/a.mp4").write_bytes(b"text")
    write_video(tmp_path / "clips/b.mp4", num_frames=2)
    words = ["attention", tmp_path / "clips", "--out", tmp_path / "out", "--weights", weights, "--no-progress"]
    assert "a.mp4: not a readable video" in said(capsys, *words)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"b.attention.mp4", "b.attention.npz"}


def test_a_cut_image_in_evaluation_with_worker_processes(capsys, tmp_path, weights):
    root = write_culane_root(tmp_path / "culane")
    picture = root / "clip/00001.jpg"
    picture.write_bytes(picture.read_bytes()[:-30])
    words = ["evaluate", "culane", "--root", root, "--weights", weights, "--split", "train", "--canvas-width", "1640"]
    error = said(capsys, *words, "--out", tmp_path / "out", "--num-workers", "2", "--no-progress")
    assert str(picture) in error
    assert len(list((tmp_path / "out/predictions").rglob("*.lines.txt"))) == 3


def test_one_bad_video_does_not_stop_the_others(capsys, tmp_path, weights):
    write_video(tmp_path / "clips/b.mp4", num_frames=3)
    (tmp_path / "clips/a.mp4").write_bytes(b"")
    assert "a.mp4" in said(capsys, *predict_words(tmp_path / "clips", tmp_path / "out", weights))
    assert (tmp_path / "out/b.mp4").is_file()


@pytest.mark.parametrize("is_shipped", [False, True], ids=["given", "shipped"])
def test_evaluating_weights_of_another_lane_count(capsys, tmp_path, monkeypatch, is_shipped):
    root = write_culane_root(tmp_path / "culane")
    six = write_weights(tmp_path / "six.safetensors", num_lanes=6)
    monkeypatch.setattr(predictor, "SHIPPED_WEIGHTS", six)
    words = ["evaluate", "culane", "--root", root, "--split", "train", "--out", tmp_path / "e"]
    error = said(capsys, *words, *([] if is_shipped else ["--weights", six]))
    assert f"Weights {six}: this network has 6 lane slots." in error


def test_starting_from_weights_of_another_architecture(capsys, tmp_path, weights):
    root = write_culane_root(tmp_path / "culane")
    words = train_words(root, tmp_path / "run", "--init-weights", str(weights), "--model.layout", "port")
    assert f"Weights {weights}: they belong to another architecture: " in said(capsys, *words)
    assert not (tmp_path / "run").exists()


def test_no_weights_given_and_none_in_the_package(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(predictor, "SHIPPED_WEIGHTS", tmp_path / "weights")
    root = write_culane_root(tmp_path / "culane")
    write_picture(tmp_path / "road.jpg", make_picture((64, 160)))
    for words in (
        ["predict", tmp_path / "road.jpg", "--out", tmp_path / "out"],
        ["attention", tmp_path / "road.jpg", "--out", tmp_path / "out"],
        ["evaluate", "culane", "--root", root, "--split", "train", "--out", tmp_path / "out"],
        train_words(root, tmp_path / "run", "--init-weights", "shipped"),
    ):
        assert "This version ships no weights, so name a FILE of yours" in said(capsys, *words)


def test_an_input_size_that_is_no_multiple_of_8(capsys, tmp_path):
    root = write_culane_root(tmp_path / "culane")
    error = said(capsys, *train_words(root, tmp_path / "run", "--view.input-size", "290", "800"))
    assert (
        "Input of 290x800 pixels: height and width must be multiples of 8; the next fitting size is 296x800." in error
    )


def test_an_empty_folder(capsys, tmp_path, weights):
    (tmp_path / "photos").mkdir()
    error = said(capsys, *predict_words(tmp_path / "photos", tmp_path / "out", weights))
    assert f"{tmp_path / 'photos'}: holds no image and no video" in error


@pytest.mark.parametrize("verb", ["predict", "train", "attention", "synthesize", "evaluate"])
def test_an_output_folder_that_cannot_be_written(capsys, tmp_path, weights, verb):
    root = write_culane_root(tmp_path / "culane")
    picture = sorted(root.rglob("*.jpg"))[0]
    blocked = tmp_path / "file"
    blocked.write_text("a file stands where the folder should go")
    out = blocked / "out"
    words = {
        "predict": predict_words(picture, out, weights),
        "train": train_words(root, out),
        "attention": ["attention", picture, "--out", out, "--weights", weights, "--no-progress"],
        "synthesize": ["synthesize", out, "--num-train", "1", "--num-val", "1", "--num-test", "1"],
        "evaluate": ["evaluate", "culane", "--root", root, "--weights", weights, "--split", "train", "--out", out,
                     "--canvas-width", "1640", "--num-workers", "0", "--no-progress"],
    }[verb]  # fmt: skip
    assert str(blocked) in said(capsys, *words)
    assert blocked.read_text().startswith("a file stands")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--batch-size", "many"], "batch_size", id="no-number"),
        pytest.param(["--colour", "red"], "--colour", id="no-such-option"),
        pytest.param(["--weights"], "--weights: expected a value", id="no-value"),
        pytest.param(["--batch-size", "0"], "batch_size: expected at least 1", id="zero-batch"),
        pytest.param(["--threshold", "7"], "threshold: expected a probability", id="threshold"),
    ],
)
def test_options_that_make_no_sense(capsys, tmp_path, weights, words, message):
    write_picture(tmp_path / "road.png", make_picture((64, 160)))
    assert message in said(capsys, *predict_words(tmp_path / "road.png", tmp_path / "out", weights, *words))
