"""Demo: the whole story on the embedded default, in minutes, on a CPU."""

from __future__ import annotations

import csv
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from lanenet_sad.attention import attention
from lanenet_sad.evaluate import evaluate
from lanenet_sad.predict import predict
from lanenet_sad.synthesize import synthesize

LOWEST_F1 = 0.5
IMAGE_SIZE = (184, 512)


@dataclass(frozen=True)
class DemoSummary:
    """What the demo reached.

    Attributes:
        f1: CULane F1 at IoU 0.5 on the demo's own synthetic test split.
        distillation_gradient_share: gradient of SAD / gradient of the task loss in the encoder, last logged step.
        seconds: wall time.
        faults: what failed; empty if all is well.
    """

    f1: float
    distillation_gradient_share: float
    seconds: float
    faults: tuple[str, ...]


def demo(*, out: Path = Path("demo"), num_train: int = 1000, num_test: int = 100, progress: bool = True) -> DemoSummary:
    """Synthesize a small benchmark, train ENet with SAD, evaluate, predict on a drive, look at attention.

    At the end the drive is predicted with the weights that ship, too.

    Args:
        out: folder for everything; a finished demo in it is repeated from its own data.
        num_train: synthetic training images.
        num_test: synthetic test images.
        progress: show progress.

    Returns:
        The figures; faults if F1 on the (easy, synthetic) test split is below 0.5 or SAD has no gradient.
    """
    started = perf_counter()
    data, run = out / "benchmark", out / "run"
    size = " ".join(str(side) for side in IMAGE_SIZE)
    settings = f"--num-train {num_train} --num-val 40 --num-test {num_test} --image-size {size} --difficulty easy"
    _say("1/6 synthesize", f"lanenet-sad synthesize {data} {settings} --drives 1 --drive-frames 75")
    synthesize(
        data,
        num_train=num_train,
        num_val=40,
        num_test=num_test,
        image_size=IMAGE_SIZE,
        difficulty="easy",
        drives=1,
        drive_frames=75,
        progress=progress,
    )
    _train(data, run)
    best = run / "best.safetensors"
    scored = out / "evaluation"
    _say(
        "3/6 evaluate", f"lanenet-sad evaluate culane --root {data} --out {scored} --weights {best} --canvas-width 1640"
    )
    evaluate("culane", root=data, out=scored, weights=best, canvas_width=1640, progress=progress)
    drive = data / "drives" / "0000.mp4"
    _say("4/6 predict", f"lanenet-sad predict {drive} --out {out / 'prediction'} --weights {best}")
    predict(str(drive), out=out / "prediction", weights=best, progress=progress)
    columns = (run / "before_distillation.safetensors", best)
    picture = sorted((data / "synthetic").rglob("*.jpg"))[-1]
    _say("5/6 attention", f"lanenet-sad attention {picture} --out {out / 'attention'} --weights {columns[0]} {best}")
    attention(
        str(picture), out=out / "attention", weights=columns, titles=("before SAD", "after SAD"), progress=progress
    )
    _say("6/6 predict with the weights that ship", f"lanenet-sad predict {drive} --out {out / 'shipped'}")
    predict(str(drive), out=out / "shipped", progress=progress)
    summary = _judge(out, perf_counter() - started)
    _finish(out, summary)
    return summary


def _train(data: Path, run: Path) -> None:
    """In a process of its own: the command line builds the experiment from its YAML file."""
    words = ["train", "--config", "synthetic_enet_sad", "--root", str(data), "--out", str(run)]
    _say("2/6 train", shlex.join(["lanenet-sad", *words]))
    (run / "last.pt").unlink(missing_ok=True)
    status = subprocess.run([sys.executable, "-m", "lanenet_sad", *words], check=False).returncode
    if status:
        raise ValueError(f"Demo: training ended with exit code {status}; what it said stands above.")


def _judge(out: Path, seconds: float) -> DemoSummary:
    """Read the figures back from the files that a user would read."""
    score = json.loads((out / "evaluation" / "score.json").read_text(encoding="utf-8"))
    f1 = score["results"][0]["f1"] or 0.0
    with (out / "run" / "metrics.csv").open(newline="", encoding="utf-8") as file:
        shares = [float(row.get("distillation_gradient_share") or 0) for row in csv.DictReader(file)]
    faults = []
    if not f1 >= LOWEST_F1:
        faults.append(f"Demo: F1 on its own test split is {f1:.3f}, expected at least {LOWEST_F1}.")
    if not shares or not shares[-1] > 0:  # not a number is no life either
        faults.append("Demo: SAD has no gradient; its maps are saturated or it never started.")
    return DemoSummary(f1, shares[-1] if shares else 0.0, seconds, tuple(faults))


def _finish(out: Path, summary: DemoSummary) -> None:
    print(
        f"\nF1 {summary.f1:.3f} at IoU 0.5 on the demo's synthetic test split; SAD's share of the encoder gradient "
        f"{summary.distillation_gradient_share:.3f} of the task loss's; {summary.seconds:.0f} s.\nOpen these:"
    )
    for pattern, what in (
        ("prediction/*.mp4", "lanes on a rendered drive"),
        ("shipped/*.mp4", "the same with the weights that ship"),
        ("attention/**/*.png", "attention maps, before and after SAD"),
        ("prediction/*.jsonl", "the lanes as JSON"),
        ("run/metrics.csv", "loss terms, SAD's share, support of the maps"),
        ("evaluation/score.json", "the official figures"),
    ):
        for path in sorted(out.glob(pattern)):
            print(f"  {path}  ({what})")


def _say(title: str, command: str) -> None:
    print(f"\n== {title}: {command}", flush=True)
