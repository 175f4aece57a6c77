"""The scripts in docs/benchmarks run and leave no method out."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

import lanenet_sad.distillation
from lanenet_sad.distillation import DistillationMethod

SCRIPTS = Path(__file__).parents[1] / "docs" / "benchmarks"


def load(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
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
