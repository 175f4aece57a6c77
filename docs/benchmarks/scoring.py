"""How long the official scores take, beside any other program that computes them.

Usage:
    python docs/benchmarks/scoring.py culane --num-images 2000 --reference "EVALUATE -a {annotations} -d {predictions}
        -i {annotations} -l {list} -w 30 -t 0.5 -c 1640 -r 590"
    python docs/benchmarks/scoring.py tusimple --num-images 2782 --reference "python lane.py {predictions} {labels}"
    python docs/benchmarks/scoring.py culane --num-images 20000 --workers 1 2

Labels and predictions are made up, in CULane's proportions: up to four lanes a picture with a point every 10 rows, most
predictions near a label, some beside it, some missing. What is timed are whole processes, from the start of the
interpreter to its end, with files in the system's cache. The programs take turns, in an order that turns with each
round; the ratio is the median over the rounds. Processor time (user and system, children included) is counted beside
the clock. Counts are compared where the other program prints `tp: 1 fp: 2 fn: 3`, or figures where it prints
TuSimple's JSON.

Prints a Markdown table and writes all numbers as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.files import write_culane_lines
from lanenet_sad.lanes.lane import Lane

HEIGHT, WIDTH = 590, 1640
CATEGORIES = ("normal", "curve")


def main(words: Sequence[str] | None = None) -> None:
    """Make the files, time the programs, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", choices=("culane", "tusimple"))
    parser.add_argument("--num-images", type=int, default=2000)
    parser.add_argument("--reference", action="append", default=[], help="a command; may be given several times")
    parser.add_argument("--workers", type=int, nargs="+", default=[1], help="processes of our program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file for all numbers")
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        places = make_files(options.benchmark, Path(folder), options.num_images, options.seed)
        commands = {
            f"lanenet-sad, {n} process{'es' * (n > 1)}": ours(options.benchmark, places, n) for n in options.workers
        }
        for number, reference in enumerate(options.reference, 1):
            commands[f"reference {number}"] = shlex.split(reference.format(**places))
        numbers = measure(commands, options.rounds)
    print(table(numbers, options.num_images))
    if options.out is not None:
        described = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
        described |= {"python": platform.python_version(), "date": datetime.now(UTC).isoformat(timespec="minutes")}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        # Without the folders of this machine, which mean nothing elsewhere.
        references = [" ".join(Path(word).name for word in shlex.split(one)) for one in options.reference]
        whole = {**described, "num_images": options.num_images, "references": references, "programs": numbers}
        options.out.write_text(json.dumps(whole, indent=2) + "\n")


def make_files(benchmark: str, folder: Path, num_images: int, seed: int) -> dict[str, str]:
    """Label and prediction files; gives the words that a command may hold in braces."""
    make = make_culane if benchmark == "culane" else make_tusimple
    return {name: str(path) for name, path in make(folder, num_images, np.random.default_rng(seed)).items()}


def make_culane(folder: Path, num_images: int, rng: np.random.Generator) -> dict[str, Path]:
    """`*.lines.txt` of labels and predictions, and a list."""
    names = [f"/drive_{n // 500:04d}/{n % 500:05d}.jpg" for n in range(num_images)]
    for name in names:
        labels = make_lanes(rng)
        predictions = [moved for lane in labels for moved in perturbed(lane, rng)]
        for side, lanes in (("labels", labels), ("predictions", predictions)):
            path = folder / side / f"{name[1:-4]}.lines.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_culane_lines(path, [Lane(lane) for lane in lanes])
    (folder / "test.txt").write_text("".join(f"{name}\n" for name in names))
    return {"annotations": folder / "labels", "predictions": folder / "predictions", "list": folder / "test.txt"}


def make_tusimple(folder: Path, num_images: int, rng: np.random.Generator) -> dict[str, Path]:
    """Two JSON-lines files."""
    rows = np.arange(160, 720, 10)
    labels, predictions = [], []
    for number in range(num_images):
        lanes = [at_rows(lane, rows) for lane in make_lanes(rng)]
        found = [[x + int(rng.normal(0, 6)) if x >= 0 else -2 for x in lane] for lane in lanes if rng.random() < 0.95]
        common = {"raw_file": f"clips/{number // 20:05d}/{number}.jpg", "h_samples": rows.tolist()}
        labels.append(json.dumps({**common, "lanes": lanes}))
        predictions.append(json.dumps({**common, "lanes": found, "run_time": 10}))
    paths = {"labels": folder / "labels.json", "predictions": folder / "predictions.json"}
    paths["labels"].write_text("\n".join(labels) + "\n")
    paths["predictions"].write_text("\n".join(predictions) + "\n")
    return paths


