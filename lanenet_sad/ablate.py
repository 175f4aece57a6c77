"""Ablate: a grid of training runs that differ in one thing each -> one honest table."""

from __future__ import annotations

import copy
import shlex
from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lanenet_sad.ablation.grid import Grid, PlannedRun, find_grid, read_grid
from lanenet_sad.ablation.report import RowSummary, summarize, write_report
from lanenet_sad.ablation.results import RunResult, data_fingerprint, read_results
from lanenet_sad.ablation.runner import GridRunner, failure_path, find_folder
from lanenet_sad.attention import attention
from lanenet_sad.command_line import build_parser, instantiate
from lanenet_sad.distillation.teacher import FrozenTeacher
from lanenet_sad.inference.sinks import write_image
from lanenet_sad.lanes.images import read_image
from lanenet_sad.lanes.lane import Image
from lanenet_sad.visualization.contact_sheet import stacked
from lanenet_sad.visualization.curves import plot_training

_PICTURES = {
    "curves.png": "Effective support of the attention maps and share of distillation (first seed; scales by row)",
    "attention.jpg": "What the blocks look at, when imitation begins and at the end (first seed)",
}


@dataclass(frozen=True)
class Ablation:
    """What an ablation found and wrote.

    Attributes:
        rows: of the table, those that were not run included.
        report_paths: the table as Markdown, HTML and CSV.
        results_path: the finished runs; with this file in place they are not done again.
        faults: a sentence for each run that failed.
    """

    rows: tuple[RowSummary, ...]
    report_paths: tuple[Path, ...]
    results_path: Path
    faults: tuple[str, ...]


def ablate(
    grid: Path,
    *,
    root: Path,
    out: Path,
    runs: Path | None = None,
    results: Path | None = None,
    seeds: list[int] | None = None,
    rows: list[str] | None = None,
    values: list[str] | None = None,
    jobs: int = 1,
    picture: Path | None = None,
    report_only: bool = False,
) -> Ablation:
    """Train every row of a grid with every seed, and compare the rows with the baseline, seed by seed.

    Finished runs are skipped, interrupted ones go on: call it again with the same folders. Runs that distil by
    imitation alone share the part before its start with the baseline's run of the same seed.

    Args:
        grid: a YAML file, or the name of a shipped grid: methods, paths, starts, supervision, maps, normalization.
        root: the benchmark's folder, as for `train`.
        out: folder for `report.md`, `report.html` and `report.csv`.
        runs: folder for the runs themselves; default: `runs` in `out`.
        results: CSV file of finished runs, shared by grids that have runs in common; default: `results.csv` in `runs`.
        seeds: instead of the grid's.
        rows: run these alone, and the baseline; the report still lists the others.
        values: NAME=VALUE for each ${NAME} in the grid, such as teacher=runs/resnet34/best.safetensors.
        jobs: runs at once; each gets its share of the cores.
        picture: also draw what each row's network looks at in this picture, before and after distillation began.
        report_only: run nothing, write the report of what is there.
    """
    if jobs < 1:
        raise ValueError(f"jobs: expected at least 1, got {jobs}.")
    path = find_grid(grid)
    if picture is not None:
        read_image(picture)  # whether it can be read is not to be found out after days
    named = _named(values or [])
    table = read_grid(path, seeds=seeds, values=named)
    runs_dir = runs or out / "runs"
    results_path = results or runs_dir / "results.csv"
    command, data = _command(grid, seeds, rows, named), data_fingerprint(root)

    def report() -> tuple[Path, ...]:
        shown = {caption: out / name for name, caption in _PICTURES.items() if (out / name).is_file()}
        failures = read_failures(runs_dir, table.runs())
        return write_report(out, table, read_results(results_path), command, shown, failures)

    chosen = _chosen(table, rows)
    if not report_only:
        check_rows(chosen, root)
        check_data(chosen, read_results(results_path), data, results_path)
    runner = GridRunner(root, runs_dir, results_path, jobs, report=report, data=data)
    if not report_only:
        runner.do(chosen, table.baseline)
    _draw(table, runs_dir, out, picture)
    paths = report()
    summaries = summarize(table, read_results(results_path), read_failures(runs_dir, table.runs()))
    print(paths[0].read_text(encoding="utf-8").partition("Command:")[0].rstrip())
    print(f"\nwrote {', '.join(str(path) for path in paths)}")
    return Ablation(tuple(summaries), paths, results_path, tuple(runner.faults))


