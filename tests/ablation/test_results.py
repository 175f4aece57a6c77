"""Results of runs: written, read back, and read off a run's folder."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from lanenet_sad.ablation.grid import PlannedRun
from lanenet_sad.ablation.results import RunResult, add_result, finished_result, read_results

RESULT = RunResult("abc", "SAD", 1, 0.5123, 6, 0.01, 0.07, 4, "2026-11-25 03:00", "1234567", "Some CPU, 2 cores")


def test_results_are_read_back_and_replaced_by_digest(tmp_path):
    path = tmp_path / "of runs" / "results.csv"
    assert read_results(path) == {}
    add_result(path, RESULT)
    add_result(path, replace(RESULT, digest="def", row="a, b"))
    add_result(path, replace(RESULT, score=0.6))
    assert read_results(path) == {
        "abc": replace(RESULT, score=0.6),
        "def": replace(RESULT, digest="def", row="a, b"),
    }


@pytest.mark.parametrize("text", ["digest,row\nabc,SAD\n", None], ids=["columns", "number"])
def test_a_damaged_line_is_named(tmp_path, text):
    path = tmp_path / "results.csv"
    add_result(path, RESULT)
    path.write_text(path.read_text().replace("0.5123", "much") if text is None else text)
    with pytest.raises(ValueError, match="line 2: expected the columns digest, row, seed"):
        read_results(path)


def write_metrics(folder: Path, rows: list[dict[str, object]]) -> None:
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["step", "val_score", "distillation_loss_share", "distillation_gradient_share"])
        writer.writeheader()
        writer.writerows(rows)


def test_a_run_is_finished_when_its_last_step_is_validated(tmp_path):
    run = PlannedRun("SAD", 1, {"schedule": {"max_steps": 6}}, "abc")
    assert finished_result(run, tmp_path, 0) is None
    write_metrics(tmp_path, [{"step": 4, "val_score": 0.9}, {"step": 6}])
    assert finished_result(run, tmp_path, 0) is None
    write_metrics(tmp_path, [{"step": 6, "val_score": 0.5, "distillation_gradient_share": 0.07}])
    result = finished_result(run, tmp_path, 4)
    assert (result.score, result.gradient_share, result.loss_share) == (0.5, 0.07, 0.0)
    assert (result.digest, result.row, result.seed, result.branched_from) == ("abc", "SAD", 1, 4)
    assert "core" in result.machine
