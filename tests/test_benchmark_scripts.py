"""The scripts in docs/benchmarks run and leave no method out."""

import importlib.util
from pathlib import Path

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