def make_lanes(rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Two to four bent lines from the bottom of a picture towards one point, (N, 2) each, a point every 10 rows."""
    top = rng.integers(24, 34) * 10.0
    vanishing, bend = rng.normal(WIDTH / 2, 120), rng.normal(0, 60)
    lanes = []
    for foot in np.sort(rng.normal([-200, 500, 1150, 1900], 90))[: rng.integers(2, 5)]:
        y = np.arange(HEIGHT, top + rng.integers(0, 8) * 10, -10.0)
        depth = (y - top + 40) / (HEIGHT - top + 40)
        x = vanishing + (foot - vanishing) * depth + bend * depth * (1 - depth) * 4
        inside = (x >= 0) & (x < WIDTH)
        if inside.sum() > 2:
            lanes.append(np.stack([x, y], axis=1)[inside])
    return lanes


def perturbed(lane: NDArray[np.float64], rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """What a model might have found of a lane: mostly the lane a few pixels aside, now and then nothing or two."""
    found = []
    for _ in range(rng.choice([0, 1, 2], p=[0.07, 0.9, 0.03])):
        far = rng.normal(0, 40 if rng.random() < 0.1 else 5)
        tilt = rng.normal(0, 8) * (lane[:, :1] * 0 + np.linspace(0, 1, len(lane))[:, None])
        moved = (
            lane
            + np.concatenate([tilt + far, np.zeros_like(tilt)], axis=1)
            + rng.normal(0, 0.4, (len(lane), 2)) * [1, 0]
        )
        found.append(np.round(moved[: max(3, len(lane) - rng.integers(0, 6))], 3))
    return found


def at_rows(lane: NDArray[np.float64], rows: NDArray[np.int64]) -> list[int]:
    """A CULane-sized lane at TuSimple's rows, -2 where it is absent."""
    y, x = lane[::-1, 1] * 720 / HEIGHT, lane[::-1, 0] * 1280 / WIDTH
    inside = (rows >= y[0]) & (rows <= y[-1])
    return np.where(inside, np.interp(rows, y, x), -2).astype(int).tolist()


def ours(benchmark: str, places: dict[str, str], workers: int) -> list[str]:
    """Our own command."""
    command = [
        sys.executable,
        "-m",
        "lanenet_sad",
        "score",
        benchmark,
        "--predictions",
        places["predictions"],
        "--no-progress",
    ]
    if benchmark == "tusimple":
        return [*command, "--labels", places["labels"]]
    lists = ["--annotations", places["annotations"], "--lists", places["list"], "--num-workers", str(workers)]
    return [*command, *lists]


def measure(commands: dict[str, list[str]], rounds: int) -> dict[str, dict[str, object]]:
    """Clock and processor seconds of each command, in turns, and the figures that it printed."""
    names = list(commands)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    figures = {name: run(commands[name])[2] for name in names}  # unmeasured: files into the cache, code compiled
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            clock, processor, _ = run(commands[name])
            times[name].append((clock, processor))
    first = names[0]
    return {
        name: {
            "clock": statistics.median(clock for clock, _ in times[name]),
            "processor": statistics.median(processor for _, processor in times[name]),
            "clock_ratio": ratio(times[name], times[first], 0),
            "processor_ratio": ratio(times[name], times[first], 1),
            "figures": figures[name],
            "rounds": times[name],
        }
        for name in names
    }


def ratio(mine: list[tuple[float, float]], first: list[tuple[float, float]], which: int) -> float:
    """Median over the rounds of one program's time to that of the first."""
    return statistics.median(a[which] / b[which] for a, b in zip(mine, first, strict=True))


def run(command: list[str]) -> tuple[float, float, str]:
    """Clock seconds, processor seconds and the figures of one run."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return clock, processor, figures_in(done.stdout + done.stderr)


def figures_in(text: str) -> str:
    """The official figures in what a program prints, in one form for all."""
    if counts := re.findall(r"tp: (\d+) fp: (\d+) fn: (\d+)", text):
        return "tp {} fp {} fn {}".format(*counts[-1])
    if counts := re.findall(r"^total +(\d+) +(\d+) +(\d+)", text, re.MULTILINE):
        return "tp {} fp {} fn {}".format(*counts[0])
    if rates := re.findall(r"\"value\": ?([\d.]+)", text):
        return " ".join(f"{float(rate):.4f}" for rate in rates)
    if rates := re.findall(r"^ +([\d.-]+) +([\d.-]+) +([\d.-]+)$", text, re.MULTILINE):
        return " ".join(f"{float(rate):.4f}" for rate in rates[-1])
    return "none recognised"


def table(numbers: dict[str, dict[str, object]], num_images: int) -> str:
    """A Markdown table."""
    rows = ["| program | ms an image, clock | ms an image, processor | clock / first | processor / first | figures |"]
    rows.append("| --- | --: | --: | --: | --: | --- |")
    for name, row in numbers.items():
        cells = [f"{1000 * float(str(row[key])) / num_images:.3f}" for key in ("clock", "processor")]
        cells += [f"{float(str(row[key])):.2f}" for key in ("clock_ratio", "processor_ratio")]
        rows.append(f"| {name} | {' | '.join(cells)} | {row['figures']} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
