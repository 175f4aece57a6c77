"""The verb `ablate`: a fault in any row before anything runs; then runs, report and exit code."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from factories import write_culane_root, write_weights

from lanenet_sad.ablate import ablate, check_data, check_rows
from lanenet_sad.ablation.grid import read_grid
from lanenet_sad.ablation.results import RunResult
from lanenet_sad.cli import run as verb
from lanenet_sad.lanes.view import InputView
from lanenet_sad.models import enet
from lanenet_sad.models.weights import NetworkCard, save_weights

SAD = "lanenet_sad.distillation.SelfAttentionDistillation"


def write_grid(folder: Path, rows: dict, seeds: list[int] | None = None) -> Path:
    settings = {
        "view.input_size": [32, 64],
        "val_split": "train",
        "mix": [],
        "mix_shares": [],
        "batch_size": 2,
        "schedule": {"max_steps": 3, "distillation_start": 2},
        "cadence": {"log_every": 1, "validate_every": 3, "checkpoint_every": 1},
        "runtime": {"accelerator": "cpu", "num_workers": 0},
    }
    content = {"base": "ablation_enet", "settings": settings, "seeds": seeds or [0], "rows": {"none": {}, **rows}}
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def method(**arguments) -> dict:
    return {"distillation": [{"class_path": SAD, "init_args": arguments}]}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (method(mimic_paths=[[3, 5]]), "Row 'wrong' of the grid: Mimic path (3, 5): the encoder has blocks 1 to 4"),
        (method(wight=1), "Row 'wrong' of the grid: Parser key"),
        ({"batch_sise": 4}, "Row 'wrong' of the grid: "),
    ],
    ids=["path", "argument", "setting"],
)
def test_a_fault_in_a_row_is_found_before_anything_runs(tmp_path, capsys, row, sentence):
    grid = write_grid(tmp_path, {"wrong": row})
    assert verb("ablate", [str(grid), "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def kd(**arguments) -> dict:
    path = "lanenet_sad.distillation.KnowledgeDistillation"
    return {"distillation": [{"class_path": path, "init_args": {"teacher_weights": "${teacher}", **arguments}}]}


def test_checking_leaves_the_rows_as_they_are_also_those_with_a_teacher(tmp_path):
    teacher = write_weights(tmp_path / "teacher.safetensors")
    grid = read_grid(write_grid(tmp_path, {"KD": kd(), "SAD": method()}), values={"teacher": str(teacher)})
    runs = grid.runs()
    before = yaml.safe_dump([run.configuration for run in runs])
    check_rows(runs, tmp_path)
    assert yaml.safe_dump([run.configuration for run in runs]) == before


def test_a_teacher_for_another_input_is_refused_before_anything_runs(tmp_path):
    network = enet(existence_head="fixed", input_size=(48, 64))
    teacher = tmp_path / "teacher.safetensors"
    save_weights(teacher, network, NetworkCard(network.recipe, InputView((48, 64), aspect=2.5)))
    runs = read_grid(write_grid(tmp_path, {"KD": kd()}), values={"teacher": str(teacher)}).runs()
    with pytest.raises(ValueError, match=r"Row 'KD' of the grid: .* made for images of 48x64 pixels.* are 32x64"):
        check_rows(runs, tmp_path)


def test_results_on_other_data_are_refused(tmp_path):
    runs = read_grid(write_grid(tmp_path, {})).runs()
    result = RunResult(runs[0].digest, "none", 0, 0.5, 3, 0.0, 0.0, 0, "2026-11-25 03:00", "1234567", "CPU", "one")
    check_data(runs, {result.digest: result}, "one", tmp_path / "results.csv")
    with pytest.raises(ValueError, match="none, seed 0 was run on other data"):
        check_data(runs, {result.digest: result}, "another", tmp_path / "results.csv")


def test_nothing_is_run_for_a_report(tmp_path, capsys):
    grid = write_grid(tmp_path, {"SAD": method()})
    words = [str(grid), "--root", str(tmp_path), "--out", str(tmp_path / "out"), "--report-only", "--seeds", "0", "4"]
    assert verb("ablate", words) == 0
    assert "| SAD | 0 of 2 | - |" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.md", "report.html", "report.csv"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nonsense"], "no shipped grid has that name"),
        (["paths", "--values", "teacher"], "values: expected NAME=VALUE, got 'teacher'"),
        (["paths", "--jobs", "0"], "jobs: expected at least 1, got 0"),
        (["starts", "--rows", "SAD"], "rows: the grid has no row 'SAD'; it has none, start 0, start 1/3"),
    ],
    ids=["grid", "values", "jobs", "rows"],
)
def test_bad_input_is_one_sentence(tmp_path, capsys, words, sentence):
    assert verb("ablate", [*words, "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert sentence in capsys.readouterr().err


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.mark.slow
def test_a_grid_is_trained_and_reported(tmp_path, capsys):
    """Real runs: the row that branches off the baseline's state equals the one that is trained alone."""
    root = write_culane_root(tmp_path / "culane")
    grid = write_grid(tmp_path, {"SAD": method(weight=1.0), "gone": {"val_split": "no_such_list"}})
    out = tmp_path / "out"
    summary = ablate(grid, root=root, out=out, jobs=2)
    scores = {row.name: row.scores for row in summary.rows}
    assert scores["none"].keys() == scores["SAD"].keys() == {0}
    assert scores["gone"] == {}
    assert len(summary.faults) == 1
    assert "no_such_list" in summary.faults[0]
    branched = {row["row"]: row["branched_from"] for row in rows_of(summary.results_path)}
    assert branched == {"none": "0", "SAD": "2"}
    folder = next((out / "runs").glob("SAD-seed0-*/"))
    alone = tmp_path / "alone"
    words = ["--config", str(next((out / "runs").glob("SAD-seed0-*.yaml"))), "--root", str(root), "--out", str(alone)]
    command = [sys.executable, "-m", "lanenet_sad", "train", *words, "--runtime.progress=false"]
    # As many threads as each of two jobs has: sums of floating-point numbers depend on it.
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // 2))})
    ours, theirs = (rows_of(path / "metrics.csv")[-1] for path in (folder, alone))
    assert ours == theirs
