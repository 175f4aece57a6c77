"""The results of finished runs: one CSV file that outlives the run folders."""

from __future__ import annotations

import csv
import hashlib
import json
import platform
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lanenet_sad.ablation.grid import PlannedRun
from lanenet_sad.lanes.files import read_text, replacing
from lanenet_sad.training.schedule import Schedule


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
        commit: of the sources when the run was started, "unknown" outside of a repository; "+" behind it: with
            changes. Several, if it was stopped and went on with others, or branched off a run of another.
        machine: processor and number of cores.
        data: fingerprint of the benchmark's lists (`data_fingerprint`).
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
    data: str


def read_results(path: Path) -> dict[str, RunResult]:
    """Results by digest; none where there is no file.

    Raises:
        ValueError: a line is damaged; says which.
    """
    if not path.is_file():
        return {}
    text = read_text(path, f"Results {path}", "Restore the file, or name another one with --results.")
    lines = list(csv.reader(text.splitlines()))
    names = [field.name for field in _FIELDS]
    if not lines or lines[0] != names:
        raise ValueError(
            f"Results {path}: expected a table with the columns {', '.join(names)}, "
            f"got {', '.join(lines[0]) if lines else 'none'}."
        )
    results = {}
    for number, line in enumerate(lines[1:], start=2):
        try:
            values = dict(zip(names, line, strict=True))
            typed: dict[str, Any] = {field.name: _TYPES[str(field.type)](values[field.name]) for field in _FIELDS}
        except ValueError as error:
            raise ValueError(
                f"Results {path}, line {number}: expected {len(names)} values, numbers among them ({error}); mend the "
                f"line. To have the run done again, take the line out and delete the run's folder."
            ) from error
        results[typed["digest"]] = RunResult(**typed)
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
    last = planned_steps(run)
    ends = [line for line in lines if line["step"] == str(last) and line.get("val_score")]
    if not ends:
        return None
    started = read_start(folder)
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
        commit=started["commit"],
        machine=started["machine"],
        data=started["data"],
    )


def note_start(folder: Path, data: str, origin: Path | None = None) -> None:
    """Write down, before a run starts or goes on, with what sources, where and on what data.

    Args:
        folder: the run's.
        data: `data_fingerprint` of the benchmark.
        origin: folder of the run whose state it goes on from.
    """
    before = read_start(folder if (folder / _START).is_file() else origin or folder)
    known = before["commit"].split(", ") if before["commit"] != "unknown" else []
    commits = list(dict.fromkeys([*known, current_commit()]))
    with replacing(folder / _START) as temporary:
        content = {"commit": ", ".join(commits), "machine": machine_name(), "data": data}
        temporary.write_text(json.dumps(content), encoding="utf-8")


def read_start(folder: Path) -> dict[str, str]:
    """What `note_start` wrote; "unknown" for a run that was not started here."""
    path = folder / _START
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: str(content.get(name, "unknown")) for name in ("commit", "machine", "data")}


def data_fingerprint(root: Path) -> str:
    """Ten letters that stand for what a benchmark's folder lists; "unknown" if it lists nothing.

    Label lists (`list/`) and label files (`*.json`) are read, the pictures are not.
    """
    digest, files = hashlib.sha256(), sorted([*root.glob("list/**/*.txt"), *root.glob("*.json")])
    for path in files:
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:10] if files else "unknown"


def planned_steps(run: PlannedRun) -> int:
    """How many steps a run shall do, as its settings or the schedule's default say."""
    return int((run.configuration.get("schedule") or {}).get("max_steps", Schedule.max_steps))


def copy_first_part(metrics: Path, target: Path, last_step: int) -> None:
    """Copy a run's figures up to a step, for a run that goes on from there."""
    with metrics.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        kept = [line for line in reader if int(line["step"]) <= last_step]
    with replacing(target) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
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


_START = "started.json"
_FIELDS = fields(RunResult)
_TYPES: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}
