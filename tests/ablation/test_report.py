"""The table: what is in it, and that what was not run is not hidden."""

import csv
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from lanenet_sad.ablation.grid import Grid
from lanenet_sad.ablation.report import interval_plot, summarize, write_report
from lanenet_sad.ablation.results import RunResult

GRID = Grid(
    title="Methods <small>",
    about="Three methods.",
    base={"schedule": {"max_steps": 6}, "distillation": []},
    rows={
        "none": {},
        "SAD | weak": {"distillation": ["SAD"]},
        "BYOT": {"distillation": ["BYOT"]},
        "KD": {"distillation": ["${teacher}"]},
    },
    seeds=(0, 1),
    baseline="none",
)
EMPTY = RunResult("", "", 0, 0.0, 6, 0.0, 0.0, 0, "2026-11-25 03:00", "1234567", "Some CPU, 2 cores", "fingerprnt")


@pytest.fixture
def results():
    scores = {("none", 0): 0.5, ("none", 1): 0.6, ("SAD | weak", 0): 0.52, ("SAD | weak", 1): 0.61, ("BYOT", 0): 0.4}
    return {
        run.digest: replace(
            EMPTY, digest=run.digest, row=run.row, seed=run.seed, score=scores[run.row, run.seed], gradient_share=0.1
        )
        for run in GRID.runs()
        if (run.row, run.seed) in scores
    }


def test_a_summary_compares_by_seed_and_lists_what_was_not_run(results):
    none, sad, byot, kd = summarize(GRID, results)
    assert (none.mean, none.difference, none.note) == (pytest.approx(0.55), None, "")
    assert sad.difference.mean == pytest.approx(0.015)
    assert sad.difference.low < 0 < sad.difference.high
    assert (byot.difference.mean, byot.difference.low) == (pytest.approx(-0.1), None)
    assert byot.note == "1 of 2 seeds run"
    assert (kd.mean, kd.note) == (None, "not run: needs teacher")
    assert [row.note for row in summarize(GRID, {})][:2] == ["not run", "not run"]


def test_a_failed_seed_is_not_passed_over(results):
    runs = {(run.row, run.seed): run.digest for run in GRID.runs()}
    failures = {runs["BYOT", 1]: "it diverged", runs["none", 0]: "before it ran after all"}
    none, _, byot, _ = summarize(GRID, results, failures)
    assert byot.note == "failed with seed 1: it diverged; 1 of 2 seeds run"
    assert none.note == ""


def test_the_three_files_hold_the_same_figures(tmp_path, results):
    picture = tmp_path / "curves.png"
    picture.write_bytes(b"not really a picture")
    paths = write_report(tmp_path, GRID, results, "lanenet-sad ablate small", {"Curves": picture})
    markdown, page, table = (path.read_text(encoding="utf-8") for path in paths)
    line = next(line for line in markdown.splitlines() if line.startswith("| SAD"))
    assert "| SAD \\| weak | 2 of 2 | 56.50 ± 6.36 | 52.00 / 61.00 | +1.50 (" in line
    assert "| KD | 0 of 2 | - | - | - | - | not run: needs teacher |" in markdown
    assert "-10.00 (one seed: no interval)" in markdown
    for text in (markdown, page):
        assert "lanenet-sad ablate small" in text
        assert "commit 1234567, on Some CPU, 2 cores" in text
        assert "56.50 ± 6.36" in text
    assert "Methods &lt;small&gt;" in page
    assert "data:image/png;base64,bm90" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)  # nothing is fetched
    rows = list(csv.DictReader(table.splitlines()))
    assert [(row["row"], row["seed"]) for row in rows][-2:] == [("BYOT", "0"), ("KD", "")]
    assert float(rows[2]["score"]) == 0.52


def test_the_plot_puts_better_rows_to_the_right_of_the_line(results):
    svg = ElementTree.fromstring(interval_plot(summarize(GRID, results)))
    zero = float(svg.find("line").get("x1"))
    sad, byot = (float(circle.get("cx")) for circle in svg.findall("circle"))
    assert byot < zero < sad
    assert interval_plot(summarize(GRID, {})) == ""
