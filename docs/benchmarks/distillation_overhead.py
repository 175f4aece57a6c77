"""What each distillation method costs in training: milliseconds of a step and memory, against no distillation.

Usage: python docs/benchmarks/distillation_overhead.py [--encoder enet] [--size 144 400] [--batch 8] [--threads 1]

A step is what `train` does with a batch that is ready: forward, all losses with distillation at scale 1, backward,
AdamW; channels last, on the CPU. The methods take turns step by step, in an order that moves on with each round, and
each is compared with the step without distillation of the same round, so that other work on the machine, which comes
and goes, cancels out. Processor time is counted beside the clock, as it does not grow while others compute.

Memory is counted twice: the bytes that autograd keeps for the backward pass (exact, the same in every run), and the
largest resident set of a process of its own that does nothing but three steps (Python and torch are in it).

Prints a Markdown table and writes all numbers as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor

from lanenet_sad.distillation import (
    AttentionTransfer,
    BeYourOwnTeacher,
    DeepSupervision,
    DistillationMethod,
    FeatureRefinement,
    KnowledgeDistillation,
    RelationDistillation,
    SelfAttentionDistillation,
    ViewConsistency,
)
from lanenet_sad.lanes.view import InputView
from lanenet_sad.losses import LaneLoss
from lanenet_sad.models import LaneTargets, NetworkSpec, build_network
from lanenet_sad.models.weights import NetworkCard, save_weights
from lanenet_sad.training.learner import Learner

METHODS: dict[str, Callable[[NetworkSpec, Path], DistillationMethod]] = {
    "SAD": lambda spec, teacher: SelfAttentionDistillation(spec),
    "deep supervision": lambda spec, teacher: DeepSupervision(spec),
    "BYOT": lambda spec, teacher: BeYourOwnTeacher(spec),
    "FRSKD": lambda spec, teacher: FeatureRefinement(spec),
    "attention transfer": lambda spec, teacher: AttentionTransfer(spec, teacher_weights=teacher),
    "KD": lambda spec, teacher: KnowledgeDistillation(spec, teacher_weights=teacher),
    "relation KD": lambda spec, teacher: RelationDistillation(spec, teacher_weights=teacher),
    "view consistency": lambda spec, teacher: ViewConsistency(spec),
}
NONE = "none"
NUM_LANES = 4


class Step:
    """One optimizer step of a network with or without a method, as often as asked for."""

    def __init__(self, method: str, *, encoder: str, size: tuple[int, int], batch: int, teacher: Path) -> None:
        torch.manual_seed(0)
        network = build_network({"builder": encoder, "num_lanes": NUM_LANES})
        methods = [] if method == NONE else [METHODS[method](network.spec, teacher)]
        self.learner = Learner(network, LaneLoss(), methods).to(memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.AdamW(self.learner.parameters(), lr=1e-3)
        self.images, self.targets = make_batch(batch, size)

    def __call__(self) -> tuple[float, float]:
        """Seconds of the clock and of the processor."""
        clock, processor = time.perf_counter(), time.process_time()
        self.learner(self.images, self.targets, 1.0).total.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return time.perf_counter() - clock, time.process_time() - processor

    def bytes_for_backward(self) -> int:
        """Size of everything that autograd keeps between the forward and the backward pass, weights left out."""
        weights = {value.untyped_storage().data_ptr() for value in self.learner.state_dict().values()}
        kept: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            total = self.learner(self.images, self.targets, 1.0).total
        total.backward()
        self.optimizer.zero_grad()
        return sum(kept.values())


def make_batch(batch: int, size: tuple[int, int]) -> tuple[Tensor, LaneTargets]:
    """Noise with two upright lanes; what the pixels show does not change the cost."""
    height, width = size
    images = torch.randn(batch, 3, *size).to(memory_format=torch.channels_last)
    mask = torch.zeros(batch, *size, dtype=torch.int64)
    for slot in (2, 3):
        left = (slot - 1) * width // 3
        mask[:, height // 3 :, left : left + max(2, width // 60)] = slot
    return images, LaneTargets(mask, torch.tensor([[0.0, 1.0, 1.0, 0.0]]).repeat(batch, 1))


def write_teacher(folder: Path, builder: str, size: tuple[int, int]) -> Path:
    """The weight file of an untrained network, which costs what a trained one does."""
    network = build_network({"builder": builder, "num_lanes": NUM_LANES})
    path = folder / "teacher.safetensors"
    save_weights(path, network, NetworkCard(network.recipe, InputView(size, aspect=size[1] / size[0])))
    return path


def measure(
    names: list[str], *, encoder: str, size: tuple[int, int], batch: int, rounds: int, teacher: Path
) -> dict[str, dict[str, float]]:
    """Time and memory of each method; the first name is what the others are compared with."""
    steps = {name: Step(name, encoder=encoder, size=size, batch=batch, teacher=teacher) for name in names}
    numbers = {name: {"kept_bytes": float(step.bytes_for_backward())} for name, step in steps.items()}
    for step in steps.values():  # warm-up
        step()
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            seconds[name].append(steps[name]())
    for name in names:
        for kind, column in (("wall", 0), ("processor", 1)):
            own, base = ([pair[column] for pair in seconds[which]] for which in (name, names[0]))
            ratios = sorted(one / other for one, other in zip(own, base, strict=True))
            numbers[name] |= {
                f"{kind}_ms": 1e3 * statistics.median(own),
                f"{kind}_ratio": statistics.median(ratios),
                f"{kind}_ratio_low": ratios[len(ratios) // 4],
                f"{kind}_ratio_high": ratios[-1 - len(ratios) // 4],
            }
    return numbers


def peak_bytes(name: str, settings: argparse.Namespace) -> int:
    """The largest resident set of a process that does three steps of one method."""
    command = [sys.executable, str(Path(__file__).resolve()), "--only", name, "--encoder", settings.encoder]
    command += ["--size", *map(str, settings.size), "--batch", str(settings.batch), "--threads", str(settings.threads)]
    done = subprocess.run([*command, "--teacher", settings.teacher], check=True, capture_output=True, text=True)
    return int(done.stdout)


def three_steps(settings: argparse.Namespace, teacher: Path) -> int:
    """What `peak_bytes` runs in the other process."""
    step = Step(settings.only, encoder=settings.encoder, size=settings.size, batch=settings.batch, teacher=teacher)
    for _ in range(3):
        step()
    # Not `getrusage`, whose largest set is never below that of the process that started this one.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(peak.split()[1])


def table(numbers: dict[str, dict[str, float]]) -> str:
    """Markdown: ratios are medians, with the quartiles behind them."""
    lines = [
        "| method | ms, clock | ms, processor | clock / none | processor / none | kept for backward | process peak |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    first = next(iter(numbers.values()))
    for name, row in numbers.items():
        ratios = [
            f"{row[f'{kind}_ratio']:.3f} ({row[f'{kind}_ratio_low']:.3f} to {row[f'{kind}_ratio_high']:.3f})"
            for kind in ("wall", "processor")
        ]
        memory = [
            f"{row[kind] / 2**20:.0f} MiB ({row[kind] / first[kind] - 1:+.1%})" for kind in ("kept_bytes", "peak_bytes")
        ]
        cells = [name, f"{row['wall_ms']:.0f}", f"{row['processor_ms']:.0f}", *ratios, *memory]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def machine() -> dict[str, str]:
    """Where, when and on which code this was measured."""
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if "model name" in line] if info.is_file() else []
    git = ["git", "-C", str(Path(__file__).parent)]
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD"], check=False).returncode != 0
    return {
        "processor": models[0].split(":")[1].strip() if models else platform.processor(),
        "cores": str(os.cpu_count()),
        "torch": torch.__version__,
        "load": f"{os.getloadavg()[0]:.1f}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit.stdout.strip() + (" with changes" if changed else ""),
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="enet", help="a network builder (default: enet)")
    parser.add_argument("--teacher", default="enet", help="the builder of the frozen teacher (default: enet)")
    parser.add_argument("--size", type=int, nargs=2, default=(144, 400), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--out", type=Path, default=Path("out/distillation_overhead.json"))
    parser.add_argument("--only", choices=[NONE, *METHODS], help=argparse.SUPPRESS)
    settings = parser.parse_args()
    settings.size = tuple(settings.size)
    return settings


def main() -> None:
    """Measure, print and write."""
    settings = arguments()
    torch.set_num_threads(settings.threads)
    with tempfile.TemporaryDirectory() as folder:
        teacher = write_teacher(Path(folder), settings.teacher, settings.size)
        if settings.only:
            print(three_steps(settings, teacher))
            return
        where = machine()
        names = [NONE, *settings.methods]
        options = {"encoder": settings.encoder, "size": settings.size, "batch": settings.batch}
        numbers = measure(names, **options, rounds=settings.rounds, teacher=teacher)
    for name in names:
        numbers[name]["peak_bytes"] = float(peak_bytes(name, settings))
    where["load_at_the_end"] = f"{os.getloadavg()[0]:.1f}"
    setting = options | {key: getattr(settings, key) for key in ("teacher", "threads", "rounds")}
    command = " ".join(["python", Path(__file__).name, *sys.argv[1:]])
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    record = {"command": command, "machine": where, "setting": setting, "methods": numbers}
    settings.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(table(numbers), "", f"`{command}`", json.dumps(where), sep="\n")


if __name__ == "__main__":
    main()
