"""Results of runs: written, read back, and read off a run's folder."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from lanenet_sad.ablation.grid import PlannedRun
from lanenet_sad.ablation.results import (
    RunResult,
    add_result,
    data_fingerprint,
    finished_result,
    note_start,
    read_results,
    read_start,
)

MADE = ("2026-11-25 03:00", "1234567", "Some CPU, 2 cores", "fingerprnt")
RESULT = RunResult("abc", "SAD", 1, 0.5123, 6, 0.01, 0.07, 4, *MADE)


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


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text.replace("0.5123", "much"), "line 2: expected 12 values, numbers among them"),
        (lambda text: text[: text.index(",2026")] + "\n", "line 2: expected 12 values"),
        (lambda text: text.replace("digest", "digits", 1), "expected a table with the columns digest, row, seed"),
        (lambda text: "", "got none"),
    ],
    ids=["number", "cut", "columns", "empty"],
)
def test_a_damaged_file_is_named(tmp_path, change, sentence):
    path = tmp_path / "results.csv"
    add_result(path, RESULT)
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=f"results.csv.*{sentence}"):
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
    assert (result.commit, result.machine, result.data) == ("unknown", "unknown", "unknown")


def test_a_result_tells_with_what_its_run_was_started(tmp_path):
    run = PlannedRun("SAD", 1, {"schedule": {"max_steps": 6}}, "abc")
    note_start(tmp_path, "of data")
    write_metrics(tmp_path, [{"step": 6, "val_score": 0.5}])
    result = finished_result(run, tmp_path, 0)
    assert "core" in result.machine
    assert result.data == "of data"
    assert result.commit


def test_a_branched_run_names_the_sources_of_both(tmp_path, monkeypatch):
    for name, commit in (("origin", "aaa"), ("branch", "bbb")):
        (tmp_path / name).mkdir()
        monkeypatch.setattr("lanenet_sad.ablation.results.current_commit", lambda commit=commit: commit)
        note_start(tmp_path / name, "of data", tmp_path / "origin" if name == "branch" else None)
    assert read_start(tmp_path / "branch")["commit"] == "aaa, bbb"


def test_the_fingerprint_follows_the_lists(tmp_path):
    assert data_fingerprint(tmp_path) == "unknown"
    (tmp_path / "list").mkdir()
    (tmp_path / "list/train_gt.txt").write_text("a")
    first = data_fingerprint(tmp_path)
    (tmp_path / "list/train_gt.txt").write_text("b")
    assert len(first) == 10
    assert data_fingerprint(tmp_path) != first
