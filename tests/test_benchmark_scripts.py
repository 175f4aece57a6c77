"""The scripts in docs/benchmarks run and leave no method out."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import lanenet_sad.distillation
from lanenet_sad.distillation import DistillationMethod
from lanenet_sad.inference.sinks import write_image
from lanenet_sad.lanes.lane import LanePrediction

SCRIPTS = Path(__file__).parents[1] / "docs" / "benchmarks"


def load(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_overhead_of_every_method_is_measured(tmp_path):
    script = load("distillation_overhead")
    teacher = script.write_teacher(tmp_path, "enet", (32, 64))
    steps = {
        name: script.Step(name, encoder="enet", size=(32, 64), batch=1, teacher=teacher) for name in script.METHODS
    }
    measured = {type(step.learner.distillation[0]) for step in steps.values()}
    exported = {getattr(lanenet_sad.distillation, name) for name in lanenet_sad.distillation.__all__}
    assert measured == {one for one in exported if isinstance(one, type) and issubclass(one, DistillationMethod)} - {
        DistillationMethod
    }


def test_the_overhead_is_told_as_a_table(tmp_path):
    script = load("distillation_overhead")
    numbers = script.measure(["none", "FRSKD"], encoder="enet", size=(32, 64), batch=1, rounds=3, teacher=tmp_path)
    for row in numbers.values():
        row["peak_bytes"] = 2.0**20
    assert numbers["none"]["processor_ratio"] == 1
    assert numbers["FRSKD"]["kept_bytes"] > 1.1 * numbers["none"]["kept_bytes"]
    lines = script.table(numbers).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {8}
    assert lines[3].startswith("| FRSKD |")


@pytest.mark.parametrize("benchmark", ["culane", "tusimple"])
def test_scoring_is_timed_beside_another_program_and_figures_are_compared(tmp_path, capsys, benchmark):
    script = load("scoring")
    ours = f"{sys.executable} -m lanenet_sad score {benchmark} --predictions {{predictions}} --no-progress"
    ours += " --labels {labels}" if benchmark == "tusimple" else " --annotations {annotations} --lists {list}"
    words = [benchmark, "--num-images", "6", "--rounds", "1", "--reference", ours, "--out", str(tmp_path / "out.json")]
    script.main(words)
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 4
    figures = {row.split("|")[-2].strip() for row in table[2:]}
    assert len(figures) == 1
    assert "none recognised" not in figures
    assert "/" not in json.loads((tmp_path / "out.json").read_text())["references"][0].split()[0]


def test_figures_of_the_official_programs_are_recognised():
    script = load("scoring")
    assert script.figures_in("tp: 3 fp: 2 fn: 1\nprecision: 0.6") == "tp 3 fp 2 fn 1"
    official = '[{"name":"Accuracy","value":0.97,"order":"desc"},{"value":0.01},{"value":0.05}]'
    assert script.figures_in(official) == "0.9700 0.0100 0.0500"


def test_line_types_are_measured_on_rendered_drives_and_on_labelled_pictures(tmp_path, capsys, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    script = load("line_types")
    image, truth = next(iter(script.RenderedDrive(200, 0, num_frames=1, image_size=(288, 512), difficulty="easy")))
    monkeypatch.setattr(script.Predictor, "from_weights", lambda: lambda images: [LanePrediction(truth, (288, 512))])
    aside = np.array([2, 0])
    corners = [
        np.concatenate([lane.points + aside, lane.points[::-1] - aside]) for lane in truth if lane.slot in (2, 3)
    ]
    write_image(tmp_path / "video" / "0001.png", image)
    names = [f"{side} Boundary -{kind}-" for side in ("Left", "Right") for kind in ("Dashed", "Solid")]
    content = {
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, start=1)],
        "images": [{"id": 1, "file_name": "video/0001.png"}],
        "annotations": [
            {"image_id": 1, "category_id": category, "segmentation": [part.ravel().tolist()]}
            for category, part in zip((1, 4), corners, strict=True)
        ],
    }
    (tmp_path / "lane_types_coco.json").write_text(json.dumps(content))
    words = ["--drives", "1", "--frames", "1", "--image-size", "96", "256", "--real", str(tmp_path)]
    script.main([*words, "--out", str(tmp_path / "out.json")])
    numbers = json.loads((tmp_path / "out.json").read_text())
    assert set(numbers["real"]["videos"]) == {"video, left", "video, right"}
    assert set(numbers["real"]["videos"]["video, left"]["picture"]) == {"dashed"}
    assert str(tmp_path) not in numbers["command"]
    assert "| video, left | 0 | 1 | 0 |" in capsys.readouterr().out


def test_the_weights_of_line_types_can_be_found_again(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    script = load("line_type_fit")
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, 300)
    figures = np.stack([np.ones(300), classes + rng.normal(0, 0.2, 300)], axis=1)
    weights = script.fit(figures, classes, 2, 1e-3, 0.3)
    assert ((figures @ weights).argmax(axis=1) == classes).mean() > 0.97
    text = script.module(np.ones((2, 2)), weights, np.array([1.0, 2.0, 3.0]))
    found: dict = {}
    exec(text, found)
    np.testing.assert_allclose(found["STYLE_WEIGHTS"], weights, atol=6e-4)


def test_video_is_timed_and_lanes_are_compared(tmp_path, capsys):
    script = load("video")
    small = ["--size", "120", "320", "--out", str(tmp_path / "numbers.json")]
    script.main(["jitter", "--drives", "1", "--frames", "3", "--difficulty", "easy", *small])
    rows = capsys.readouterr().out.splitlines()
    assert [row.split("|")[2].strip() for row in rows] == ["lanes", "---", "per frame", "followed"]
    script.main(["memory", "--frames", "8", *small])
    assert len(json.loads((tmp_path / "numbers.json").read_text())["readings"]) == 8
    capsys.readouterr()


@pytest.mark.slow
def test_video_is_timed_beside_the_network(tmp_path, capsys):
    script = load("video")
    script.main(["throughput", "--frames", "20", "--rounds", "1", "--size", "120", "320"])
    assert capsys.readouterr().out.splitlines()[2].startswith("| rendered |")


def test_measures_are_compared_with_the_truth(capsys):
    script = load("geometry")
    script.main(["--drives", "1", "--seconds", "0.5", "--no-network", "--size", "120", "320"])
    assert len(capsys.readouterr().out.splitlines()) == 2 + 2 * 3


def test_the_accuracy_of_measures_is_told_as_a_table(capsys):
    script = load("geometry")
    script.main(["--drives", "1", "--seconds", "1", "--size", "180", "320", "--no-network"])
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()]
    assert {len(row) for row in table} == {8}
    assert len(table) == 2 + 2 * 3
    assert table[2][:2] == ["true", "true"]
    assert table[2][-1] == "100%"
    assert float(table[2][3]) < 5  # cm of offset, from true lanes and with the true camera
