import json
from pathlib import Path

import pytest
from factories import write_culane_root, write_weights

from lanenet_sad.evaluate import evaluate
from lanenet_sad.metrics.culane import CULaneMetric
from lanenet_sad.metrics.culane_batch import score_culane_files
from lanenet_sad.metrics.tusimple import score_tusimple_files


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "sure.safetensors")


def score(root: Path, out: Path, weights: Path, **options):
    defaults = {"split": "train", "threshold": 0.0, "num_workers": 0, "device": "cpu", "progress": False}
    return evaluate("culane", root=root, out=out, weights=weights, **{**defaults, "canvas_width": 1640, **options})


def test_it_writes_the_figures_and_one_file_per_image(tmp_path, weights, capsys):
    root = write_culane_root(tmp_path / "culane")
    result = score(root, tmp_path / "out", weights)
    written = json.loads(result.score_path.read_text())
    assert written["num_images"] == 3
    assert written["results"][0]["fn"] + written["results"][0]["tp"] == 6
    assert [path.relative_to(tmp_path / "out/predictions").as_posix() for path in result.prediction_paths] == [
        f"clip/{number:05d}.lines.txt" for number in range(3)
    ]
    assert "CULane F1" in capsys.readouterr().out


def test_the_score_is_that_of_the_files_it_wrote(tmp_path, weights):
    root = write_culane_root(tmp_path / "culane", sizes=((64, 160), (96, 128)))
    result = score(root, tmp_path / "out", weights)
    again = CULaneMetric(canvas_width=1640)
    names = ["/clip/00000.jpg", "/clip/00001.jpg"]
    sizes = dict(zip(names, [(64, 160), (96, 128)], strict=True))
    score_culane_files(root, tmp_path / "out" / "predictions", names, again, image_sizes=sizes)
    assert again.compute().totals == result.score.totals


def test_categories_come_from_the_test_split_lists(tmp_path, weights):
    root = write_culane_root(tmp_path / "culane")
    (root / "list/test_split").mkdir()
    (root / "list/test_split/test0_normal.txt").write_text("/clip/00000.jpg\n/clip/00001.jpg\n")
    (root / "list/test_split/test8_night.txt").write_text("/clip/00002.jpg\n")
    result = score(root, tmp_path / "out", weights)
    categories = result.score.to_dict()["results"][0]["categories"]
    assert {name: row["tp"] + row["fn"] for name, row in categories.items()} == {"test0_normal": 4, "test8_night": 2}


def test_an_unreadable_image_counts_as_missed_and_is_reported(tmp_path, weights):
    root = write_culane_root(tmp_path / "culane")
    whole = score(root, tmp_path / "whole", weights)
    picture = root / "clip/00001.jpg"
    picture.write_bytes(picture.read_bytes()[:-40])
    result = score(root, tmp_path / "out", weights)
    assert len(result.faults) == 1
    assert "00001.jpg" in result.faults[0]
    lanes = [sum((total.tp, total.fn)) for total in (whole.score.totals[0.5], result.score.totals[0.5])]
    assert lanes[0] == lanes[1]


def test_images_of_another_size_than_the_canvas_are_pointed_out(tmp_path, weights):
    root = write_culane_root(tmp_path / "culane")
    with pytest.warns(UserWarning, match="give --canvas-width 1640"):
        score(root, tmp_path / "out", weights, canvas_width=None)


@pytest.mark.parametrize("decoding", ["soft_argmax", "published"])
def test_real_images_are_scored(shared, tmp_path, weights, decoding):
    result = score(shared / "data" / "roads", tmp_path / "out", weights, split="val", max_images=3, decoding=decoding)
    assert result.score.to_dict()["num_images"] == 3


def test_tusimple_has_no_canvas(tmp_path, weights):
    with pytest.raises(FileNotFoundError, match=r"test_label\.json"):
        evaluate("tusimple", root=tmp_path, weights=weights, out=tmp_path / "out")
    with pytest.raises(ValueError, match="no split 'holiday'"):
        evaluate("tusimple", root=tmp_path, weights=weights, out=tmp_path / "out", split="holiday")


def test_labels_alone_decide_not_masks(tmp_path, weights):
    root = write_culane_root(tmp_path / "culane")
    whole = score(root, tmp_path / "whole", weights)
    (root / "laneseg_label_w16/clip").mkdir(parents=True)
    (root / "laneseg_label_w16/clip/00000.png").write_bytes(b"no mask at all")
    (root / "clip/00001.lines.txt").unlink()
    result = score(root, tmp_path / "out", weights)
    assert result.faults == ()
    assert result.score.totals[0.5].tp + result.score.totals[0.5].fn == 4  # a missing label file has no lanes
    total, found = result.score.totals[0.5], whole.score.totals[0.5]
    assert total.tp + total.fp == found.tp + found.fp  # and what the network sees there counts


@pytest.mark.parametrize("option", [{"max_images": 0}, {"batch_size": 0}, {"num_workers": -1}], ids=str)
def test_options_that_make_no_sense_are_refused(tmp_path, weights, option):
    with pytest.raises(ValueError, match=next(iter(option))):
        score(tmp_path, tmp_path / "out", weights, **option)


