"""The benchmarks by name: splits, prediction files, training on one of them or on several, evaluation."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from benchmark_factories import write_bdd100k_root, write_curvelanes_root, write_llamas_root
from factories import write_culane_root, write_weights
from train_runs import run

from lanenet_sad.benchmarks import find_benchmark
from lanenet_sad.cli import main
from lanenet_sad.evaluate import evaluate
from lanenet_sad.lanes.curvelanes_files import read_curvelanes
from lanenet_sad.lanes.files import read_culane_lines
from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.lanes.raster import draw_lanes
from lanenet_sad.metrics.bdd100k import BDD100KMetric
from lanenet_sad.metrics.curvelanes import score_curvelanes_files
from lanenet_sad.metrics.llamas import score_llamas_files
from lanenet_sad.models import enet

ROOTS = {"bdd100k": write_bdd100k_root, "llamas": write_llamas_root, "curvelanes": write_curvelanes_root}


def predictions(benchmark: str, root: Path) -> list[LanePrediction]:
    dataset = find_benchmark(benchmark).dataset(root, "train", 4)
    return [dataset.truth(index) for index in range(len(dataset))]


@pytest.mark.parametrize("name", ROOTS)
def test_the_validation_split_goes_by_either_name(name, tmp_path):
    kind = find_benchmark(name)
    official = "val" if name == "bdd100k" else "valid"
    ROOTS[name](tmp_path, split=official)
    for split in {"val", official}:
        dataset = kind.dataset(tmp_path, split, kind.num_lanes)
        assert dataset.num_lanes == kind.num_lanes
        assert len(dataset) >= 2
    with pytest.raises(ValueError, match="labels of the split test are not public"):
        kind.dataset(tmp_path, "test", kind.num_lanes)


def test_an_unknown_name_names_those_that_there_are():
    with pytest.raises(ValueError, match="there are culane, tusimple, bdd100k, llamas, curvelanes"):
        find_benchmark("bdd")


def test_bdd100k_predictions_are_binary_pngs(tmp_path):
    lanes = predictions("bdd100k", write_bdd100k_root(tmp_path / "bdd"))
    paths = find_benchmark("bdd100k").write_predictions(tmp_path / "out", lanes)
    assert [path.name for path in paths] == [f"{n:08x}-0000.png" for n in range(3)]
    mask = cv2.imread(str(paths[0]), cv2.IMREAD_UNCHANGED)
    assert mask.shape == lanes[0].image_size
    assert set(np.unique(mask)) == {0, 255}
    from_lanes, from_files = BDD100KMetric(), BDD100KMetric()
    from_lanes.update(lanes[0], lanes[0])
    label = draw_lanes([Lane(lane.points, 1) for lane in lanes[0].lanes], lanes[0].image_size, line_width=2)
    from_files.update_masks(mask, label)
    assert from_lanes.compute().iou == from_files.compute().iou


def test_llamas_predictions_have_the_names_of_their_labels(tmp_path):
    lanes = predictions("llamas", write_llamas_root(tmp_path / "llamas"))
    paths = find_benchmark("llamas").write_predictions(tmp_path / "out", lanes)
    labels = tmp_path / "llamas/labels/train"
    assert score_llamas_files(labels, tmp_path / "out").value > 0.99
    written = sorted(path.relative_to(tmp_path / "out").as_posix().removesuffix(".lines.txt") for path in paths)
    assert written == sorted(path.relative_to(labels).with_suffix("").as_posix() for path in labels.glob("*/*.json"))
    assert [len(lane.points) for lane in read_culane_lines(paths[0])] == [len(one.points) for one in lanes[0].lanes]


def test_curvelanes_predictions_look_like_labels(tmp_path):
    lanes = predictions("curvelanes", write_curvelanes_root(tmp_path / "curves"))
    paths = find_benchmark("curvelanes").write_predictions(tmp_path / "out", lanes)
    labels = tmp_path / "curves/train/labels"
    assert sorted(path.name for path in paths) == sorted(path.name for path in labels.iterdir())
    assert score_curvelanes_files(labels, tmp_path / "out").value > 0.99
    assert len(read_curvelanes(paths[0])) == 3


@pytest.mark.parametrize("name", ROOTS)
def test_labels_score_full_marks_against_themselves(name, tmp_path):
    metric = find_benchmark(name).metric()
    for truth in predictions(name, ROOTS[name](tmp_path)):
        metric.update(truth, truth)
    score = metric.compute()
    assert getattr(score, "accuracy", 100 * score.value) > 99  # BDD100K's predictions are wider than its labels
    with pytest.raises(ValueError, match="--canvas-width belongs to the CULane metric"):
        find_benchmark(name).metric(1640)


@pytest.mark.parametrize("name", ROOTS)
def test_a_network_is_trained_and_evaluated(name, tmp_path):
    kind = find_benchmark(name)
    root = ROOTS[name](tmp_path / name)
    ROOTS[name](tmp_path / name, split="val" if name == "bdd100k" else "valid")
    model = enet(num_lanes=kind.num_lanes)
    summary = run(root, tmp_path / "run", benchmark=name, model=model, steps=1, sad=False, val_split="val")
    assert summary.faults == ()
    assert summary.best_score is not None
    weights = tmp_path / "run/best.safetensors"
    quiet = {"num_workers": 0, "device": "cpu", "progress": False}
    result = evaluate(name, root=root, out=tmp_path / "out", weights=weights, split="val", threshold=0.0, **quiet)
    assert result.faults == ()
    assert len(result.prediction_paths) == len(kind.dataset(root, "val", kind.num_lanes))
    assert all(path.is_file() for path in result.prediction_paths)


def test_a_broken_label_is_reported_and_the_rest_goes_on(tmp_path):
    root = write_bdd100k_root(tmp_path / "bdd", split="val")
    path = root / "labels/lane/polygons/lane_val.json"
    frames = json.loads(path.read_text())
    frames[1]["labels"][0]["poly2d"] = 7
    path.write_text(json.dumps(frames))
    weights = write_weights(tmp_path / "sure.safetensors", num_lanes=8, benchmark="bdd100k")
    words = ["evaluate", "bdd100k", "--root", root, "--out", tmp_path / "out", "--weights", weights, "--split", "val"]
    assert main([str(word) for word in [*words, "--num-workers", "0", "--device", "cpu", "--no-progress"]]) == 2
    assert len(list((tmp_path / "out/predictions").iterdir())) == 2


def test_two_real_datasets_are_mixed_by_one_command_line(tmp_path, capsys):
    """CULane itself with BDD100K and roads in CULane's layout, each with its share of the samples."""
    root = write_culane_root(tmp_path / "culane")
    own = write_culane_root(tmp_path / "own", sizes=((48, 100), (50, 90)))
    bdd = write_bdd100k_root(tmp_path / "bdd")
    mix = [
        {"class_path": "lanenet_sad.datasets.CULane", "init_args": {"root": str(own)}},
        {"class_path": "lanenet_sad.datasets.BDD100K", "init_args": {"root": str(bdd), "num_lanes": 4}},
    ]
    words = ["train", "--config", "synthetic_enet_sad", "--root", root, "--out", tmp_path / "run"]
    words += ["--mix", json.dumps(mix), "--mix-shares", "0.3", "0.3", "--schedule.max-steps", "2", "--batch-size", "3"]
    words += ["--view.input-size", "32", "64", "--val-split", "null", "--runtime.num-workers", "0"]
    assert main([str(word) for word in [*words, "--runtime.no-progress"]]) == 0, capsys.readouterr().err
    config = (tmp_path / "run/config.yaml").read_text()
    assert "lanenet_sad.datasets.BDD100K" in config or "lanenet_sad.datasets.bdd100k.BDD100K" in config
