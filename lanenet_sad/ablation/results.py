"""The results of finished runs: one CSV file that outlives the run folders."""

from __future__ import annotations

import csv
import platform
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lanenet_sad.ablation.grid import PlannedRun
from lanenet_sad.lanes.files import replacing


@dataclass(frozen=True)
class RunResult:
    """What a finished run has to say.

    Attributes:
        digest: of its settings and seed (`PlannedRun.digest`).
        row: the row for which it was made; rows of other grids with the same settings share the result.
        seed: of the run.
        score: the official score on the validation split, with the last weights.
        steps: optimizer steps.
        loss_share: distillation / task loss at the last logged step; 0 without distillation.
        gradient_share: the same for the gradient in the encoder.
        branched_from: the step up to which it was the baseline's run; 0 if it was trained alone.
        date: UTC, of the end.
        commit: of the working tree, "unknown" outside of one; "+" behind it: with changes.
        machine: processor and number of cores.
    """

    digest: str
    row: str
    seed: int
    score: float
    steps: int
    loss_share: float
    gradient_share: float
    branched_from: int
    date: str
    commit: str
    machine: str


def read_results(path: Path) -> dict[str, RunResult]:
    """Results by digest; none where there is no file.

    Raises:
        ValueError: a line is damaged; says which.
    """
    if not path.is_file():
        return {}
    results = {}
    with path.open(newline="", encoding="utf-8") as file:
        for number, line in enumerate(csv.DictReader(file), start=2):
            try:
                typed: dict[str, Any] = {
                    f.name: {"int": int, "float": float, "str": str}[str(f.type)](line[f.name]) for f in _FIELDS
                }
                result = RunResult(**typed)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"Results {path}, line {number}: expected the columns {', '.join(f.name for f in _FIELDS)} "
                    f"({error}); mend the line, or take it out to have the run done again."
                ) from error
            results[result.digest] = result
    return results


def add_result(path: Path, result: RunResult) -> None:
    """Write a result into the file (temporary name, then renamed), in the place of an earlier one of its digest."""
    results = {**read_results(path), result.digest: result}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in _FIELDS], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(each) for each in results.values())


def finished_result(run: PlannedRun, folder: Path, branched_from: int) -> RunResult | None:
    """The result of a run whose folder holds its last validation; None if it has not come to that."""
    path = folder / "metrics.csv"
    if not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    last = int(run.configuration["schedule"]["max_steps"])
    ends = [line for line in lines if line["step"] == str(last) and line.get("val_score")]
    if not ends:
        return None
    return RunResult(
        digest=run.digest,
        row=run.row,
        seed=run.seed,
        score=float(ends[-1]["val_score"]),
        steps=last,
        loss_share=float(ends[-1].get("distillation_loss_share") or 0),
        gradient_share=float(ends[-1].get("distillation_gradient_share") or 0),
        branched_from=branched_from,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        commit=current_commit(),
        machine=machine_name(),
    )


def copy_first_part(metrics: Path, target: Path, last_step: int) -> None:
    """Copy a run's figures up to a step, for a run that goes on from there."""
    with metrics.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        kept = [line for line in reader if int(line["step"]) <= last_step]
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(kept)


def current_commit() -> str:
    """The commit of the sources that run, with "+" behind it if they have been changed."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + "+" * bool(git("status", "--porcelain", "--", ".."))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine_name() -> str:
    """The processor's name and the number of cores."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(models) or 1
    return f"{models[0] if models else name}, {cores} core{'s' * (cores != 1)}"


_FIELDS = fields(RunResult)
_TYPES: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}
