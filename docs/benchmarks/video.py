"""How fast video is worked through, how much steadier followed lanes are, and how much memory a long run takes.

Usage:
    python docs/benchmarks/video.py throughput [--video CLIP ...] [--rounds 5]
    python docs/benchmarks/video.py jitter [--drives 8] [--frames 120]
    python docs/benchmarks/video.py memory [--frames 10000]

`throughput`: frames a second of `predict` from the first frame asked for to the last one stored (decode, preprocess,
network, lanes, curves, tracks, line types, measures, departures, drawing, H.264), beside the network alone on the same
prepared pictures, taking turns; the ratio is the median over the rounds. On a CPU the network of the whole has a
process of its own, as in `predict`, whose start of some seconds is not counted. Without `--video` it is a rendered
drive.

`jitter`: rendered drives, whose truth is known. Jitter is the root mean square of how much the error of a line changes
from one frame to the next, at rows of the picture, in pixels of a picture 1,640 wide, so that what moves on the road
does not count. Per-frame decoding and followed lanes come from the same network outputs. F1 is CULane's, of pictures
scaled to its size. Drives without true lanes count for F1 alone.

`memory`: resident memory of a process, the network in it, while it works through a long video, made of a rendered
drive that is repeated.

Each prints a Markdown table and with `--out` writes all numbers as JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from lanenet_sad.datasets.synthetic import RenderedDrive
from lanenet_sad.inference.network_process import NetworkProcess
from lanenet_sad.inference.overlap import StageClock
from lanenet_sad.inference.pipeline import LanePipeline
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.inference.recorder import Recorder, RecordingStyle
from lanenet_sad.inference.sinks import VideoSink
from lanenet_sad.inference.sources import open_source
from lanenet_sad.lanes.lane import Frame, LanePrediction
from lanenet_sad.metrics.culane import CULaneMetric
from lanenet_sad.metrics.stability import StabilityMetric
from lanenet_sad.postprocess.follower import LaneFollower
from lanenet_sad.visualization.annotators import EgoLaneAnnotator, LaneAnnotator

THRESHOLDS = (0.5, 0.75)
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", choices=("throughput", "jitter", "memory"))
    parser.add_argument("--video", action="append", default=[], help="a clip; may be given several times")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--drives", type=int, default=8)
    parser.add_argument("--frames", type=int, default=None)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--difficulty", nargs="+", default=["mixed", "easy"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--threads", type=int, default=None, help="of the network; default: half of the cores")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--out", type=Path, help="JSON file for all numbers")
    options = parser.parse_args(words)
    torch.set_num_threads(options.threads or max(1, (os.cpu_count() or 1) // 2))
    cv2.setNumThreads(1)
    predictor = Predictor.from_weights(options.weights, device=options.device)
    measure: Callable[[Predictor, argparse.Namespace], dict[str, Any]] = globals()[options.benchmark]
    numbers = measure(predictor, options)
    print(TABLES[options.benchmark](numbers))
    if options.out is not None:
        machine = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
        machine |= {"torch": torch.__version__, "threads": torch.get_num_threads(), "device": options.device}
        machine |= {"python": platform.python_version(), "date": datetime.now(UTC).isoformat(timespec="minutes")}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({**machine, **numbers}, indent=2) + "\n")


def throughput(predictor: Predictor, options: argparse.Namespace) -> dict[str, Any]:
    """Frames a second end to end and of the network alone, round by round, for each clip."""
    clips = {}
    with tempfile.TemporaryDirectory() as folder:
        videos = [Path(video) for video in options.video]
        if not videos:
            rendered = Path(folder) / "rendered.mp4"
            videos = [write_drive(rendered, options.frames or 150, tuple(options.size), options.seed)]
        size = options.batch_size
        for video in videos:
            with open_source(str(video)) as source:
                views = [predictor.prepare([frame.image])[0] for frame, _ in zip(source, range(64), strict=False)]
            batches = [np.concatenate(views[at : at + size]) for at in range(0, len(views), size)]
            rounds = []
            with network_process(predictor, size) as process:
                for number in range(options.rounds + 1):
                    alone = network_alone(predictor, batches)
                    whole, stages = end_to_end(predictor, video, Path(folder), size, process)
                    if number > 0:  # the first pass is slow everywhere
                        rounds.append({"alone": alone, "whole": whole, "ratio": whole / alone, "stages": stages})
            clips[video.stem] = rounds
    return {"clips": clips, "batch_size": size, "rounds": options.rounds}


@contextmanager
def network_process(predictor: Predictor, batch_size: int) -> Iterator[NetworkProcess | None]:
    """That which `predict` starts for a long video on a CPU, once it is ready; its start is not timed."""
    if predictor.device.type != "cpu":
        yield None
        return
    with NetworkProcess(predictor, batch_size=batch_size) as process:
        process.start()
        while not process.is_ready:
            time.sleep(0.05)
        yield process


def network_alone(predictor: Predictor, batches: Sequence[Any]) -> float:
    """Frames a second of the network on prepared pictures, their way to the device included."""
    predictor.infer(batches[0])
    started, count = time.perf_counter(), 0
    for batch in batches:
        output = predictor.infer(batch)
        count += len(batch)
    output.existence_logits.cpu()  # a GPU may still be at work
    return count / (time.perf_counter() - started)


def end_to_end(
    predictor: Predictor, video: Path, out: Path, batch_size: int, process: NetworkProcess | None
) -> tuple[float, dict[str, float]]:
    """Frames a second of all that `predict` does with a video, and milliseconds a frame of each stage."""
    num_lanes = predictor.network.num_lanes
    annotators = (EgoLaneAnnotator(num_lanes=num_lanes), LaneAnnotator(num_lanes=num_lanes))
    style = RecordingStyle(out, annotators, num_lanes=num_lanes)
    with open_source(str(video)) as source:
        pipeline = LanePipeline(source, predictor=predictor, batch_size=batch_size, process=process)
        started, count = time.perf_counter(), 0
        with Recorder(source, style, clock=pipeline.clock) as recorder:
            for frame, prediction in pipeline:
                recorder.write(frame, prediction)
                count += 1
        seconds = time.perf_counter() - started
    return count / seconds, {name: 1000 * busy / count for name, busy in pipeline.clock.seconds.items()}


def throughput_table(numbers: dict[str, Any]) -> str:
    """The medians as Markdown."""
    lines = [
        "| clip | network alone, frames/s | end to end, frames/s | ratio | ms a frame, busy |",
        "| --- | --: | --: | --: | --- |",
    ]
    for name, rounds in numbers["clips"].items():
        alone, whole, ratio = (statistics.median(each[key] for each in rounds) for key in ("alone", "whole", "ratio"))
        names = list(rounds[0]["stages"])
        stages = ", ".join(f"{key} {statistics.median(each['stages'][key] for each in rounds):.1f}" for key in names)
        lines.append(f"| {name} | {alone:.1f} | {whole:.1f} | {ratio:.2f} | {stages} |")
    return "\n".join(lines)


def jitter(predictor: Predictor, options: argparse.Namespace) -> dict[str, Any]:
    """Stability and F1 of per-frame and of followed lanes on rendered drives."""
    drives = []
    for difficulty, number in itertools.product(options.difficulty, range(options.drives)):
        drive = RenderedDrive(
            options.seed,
            number,
            num_frames=options.frames or 120,
            image_size=tuple(options.size),
            difficulty=difficulty,
        )
        drives.append({"difficulty": difficulty, "drive": number, **compare_on(predictor, drive)})
        print(f"{difficulty} {number}: {drives[-1]}", file=sys.stderr)
    return {"seed": options.seed, "size": list(options.size), "frames": options.frames or 120, "drives": drives}


def compare_on(predictor: Predictor, drive: RenderedDrive) -> dict[str, Any]:
    """One drive's figures: jitter in pixels, id switches and F1 of both kinds of lanes."""
    follower = LaneFollower.standard(num_lanes=predictor.network.num_lanes)
    stability = {"per_frame": StabilityMetric(), "followed": StabilityMetric()}
    scores = {kind: CULaneMetric(iou_thresholds=THRESHOLDS) for kind in stability}
    for number, (image, _) in enumerate(drive):
        truth = drive.truth(number)
        frame = Frame(image, "drive", number, number / drive.fps)
        (raw,) = predictor([image])
        for kind, prediction in (("per_frame", raw), ("followed", follower(frame, raw))):
            label = LanePrediction(truth.lanes, frame.size)
            stability[kind].update(prediction, truth.lanes, frame.time)
            scale = (1640 / frame.size[1], 590 / frame.size[0])
            scores[kind].update(scaled(prediction, scale), scaled(label, scale))
    result: dict[str, Any] = {}
    for kind, metric in stability.items():
        figures, totals = metric.compute(), scores[kind].compute().totals
        counts = {
            str(threshold): [totals[threshold].tp, totals[threshold].fp, totals[threshold].fn]
            for threshold in THRESHOLDS
        }
        result[kind] = {**asdict(figures), "counts": counts}
    return result


