"""The verb `score`: prediction files of any model against label files."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from lanenet_sad import cli
from lanenet_sad.score import score

LABEL = "100 580 300 300 400 200\n900 580 700 300 600 200\n"


def make_root(root: Path, *, names: tuple[str, ...] = ("a/1", "a/2", "b/1")) -> Path:
    for name in names:
        for folder in ("labels", "found"):
            path = root / folder / f"{name}.lines.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(LABEL)
    (root / "found/a/2.lines.txt").write_text(LABEL.splitlines()[0] + "\n1300 580 1310 300 1320 200\n")
    (root / "labels/list/test_split").mkdir(parents=True)
    (root / "labels/list/test_split/test0_normal.txt").write_text("/a/1.jpg\n/a/2.jpg\n")
    (root / "labels/list/test_split/test7_cross.txt").write_text("/b/1.jpg\n")
    (root / "labels/b/1.lines.txt").write_text("")
    return root


def run(root: Path, **options):
    defaults = {"annotations": root / "labels", "predictions": root / "found", "progress": False}
    return score("culane", **{**defaults, **options})


def words(root: Path, *more: str) -> list[str]:
    return ["score", "culane", "--annotations", f"{root}/labels", "--predictions", f"{root}/found", *more]


def test_json_and_table_have_totals_categories_and_crossroads(tmp_path, capsys):
    make_root(tmp_path)
    assert cli.main(words(tmp_path, "--iou", "0.5", "0.75", "--json", str(tmp_path / "out.json"))) == 0
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["benchmark"] == "culane"
    assert [row["iou_threshold"] for row in written["results"]] == [0.5, 0.75]
    row = written["results"][0]
    assert (row["tp"], row["fp"], row["fn"], row["lane_width"]) == (3, 3, 1, 30)
    assert row["precision"] == 0.5
    assert row["recall"] == 0.75
    assert row["categories"]["test7_cross"] == {"fp": 2}
    assert row["categories"]["test0_normal"]["f1"] == pytest.approx(0.75)
    assert written["mean_f1"] == pytest.approx(0.6)
    text = capsys.readouterr().out
    assert "test7_cross" in text
    assert "mF1" in text


def test_lists_may_be_a_file_files_or_a_folder(tmp_path):
    root = make_root(tmp_path)
    lists = root / "labels/list/test_split"
    whole = run(root, lists=[lists]).score
    assert run(root, lists=sorted(lists.glob("*.txt"))).score == whole == run(root).score
    alone = run(root, lists=[lists / "test0_normal.txt"]).score
    assert alone.categories[0.5] == {}
    assert alone.totals[0.5].fp == 1


def test_optimal_matching_takes_the_best_pairs(tmp_path):
    root = make_root(tmp_path)
    near = "100 580 300 300 400 200\n100 580 300 300 401 200\n"  # IoUs within the official tool's tolerance
    (root / "labels/a/1.lines.txt").write_text(near)
    (root / "found/a/1.lines.txt").write_text(near)
    official, optimal = (
        run(root, iou=[0.999], lane_width=200, matching=matching).score for matching in ("official", "optimal")
    )
    assert (official.totals[0.999].tp, optimal.totals[0.999].tp) == (1, 3)


def test_missing_files_are_an_error_that_names_them(tmp_path, capsys):
    root = make_root(tmp_path)
    (root / "found/a/2.lines.txt").unlink()
    assert cli.main(words(root)) == 2
    told = capsys.readouterr().err
    assert "1 prediction files" in told
    assert "/a/2.jpg" in told
    assert "--allow-missing" in told
    assert run(root, allow_missing=True).score.totals[0.5].fn == 2
    assert "1 pictures without a file" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["found/a", "."], ids=["too-deep", "too-high"])
def test_a_wrong_folder_is_found_out_before_any_work(tmp_path, wrong):
    root = make_root(tmp_path)
    with pytest.raises(FileNotFoundError, match="give --predictions"):
        run(root, predictions=root / wrong, lists=[root / "labels/list/test_split/test0_normal.txt"])


def test_pictures_of_another_size_are_an_error(tmp_path):
    root = make_root(tmp_path)
    cv2.imwrite(str(root / "labels/a/2.jpg"), np.zeros((720, 1280, 3), np.uint8))
    with pytest.raises(ValueError, match=r"/a/2.jpg with 720x1280.*--image-size 720 1280.*--canvas-width 1640"):
        run(root)
    lists = [root / "labels/list/test_split/test0_normal.txt"]
    cv2.imwrite(str(root / "labels/a/1.jpg"), np.zeros((590, 1640, 3), np.uint8))
    scaled = run(root, lists=lists, canvas_width=1640).score
    assert scaled.totals[0.5].tp == 3
    with pytest.raises(FileNotFoundError, match=r"b/1\.jpg"):
        run(root, canvas_width=1640)


@pytest.mark.parametrize(
    ("lists", "message"),
    [("nowhere.txt", "no such file"), ("empty.txt", "empty list"), ("folder", "there are none")],
)
def test_lists_without_images_are_an_error(tmp_path, lists, message):
    root = make_root(tmp_path)
    (root / "empty.txt").write_text("\n")
    (root / "folder").mkdir()
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run(root, lists=[root / lists])


def test_no_lists_at_all_is_an_error(tmp_path):
    root = make_root(tmp_path)
    with pytest.raises(FileNotFoundError, match="expected --lists"):
        run(root, annotations=root / "found")


def test_a_score_of_nothing_is_warned_of(tmp_path):
    root = make_root(tmp_path)
    for path in (root / "found").rglob("*.txt"):
        path.write_text("100 290 300 150 400 100\n")
    with pytest.warns(UserWarning, match="Not one of the predicted lanes"):
        run(root)
    for path in (root / "found").rglob("*.txt"):
        path.write_text("")
    with pytest.warns(UserWarning, match="No prediction file has a single lane"):
        run(root)


def test_odd_lanes_are_noted_and_refused_when_strict(tmp_path, capsys):
    root = make_root(tmp_path)
    (root / "found/a/1.lines.txt").write_text(LABEL + "5 5\n")
    assert cli.main(words(root)) == 0
    assert "note: predictions: 1 lane with a single point" in capsys.readouterr().out
    assert cli.main(words(root, "--strict")) == 2
    told = capsys.readouterr()
    assert "1 lane with a single point" in told.err
    assert "CULane F1" in told.out  # the figures hold all the same


def test_tusimple_files_are_scored_by_the_official_rules(tmp_path, capsys):
    rows = list(range(240, 720, 10))
    frames = [
        {"raw_file": f"{n}.jpg", "lanes": [[600] * 48, [-2] * 8 + [700] * 40], "h_samples": rows} for n in range(3)
    ]
    (tmp_path / "labels.json").write_text("".join(json.dumps(frame) + "\n" for frame in frames))
    found = [{**frame, "lanes": [[605] * 48], "run_time": 1} for frame in frames]
    (tmp_path / "found.json").write_text("".join(json.dumps(frame) + "\n" for frame in found[:2]))
    given = ["score", "tusimple", "--labels", f"{tmp_path}/labels.json", "--predictions", f"{tmp_path}/found.json"]
    assert cli.main(given) == 2
    assert "We do not get the predictions of all the test tasks" in capsys.readouterr().err
    assert cli.main([*given, "--allow-missing", "--json", f"{tmp_path}/out.json"]) == 0
    written = json.loads((tmp_path / "out.json").read_text())
    assert (written["benchmark"], written["missing"]) == ("tusimple", 1)
    assert written["fn"] == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert written["accuracy"] == pytest.approx(2 / 3 * (1 + 0) / 2, abs=1e-9)


def test_one_prediction_matches_one_label_when_matching_is_optimal(tmp_path):
    rows = list(range(240, 720, 10))
    frame = {"raw_file": "1.jpg", "lanes": [[600] * 48, [610] * 48], "h_samples": rows, "run_time": 1}
    (tmp_path / "labels.json").write_text(json.dumps(frame))
    (tmp_path / "found.json").write_text(json.dumps({**frame, "lanes": [[605] * 48]}))
    files = {"labels": tmp_path / "labels.json", "predictions": tmp_path / "found.json"}
    assert score("tusimple", **files).score.false_positives == -1  # as the official script has it
    assert score("tusimple", matching="optimal", **files).score.to_dict() | {"metric": ""} == {
        "metric": "",
        "num_images": 1,
        "accuracy": 0.5,
        "fp": 0.0,
        "fn": 0.5,
    }


def test_an_unknown_benchmark_names_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="culane, tusimple"):
        score("kitti", predictions=tmp_path)


def test_it_does_without_torch(tmp_path):
    make_root(tmp_path)
    program = (
        f"import sys\nfrom lanenet_sad.cli import main\nmain({words(tmp_path)!r})\nassert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": (0, 0)}, "expected a positive height and width"),
        ({"lane_width": 0}, "Expected positive widths"),
        ({"num_workers": 0}, "--num-workers: expected 1 or more"),
        ({"iou": [1.5]}, "IoU thresholds"),
    ],
    ids=["canvas", "lane", "processes", "threshold"],
)
def test_numbers_without_sense_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        run(make_root(tmp_path), **options)


def test_two_lists_of_one_name_are_refused_and_repeated_images_are_told(tmp_path, capsys):
    root = make_root(tmp_path)
    first = root / "labels/list/test_split/test0_normal.txt"
    other = root / "elsewhere/test0_normal.txt"
    other.parent.mkdir()
    other.write_text("/b/1.jpg\n")
    with pytest.raises(ValueError, match="test0_normal twice"):
        run(root, lists=[first, other])
    (root / "again.txt").write_text("/a/1.jpg\n")
    assert run(root, lists=[first, root / "again.txt"]).score.num_images == 3
    assert "1 images stand in them more than once" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_named(tmp_path):
    root = make_root(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"--images .*nowhere: expected a folder"):
        run(root, images=root / "nowhere")
    (root / "found/a/1.lines.txt").unlink()
    (root / "found/a/1.lines.txt").mkdir()
    with pytest.raises(OSError, match=r"Lane file .*a/1\.lines\.txt: cannot be read"):
        run(root)


def test_a_frame_predicted_twice_in_the_place_of_another_is_told(tmp_path, capsys):
    frames = [{"raw_file": f"{n}.jpg", "lanes": [[600, 610]], "h_samples": [300, 310]} for n in range(2)]
    (tmp_path / "labels.json").write_text("".join(json.dumps(frame) + "\n" for frame in frames))
    (tmp_path / "found.json").write_text((json.dumps({**frames[0], "run_time": 1}) + "\n") * 2)
    given = ["score", "tusimple", "--labels", f"{tmp_path}/labels.json", "--predictions", f"{tmp_path}/found.json"]
    assert cli.main(given) == 0
    said = capsys.readouterr().out
    assert "1 are for frames that have one already" in said
    assert "1 frames have no prediction" in said
    assert cli.main([*given, "--strict"]) == 2
