"""Runs a grid's training runs, each in a process of its own, and keeps their results."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lanenet_sad.ablation.grid import PlannedRun
from lanenet_sad.ablation.results import (
    RunResult,
    add_result,
    copy_first_part,
    finished_result,
    note_start,
    planned_steps,
    read_results,
    read_start,
)
from lanenet_sad.lanes.files import replacing

_IMITATION_ALONE = {"SelfAttentionDistillation"}
"""Methods without layers, labels or views of their own: before its start such a run is the baseline's, bit for bit."""


@dataclass
class GridRunner:
    """Trains what is not finished yet, several runs at once.

    A run is a `lanenet-sad train` of its own: what one does to its process cannot touch the others, and one that fails
    leaves a sentence and a log. A run that distils by imitation alone is, up to the start, the same run as the baseline
    with the same seed; where the baseline has kept its state at that step, it goes on from there.

    Attributes:
        root: the benchmark's folder.
        runs_dir: gets a folder and a log file for each run.
        results_path: CSV file of results; runs that stand in it are not done again.
        jobs: runs at once.
        report: called after each finished run.
        command: what trains; gets the options of `lanenet-sad train`.
        data: fingerprint of the benchmark, `data_fingerprint(root)`.
        faults: a sentence for each run that failed.
    """

    root: Path
    runs_dir: Path
    results_path: Path
    jobs: int = 1
    report: Callable[[], object] = lambda: None
    command: tuple[str, ...] = (sys.executable, "-m", "lanenet_sad", "train")
    data: str = "unknown"
    faults: list[str] = field(default_factory=list)
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _starting: threading.Lock = field(default_factory=threading.Lock)

    def do(self, runs: Sequence[PlannedRun], baseline: str) -> None:
        """Do all that can be done; Ctrl-C ends the running ones cleanly, and the next call goes on with them."""
        results = read_results(self.results_path)
        waiting = [run for run in runs if run.digest not in results and not run.missing]
        waiting = list({run.digest: run for run in waiting}.values())
        self._check_folders(waiting)
        prefixes = {run.digest: shared_prefix(run, runs, baseline) for run in waiting}
        states = _states_to_keep(prefixes)
        active: dict[Future[RunResult | None], PlannedRun] = {}
        started, total = time.monotonic(), len(waiting)
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                while waiting or active:
                    while len(active) < self.jobs and (run := _next(waiting, active.values(), prefixes)) is not None:
                        waiting.remove(run)
                        future = pool.submit(self._train, run, prefixes[run.digest], states.get(run.digest, []))
                        active[future] = run
                    done, _ = wait(active, return_when=FIRST_COMPLETED)
                    for future in done:
                        active.pop(future)
                        result = future.result()
                        if result is not None:
                            add_result(self.results_path, result)
                            self.report()
                    left = len(waiting) + len(active)
                    minutes = (time.monotonic() - started) / 60 * left / (total - left)
                    print(f"{total - left} of {total} runs done, about {minutes:.0f} min left", flush=True)
            except BaseException:
                self._end_children()
                raise

    def _check_folders(self, runs: Iterable[PlannedRun]) -> None:
        """Refuse, before anything runs, to go on with what was begun on other data."""
        for run in runs:
            folder = find_folder(self.runs_dir, run)
            if folder is not None and read_start(folder)["data"] not in (self.data, "unknown"):
                raise ValueError(f"Run {folder}: it was begun on other data; give other --runs, or delete the folder.")

    def _train(self, run: PlannedRun, prefix: tuple[PlannedRun, int] | None, states: list[int]) -> RunResult | None:
        folder = find_folder(self.runs_dir, run) or self.runs_dir / run.folder
        branched_from = self._branch(folder, prefix)
        finished = finished_result(run, folder, branched_from)
        if finished is not None:
            return finished
        folder.mkdir(parents=True, exist_ok=True)
        origin = find_folder(self.runs_dir, prefix[0]) if prefix is not None and branched_from else None
        note_start(folder, self.data, origin)
        experiment = self.runs_dir / f"{run.folder}.yaml"
        content = {**run.configuration, "cadence": {**run.configuration.get("cadence", {}), "keep_states": states}}
        with replacing(experiment) as temporary:
            temporary.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        words = ["--config", str(experiment), "--root", str(self.root), "--out", str(folder)]
        words += ["--runtime.progress=false"] + ["--resume"] * (folder / "last.pt").is_file()
        print(f"{time.strftime('%H:%M')} {run.row}, seed {run.seed}: started", flush=True)
        log = self.runs_dir / f"{run.folder}.log"
        code = self._run(words, log)
        if code is None:
            return None
        result = finished_result(run, folder, branched_from)
        if result is None:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            reason = lines[-1] if lines else "it said nothing"
            ended = "ended without a score" if code == 0 else f"ended with exit code {code}"
            failure_path(self.runs_dir, run).write_text(reason, encoding="utf-8")
            self.faults.append(f"{run.row}, seed {run.seed}: the run {ended}: {reason} ({log})")
            return None
        failure_path(self.runs_dir, run).unlink(missing_ok=True)
        print(f"{time.strftime('%H:%M')} {run.row}, seed {run.seed}: {result.score:.4f}", flush=True)
        return result

    def _run(self, words: Sequence[str], log: Path) -> int | None:
        """Train in a process of its own; returns its exit code, or None if all is being stopped."""
        with log.open("ab") as output:
            with self._starting:
                if self._stopping.is_set():
                    return None
                # A session of its own: Ctrl-C reaches this process alone, which then ends its children once.
                child = subprocess.Popen(
                    [*self.command, *words],
                    stdout=output,
                    stderr=output,
                    env=self._environment(),
                    start_new_session=True,
                )
                self._children.append(child)
            code = child.wait()
        return None if self._stopping.is_set() else code

    def _branch(self, folder: Path, prefix: tuple[PlannedRun, int] | None) -> int:
        """Let a fresh run go on from the baseline's state; returns the step up to which the two are one run."""
        note = folder / "branched_from"
        if (folder / "last.pt").is_file():
            return int(note.read_text(encoding="utf-8")) if note.is_file() else 0
        origin = None if prefix is None else find_folder(self.runs_dir, prefix[0])
        if prefix is None or origin is None or not (origin / f"state_{prefix[1]}.pt").is_file():
            return 0
        step = prefix[1]
        state = origin / f"state_{step}.pt"
        folder.mkdir(parents=True, exist_ok=True)
        copy_first_part(state.with_name("metrics.csv"), folder / "metrics.csv", step)
        note.write_text(str(step), encoding="utf-8")
        with replacing(folder / "last.pt") as temporary:
            shutil.copyfile(state, temporary)
        return step

    def _environment(self) -> dict[str, str]:
        """A core's share for each run, unless the caller has decided."""
        threads = max(1, (os.cpu_count() or 1) // self.jobs)
        return {"OMP_NUM_THREADS": str(threads), **os.environ}

    def _end_children(self) -> None:
        with self._starting:
            self._stopping.set()
        for child in self._children:
            if child.poll() is None:
                child.terminate()  # `train` takes it as Ctrl-C: it writes `last.pt` after the current step
        for child in self._children:
            child.wait()


def find_folder(runs_dir: Path, run: PlannedRun) -> Path | None:
    """The folder of a run, which another grid may have made under another row's name; None if there is none."""
    return next(iter(sorted(path for path in runs_dir.glob(f"*-{run.digest}") if path.is_dir())), None)


def failure_path(runs_dir: Path, run: PlannedRun) -> Path:
    """Where the sentence of a run that failed stands."""
    return runs_dir / f"{run.folder}.failed"


def shared_prefix(run: PlannedRun, runs: Sequence[PlannedRun], baseline: str) -> tuple[PlannedRun, int] | None:
    """The baseline's run that a run equals up to its start of distillation, and that step; None if there is none.

    That is so if the two differ in nothing but methods that imitate alone, and in when they start; and if both
    validate at the end alone (a best score of the first part would belong to a file of the other run).
    """
    settings, schedule = run.configuration, run.configuration.get("schedule") or {}
    methods = settings.get("distillation") or []
    names = {str(method["class_path"]).rsplit(".", 1)[-1] for method in methods}
    last = planned_steps(run)
    if not names or not names <= _IMITATION_ALONE or settings.get("cadence", {}).get("validate_every", 0) < last:
        return None
    start = schedule.get("distillation_start")
    step = round(last * 2 / 3) if start is None else int(start)
    for other in runs:
        same = other.row == baseline and other.seed == run.seed and not other.configuration.get("distillation")
        if same and step > 0 and _without_distillation(other) == _without_distillation(run):
            return other, step
    return None


def _next(
    waiting: Sequence[PlannedRun],
    active: Iterable[PlannedRun],
    prefixes: Mapping[str, tuple[PlannedRun, int] | None],
) -> PlannedRun | None:
    """The first run that need not wait for the one that it branches off."""
    unfinished = {run.digest for run in (*waiting, *active)}
    for run in waiting:
        prefix = prefixes[run.digest]
        if prefix is None or prefix[0].digest not in unfinished:
            return run
    return None


def _without_distillation(run: PlannedRun) -> dict[str, Any]:
    settings = {**run.configuration, "distillation": None}
    schedule = settings.get("schedule") or {}
    settings["schedule"] = {k: v for k, v in schedule.items() if not k.startswith("distillation")}
    return settings


def _states_to_keep(prefixes: dict[str, tuple[PlannedRun, int] | None]) -> dict[str, list[int]]:
    """For each run that others branch off: after which steps."""
    steps: dict[str, set[int]] = {}
    for prefix in prefixes.values():
        if prefix is not None:
            steps.setdefault(prefix[0].digest, set()).add(prefix[1])
    return {digest: sorted(found) for digest, found in steps.items()}