def check_rows(runs: Sequence[PlannedRun], root: Path) -> None:
    """Read and build every row's experiment once, so that a fault in the last one is not found after days.

    Raises:
        ValueError: names the row and says what is wrong with it.
    """
    from lanenet_sad.train import train  # Fabric takes seconds, and a report needs none of it

    parser = build_parser("train", train)
    rows = {run.row: run for run in reversed(runs) if not run.missing}
    for name, run in rows.items():
        try:
            # A copy, since the parser puts its own objects into what it reads.
            settings = copy.deepcopy({**run.configuration, "root": str(root), "out": "."})
            parts = instantiate(parser, parser.parse_object(settings), train)
            if parts["val_split"] is None:
                raise ValueError("val_split is null, and without a validation split there is no score to compare.")
            for method in parts["distillation"]:
                teacher = getattr(method(parts["model"].spec), "teacher", None)
                if isinstance(teacher, FrozenTeacher):
                    teacher.check_size(parts["view"].input_size)
        except (ValueError, OSError, ArgumentError) as error:
            raise ValueError(f"Row {name!r} of the grid: {error}") from error


def _draw(grid: Grid, runs_dir: Path, out: Path, picture: Path | None) -> None:
    """Pictures of the runs with the first seed, where their folders are still there."""
    found = {run.row: find_folder(runs_dir, run) for run in grid.runs() if run.seed == grid.seeds[0]}
    folders = {row: folder for row, folder in found.items() if folder is not None}
    taught = {row: path / "metrics.csv" for row, path in folders.items() if row != grid.baseline}
    taught = {row: path for row, path in taught.items() if path.is_file()}
    if taught:
        parts = [plot_training(part) for part in _parts(taught, 3)]
        write_image(out / "curves.png", stacked(parts, background=255))
    columns = {}
    for row, folder in folders.items():
        for title, name in ((f"{row}, before", "before_distillation"), (row, "best")):
            if (folder / f"{name}.safetensors").is_file():
                columns[title] = folder / f"{name}.safetensors"
    if picture is None or not columns:
        return
    grids = [_attention_grid(picture, part) for part in _parts(columns, 5)]
    write_image(out / "attention.jpg", stacked(grids, background=18))


def _parts(columns: Mapping[str, Path], size: int) -> list[dict[str, Path]]:
    """The columns in groups that are wide enough to be read one below the other."""
    pairs = list(columns.items())
    return [dict(pairs[start : start + size]) for start in range(0, len(pairs), size)]


def _attention_grid(picture: Path, columns: Mapping[str, Path]) -> Image:
    """What networks look at in a picture; a column for each, by title."""
    with TemporaryDirectory() as drawn:
        attention(
            str(picture),
            out=Path(drawn),
            weights=tuple(columns.values()),
            titles=tuple(columns),
            cell_width=300,
            progress=False,
        )
        return read_image(next(Path(drawn).glob("*.attention.png")))


def _chosen(grid: Grid, rows: Sequence[str] | None) -> list[PlannedRun]:
    """The runs of some rows and of the baseline; all with None."""
    unknown = sorted(set(rows or ()) - set(grid.rows))
    if unknown:
        raise ValueError(f"rows: the grid has no row {unknown[0]!r}; it has {', '.join(grid.rows)}.")
    wanted = set(grid.rows) if rows is None else {*rows, grid.baseline}
    return [run for run in grid.runs() if run.row in wanted]


def check_data(runs: Sequence[PlannedRun], results: Mapping[str, RunResult], data: str, results_path: Path) -> None:
    """Refuse to put runs on different data into one table.

    Raises:
        ValueError: names the first finished run of the grid that was done on other data.
    """
    for run in runs:
        result = results.get(run.digest)
        if result is not None and result.data != data:
            raise ValueError(
                f"Results {results_path}: {result.row}, seed {result.seed} was run on other data (fingerprint "
                f"{result.data}, that of the root is {data}). Give other --results and --runs."
            )


def _command(grid: Path, seeds: list[int] | None, rows: list[str] | None, values: Mapping[str, str]) -> str:
    """What was asked for, without the folders."""
    words = ["lanenet-sad", "ablate", str(grid), "--root", "ROOT", "--out", "OUT"]
    words += ["--seeds", *map(str, seeds)] if seeds else []
    words += ["--rows", *rows] if rows else []
    words += ["--values", *(f"{name}={Path(value).name}" for name, value in values.items())] if values else []
    return shlex.join(words)


def _named(values: Sequence[str]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    for name, equals, _ in pairs:
        if not name.isidentifier() or not equals:
            raise ValueError(f"values: expected NAME=VALUE, got {name + equals!r}.")
    return {name: value for name, _, value in pairs}


def read_failures(runs_dir: Path, runs: Sequence[PlannedRun]) -> dict[str, str]:
    """By digest, what runs that failed said last."""
    paths = {run.digest: failure_path(runs_dir, run) for run in runs}
    return {digest: path.read_text(encoding="utf-8") for digest, path in paths.items() if path.is_file()}