def test_a_missing_tusimple_image_stays_in_the_file_as_missed(tmp_path):
    six = write_weights(tmp_path / "six.safetensors", num_lanes=6)
    label = {"raw_file": "clips/1/20.jpg", "lanes": [[300] * 56], "h_samples": list(range(160, 720, 10))}
    (tmp_path / "test_label.json").write_text(json.dumps(label) + "\n")
    result = evaluate(
        "tusimple", root=tmp_path, weights=six, out=tmp_path / "out", num_workers=0, device="cpu", progress=False
    )
    assert len(result.faults) == 1
    again = score_tusimple_files(tmp_path / "test_label.json", result.prediction_paths[0])
    assert (again.accuracy, again.false_negatives, again.num_images) == (0.0, 1.0, 1)
    assert str(again) == str(result.score)


def test_a_network_for_another_benchmark_is_pointed_out(tmp_path):
    root = write_culane_root(tmp_path / "culane")
    (root / "list/test.txt").write_text("/clip/00000.jpg\n")
    six = write_weights(tmp_path / "six.safetensors", num_lanes=6, benchmark="tusimple")
    with pytest.warns(UserWarning, match="the network has 6 lane slots, culane has 4"):
        score(root, tmp_path / "out", six, split="test")


def test_slots_alone_are_scored_and_folders_are_groups(tmp_path, weights):
    root = write_culane_root(tmp_path / "culane")
    whole = score(root, tmp_path / "whole", weights, group_folders=1).score.to_dict()["results"][0]
    parts = [score(root, tmp_path / f"slot{n}", weights, slots=[n]).score.to_dict()["results"][0] for n in range(1, 5)]
    assert list(whole["categories"]) == ["clip"]
    assert whole["categories"]["clip"]["fn"] == whole["fn"]
    assert sum(part["tp"] + part["fn"] for part in parts) == whole["tp"] + whole["fn"] == 6
    assert sum(part["tp"] + part["fp"] for part in parts) == whole["tp"] + whole["fp"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slots": [2, 5]}, r"slots: expected numbers from 1 to 4, got \[2, 5\]"),
        ({"group_folders": 0}, "group_folders: expected at least 1, got 0"),
    ],
    ids=["slot", "folders"],
)
def test_slots_and_groups_that_do_not_exist_are_refused(tmp_path, weights, options, message):
    root = write_culane_root(tmp_path / "culane")
    with pytest.raises(ValueError, match=message):
        score(root, tmp_path / "out", weights, **options)


def test_groups_that_a_benchmark_does_not_score_warn(tmp_path):
    six = write_weights(tmp_path / "six.safetensors", num_lanes=6)
    label = {"raw_file": "clips/1/20.jpg", "lanes": [[300] * 56], "h_samples": list(range(160, 720, 10))}
    (tmp_path / "test_label.json").write_text(json.dumps(label) + "\n")
    with pytest.warns(UserWarning, match="group_folders has no effect: tusimple is not scored by group"):
        evaluate("tusimple", root=tmp_path, weights=six, out=tmp_path / "out", group_folders=1, device="cpu")


def test_a_report_counts_what_the_score_counts(tmp_path, weights, capsys):
    root = write_culane_root(tmp_path / "culane")
    options = {"group_folders": 1, "report": tmp_path / "report", "weight_noise": [0.1], "noise_seeds": 1}
    result = score(root, tmp_path / "out", weights, **options)
    assert result.report_path == tmp_path / "report/index.html"
    figures = json.loads((tmp_path / "report/figures.json").read_text())
    official = result.score.to_dict()["results"][0]
    assert official["tp"] + official["fp"] > 0
    for key in ("tp", "fp", "fn", "f1"):
        assert figures["totals"][key] == official[key]
        assert figures["categories"]["clip"][key] == official["categories"]["clip"][key]
    assert figures["totals"]["num_images"] == 3  # the network with noise is not in it
    assert figures["command"].startswith(f"lanenet-sad evaluate culane --root {root}")
    frames = (tmp_path / "report/frames/000.js").read_text()
    assert '"../culane/clip/00001.jpg"' in frames
    assert str(result.report_path) in capsys.readouterr().out


def test_a_report_of_a_benchmark_that_compares_no_iou(tmp_path):
    six = write_weights(tmp_path / "six.safetensors", num_lanes=6)
    label = {"raw_file": "clips/1/20.jpg", "lanes": [[300] * 56], "h_samples": list(range(160, 720, 10))}
    (tmp_path / "test_label.json").write_text(json.dumps(label) + "\n")
    result = evaluate(
        "tusimple",
        root=tmp_path,
        weights=six,
        out=tmp_path / "out",
        report=tmp_path / "report",
        group_folders=2,
        device="cpu",
        num_workers=0,
        progress=False,
    )
    assert len(result.faults) == 1  # the picture is not there
    figures = json.loads((tmp_path / "report/figures.json").read_text())
    assert figures["score"]["fn"] == 1.0
    assert (figures["totals"]["fn"], figures["compared_by_report"], figures["canvas_width"]) == (1, True, 1640)
    assert list(figures["categories"]) == ["clips/1"]