def scaled(prediction: LanePrediction, scale: tuple[float, float]) -> LanePrediction:
    """The lanes as they would lie in a picture of CULane's size."""
    return LanePrediction(tuple(lane.scaled(*scale) for lane in prediction.lanes), (590, 1640))


def jitter_table(numbers: dict[str, Any]) -> str:
    """All drives of a difficulty together, as Markdown."""
    lines = [
        "| rendered drives | lanes | jitter, px | error, px | F1 at 0.5 | F1 at 0.75 | id switches |",
        "| --- | --- | --: | --: | --: | --: | --: |",
    ]
    for difficulty in dict.fromkeys(each["difficulty"] for each in numbers["drives"]):
        chosen = [each for each in numbers["drives"] if each["difficulty"] == difficulty]
        jitters = {}
        for kind, name in (("per_frame", "per frame"), ("followed", "followed")):
            each_drive = [each[kind] for each in chosen if each[kind]["jitter"] is not None]
            jitters[kind] = pooled(each_drive, "jitter")
            scores = [f1(chosen, kind, threshold) for threshold in THRESHOLDS]
            switches = sum(each["id_switches"] or 0 for each in each_drive) if kind == "followed" else "-"
            ratio = f" ({jitters['per_frame'] / jitters[kind]:.2f} times less)" if kind == "followed" else ""
            cells = [f"{len(each_drive)} of {len(chosen)} {difficulty}", name, f"{jitters[kind]:.2f}{ratio}"]
            cells += [f"{pooled(each_drive, 'error'):.2f}", *(f"{100 * score:.1f}" for score in scores), str(switches)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def pooled(drives: Sequence[dict[str, Any]], key: str) -> float:
    """The root mean square over all rows and frames of several drives."""
    weights = np.array([each["num_changes"] for each in drives], dtype=np.float64)
    if not weights.sum():
        return math.nan
    return float(np.sqrt(np.average(np.square([each[key] for each in drives]), weights=weights)))


def f1(drives: Sequence[dict[str, Any]], kind: str, threshold: float) -> float:
    """CULane's F1 of summed counts."""
    tp, fp, fn = np.sum([each[kind]["counts"][str(threshold)] for each in drives], axis=0)
    return float(2 * tp / (2 * tp + fp + fn)) if tp + fp + fn else math.nan


def memory(predictor: Predictor, options: argparse.Namespace) -> dict[str, Any]:
    """Resident MiB while a long video is worked through."""
    num_frames = options.frames or 10_000
    readings = []
    with tempfile.TemporaryDirectory() as folder:
        video = write_drive(Path(folder) / "long.mp4", num_frames, tuple(options.size), options.seed)
        with open_source(str(video)) as source:
            num_lanes = predictor.network.num_lanes
            style = RecordingStyle(Path(folder) / "out", (LaneAnnotator(num_lanes=num_lanes),), num_lanes=num_lanes)
            pipeline = LanePipeline(source, predictor=predictor)
            with Recorder(source, style, clock=StageClock()) as recorder:
                for number, (frame, prediction) in enumerate(pipeline):
                    recorder.write(frame, prediction)
                    if number % max(1, num_frames // 50) == 0:
                        readings.append((number, resident_mib()))
    return {"frames": num_frames, "size": list(options.size), "readings": readings}


def memory_table(numbers: dict[str, Any]) -> str:
    """Some of the readings, and the slope over the later half."""
    readings = numbers["readings"]
    chosen = [readings[round(at * (len(readings) - 1))] for at in (0.02, 0.1, 0.25, 0.5, 0.75, 1.0)]
    later = np.array(readings[len(readings) // 2 :], dtype=np.float64)
    slope = np.polyfit(later[:, 0], later[:, 1], 1)[0] * 1000 if len(later) > 1 else 0.0
    numbers["slope_mib_per_1000_frames"] = float(slope)
    head = "| after frame | " + " | ".join(f"{frame:,}" for frame, _ in chosen) + " | later half, a 1,000 frames |"
    rule = "| --- |" + " --: |" * (len(chosen) + 1)
    row = "| MiB | " + " | ".join(f"{mib:.0f}" for _, mib in chosen) + f" | {slope:+.2f} |"
    return "\n".join((head, rule, row))


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "throughput": throughput_table,
    "jitter": jitter_table,
    "memory": memory_table,
}


def write_drive(path: Path, num_frames: int, size: tuple[int, int], seed: int) -> Path:
    """A rendered drive as a video; beyond 150 frames it goes back and forth over the same ones."""
    drive = RenderedDrive(seed, 0, num_frames=min(num_frames, 150), image_size=size, difficulty="easy")
    images = [image for image, _ in drive]
    with VideoSink(path, fps=drive.fps, size=size) as sink:
        for image in itertools.islice(_back_and_forth(images), num_frames):
            sink.write(image)
    return path


def _back_and_forth(images: Sequence[Any]) -> Iterator[Any]:
    return itertools.cycle([*images, *images[-2:0:-1]])


def resident_mib() -> float:
    """Memory of this process that is in the machine's."""
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * PAGE / 2**20


if __name__ == "__main__":
    main()
