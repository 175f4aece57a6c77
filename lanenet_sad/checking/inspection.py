"""A whole dataset looked through by several processes; only counts and a few examples stay in memory."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2

from lanenet_sad.benchmarks import CULaneBenchmark, TuSimpleBenchmark, find_benchmark
from lanenet_sad.checking.culane import CULaneLayout
from lanenet_sad.checking.duplicates import PictureTable
from lanenet_sad.checking.findings import Findings, Statistics
from lanenet_sad.checking.layout import Layout, Part, Task
from lanenet_sad.checking.others import DatasetLayout
from lanenet_sad.checking.tusimple import TuSimpleLayout
from lanenet_sad.datasets.base import LaneDataset
from lanenet_sad.inference.progress import with_progress
from lanenet_sad.lanes.processes import in_processes

_WORTH_PROCESSES = 2000  # pictures; another process takes half a second to start

_layout: Layout | None = None  # of this worker process


@dataclass(frozen=True)
class Inspection:
    """What looking through a dataset found.

    Attributes:
        layout: what was looked through.
        findings: of all splits.
        statistics: by split.
        seconds: that it took.
    """

    layout: Layout
    findings: Findings
    statistics: dict[str, Statistics]
    seconds: float

    @property
    def num_images(self) -> int:
        """Pictures listed in all splits."""
        return sum(one.num_images for one in self.statistics.values())


def find_layout(
    root: Path,
    benchmark: str,
    *,
    splits: list[str] | None = None,
    num_lanes: int | None = None,
    max_listed: int = 10,
    decode: bool = False,
    masks: bool = True,
) -> Layout:
    """The layout of a benchmark below a root.

    Raises:
        FileNotFoundError: the root or everything expected in it is missing.
        ValueError: there is no such benchmark or split, or a number makes no sense.
    """
    found = find_benchmark(benchmark)
    if not root.is_dir():
        raise FileNotFoundError(f"Dataset root {root}: expected the dataset's folder, but there is none.")
    if num_lanes is not None and not 0 < num_lanes < 255:
        raise ValueError(f"--num-lanes: expected 1 to 254 lane slots, got {num_lanes}.")
    if isinstance(found, CULaneBenchmark):
        return CULaneLayout(
            root, splits, num_lanes, usual_lanes=found.num_lanes, max_listed=max_listed, decode=decode, masks=masks
        )
    lanes = num_lanes or found.num_lanes
    if isinstance(found, TuSimpleBenchmark):
        return TuSimpleLayout(root, splits, lanes, files=found.splits, max_listed=max_listed, decode=decode)
    datasets: dict[str, LaneDataset | Exception] = {}
    # `valid` is another name of val, and would be a second split with the same pictures.
    named = dict.fromkeys("val" if split == "valid" else split for split in splits or ())
    for split in named or ("train", "val"):  # the labels of their test sets are not public
        try:
            datasets[split] = found.dataset(root, split, lanes)
        except (ValueError, OSError) as error:
            if splits or not isinstance(error, FileNotFoundError):
                datasets[split] = error
    if not datasets:
        raise FileNotFoundError(f"{benchmark} root {root}: found neither a split train nor val. Check the path.")
    return DatasetLayout(root, datasets, lanes, max_listed=max_listed, decode=decode)


def inspect(layout: Layout, *, num_workers: int | None = None, progress: bool = True) -> Inspection:
    """Looks through all splits.

    Args:
        layout: of the dataset.
        num_workers: processes; None is one for each core, 0 or 1 this one alone.
        progress: show progress.
    """
    start = time.perf_counter()
    findings = Findings(layout.max_listed)
    findings.merge(layout.findings)
    statistics = {source.split: Statistics() for source in layout.sources}
    seen = [0] * len(layout.sources)
    table = PictureTable()
    total = layout.num_lines()
    if num_workers is None:
        num_workers = os.cpu_count() or 1
    parts = _parts(layout, num_workers if total >= _WORTH_PROCESSES else 1)

    def by_line() -> Generator[None, None, None]:
        with closing(parts):
            for part in parts:
                findings.merge(part.findings)
                statistics[layout.sources[part.source].split].merge(part.statistics)
                table.add(part.source, part.keys)
                seen[part.source] += part.statistics.num_images + part.findings.counts["list_line"]
                for _ in range(part.num_lines):
                    yield

    with closing(by_line()) as lines:
        for _ in with_progress(lines, description="checking", total=total, enabled=progress):
            pass
    for source, number in zip(layout.sources, seen, strict=True):
        if number == 0:
            findings.add("list_empty", source.file, None, "expected one picture per line, got none")
    for split, one in statistics.items():
        if one.num_labelled and not one.num_lanes:
            findings.add("no_lanes", f"split {split}", None, f"{one.num_labelled} pictures")
    table.report(layout, findings)
    return Inspection(layout, findings, statistics, time.perf_counter() - start)


def _parts(layout: Layout, num_workers: int) -> Generator[Part, None, None]:
    """What the tasks of a layout come to, in their order; few are under way at a time."""
    if num_workers <= 1:
        yield from map(layout.inspect, layout.tasks())
        return
    yield from in_processes(_inspect, layout.tasks(), num_workers, start=_start_worker, arguments=(layout,))


def _start_worker(layout: Layout) -> None:
    global _layout
    _layout = layout
    cv2.setNumThreads(1)


def _inspect(task: Task) -> Part:
    assert _layout is not None
    return _layout.inspect(task)
