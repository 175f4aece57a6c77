"""Write a synthetic benchmark to disk: rendered roads in CULane's or TuSimple's layout, and short drives as video."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, get_args

import cv2

from lanenet_sad.datasets.synthetic.benchmark_files import (
    FIRST_INDEX,
    ImageJob,
    Layout,
    Split,
    WrittenImage,
    write_culane_index,
    write_image,
    write_picture,
    write_tusimple_index,
)
from lanenet_sad.datasets.synthetic.cross_sections import Difficulty
from lanenet_sad.datasets.synthetic.drive import drives_with
from lanenet_sad.datasets.synthetic.manifest import holds_same_set, write_manifest
from lanenet_sad.datasets.synthetic.manoeuvres import Manoeuvre
from lanenet_sad.datasets.synthetic.render import RENDERER_VERSION
from lanenet_sad.inference.drive_files import DriveJob, WrittenDrive, write_drive
from lanenet_sad.inference.progress import with_progress
from lanenet_sad.lanes.images import read_image
from lanenet_sad.lanes.processes import num_cores
from lanenet_sad.visualization.annotators import LaneAnnotator
from lanenet_sad.visualization.contact_sheet import contact_sheet as lay_out

_STOPPING = threading.Event()
_NUM_SLOTS: dict[Layout, int] = {"culane": 4, "tusimple": 6}


@dataclass(frozen=True)
class SynthesisSummary:
    """What `synthesize` has written.

    Attributes:
        output_dir: the folder.
        num_images: pictures by split.
        categories: pictures by category.
        num_drives: videos.
        num_kept: pictures and videos that were there already.
        seconds: wall time.
        images_per_second: pictures and frames rendered and written a second, over all cores; 0 if all were there.
        num_cores: that rendered.
    """

    output_dir: Path
    num_images: dict[str, int]
    categories: dict[str, int]
    num_drives: int
    num_kept: int
    seconds: float
    images_per_second: float = 0.0
    num_cores: int = 1

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {split}" for split, count in self.num_images.items())
        kinds = ", ".join(f"{name} {count}" for name, count in self.categories.items())
        text = (
            f"{counts} images ({kinds or 'none'}) and {self.num_drives} drives in {self.output_dir}; "
            f"{self.num_kept} were there already; {self.seconds:.1f} s"
        )
        if self.images_per_second > 0:
            cores = f"{self.num_cores} core" if self.num_cores == 1 else f"{self.num_cores} cores"
            each = self.images_per_second / self.num_cores
            text += f"\nrendered {self.images_per_second:.1f} images/s on {cores}, {each:.1f} images/s per core"
        return text


def synthesize(
    out: Path,
    *,
    num_train: int = 240,
    num_val: int = 30,
    num_test: int = 30,
    image_size: tuple[int, int] = (590, 1640),
    layout: Layout = "culane",
    seed: int = 0,
    difficulty: Difficulty = "mixed",
    num_lanes: int | None = None,
    drives: int = 0,
    drive_frames: int = 100,
    manoeuvre: Manoeuvre = "none",
    num_workers: int = 0,
    masks: bool = True,
    contact_sheet: int = 0,
    overwrite: bool = False,
    progress: bool = True,
) -> SynthesisSummary:
    """Render a lane benchmark with exact labels.

    Picture i of a split is a function of the seed, the split and i alone: a set can grow without changing what is
    there, and an interrupted run continues where it stopped when started again with the same settings. Lists and
    label files are written last.

    Args:
        out: folder to write to; made if it is not there.
        num_train: training pictures.
        num_val: validation pictures.
        num_test: test pictures.
        image_size: height and width in pixels, of any shape.
        layout: `culane` (pictures with `*.lines.txt`, lane masks, lists, test categories) or `tusimple` (clips and
            JSON lines; lane masks are drawn when they are read).
        seed: of the whole set.
        difficulty: `easy` is daylight, gentle curves and clear paint; `mixed` is everything, night and rain included.
        num_lanes: lane slots; lines beyond them are not labelled. By default 4 for `culane`, 6 for `tusimple`.
        drives: short drives to write as video, with the truth of every frame (lanes, their types, measures) as JSON.
        drive_frames: frames of each drive, 25 per second.
        manoeuvre: what happens in the drives from second 2 on; only those are written whose roads have room for it.
        num_workers: processes; 0 for one per core.
        masks: write lane masks (`culane`).
        contact_sheet: write `contact_sheet.jpg` with the first so many pictures, those of the test split first, with
            their labels drawn and their category below.
        overwrite: write into a folder that holds another set, and write every file anew.
        progress: show progress.

    Raises:
        ValueError: a setting is out of range, or the folder holds a set with other settings.
        OSError: the folder cannot be written to.
    """
    started, root = perf_counter(), Path(out)
    counts: dict[Split, int] = {"train": num_train, "val": num_val, "test": num_test}
    _check(counts, layout, drives, drive_frames, num_workers, num_lanes, contact_sheet)
    settings = _settings(layout, seed, difficulty, image_size, num_lanes, masks=masks)
    keep = not overwrite and holds_same_set(root, settings)
    image_jobs = _image_jobs(root, counts, settings, keep=keep)
    drive_jobs = _drive_jobs(root, drives, drive_frames, settings, manoeuvre, keep=keep)
    write_manifest(root, settings, finished=False)
    workers = min(num_workers or num_cores(), len(drive_jobs) + len(image_jobs))
    began = perf_counter()
    results = list(_run([*drive_jobs, *image_jobs], workers, progress=progress))
    rendering = perf_counter() - began
    images = [result for result in results if isinstance(result, WrittenImage)]
    (write_culane_index if layout == "culane" else write_tusimple_index)(root, images)
    _write_contact_sheet(root, images, contact_sheet)
    write_manifest(root, settings, finished=True)
    summary = SynthesisSummary(
        output_dir=root,
        num_images={str(split): count for split, count in counts.items()},
        categories=dict(sorted(Counter(image.category for image in images).items())),
        num_drives=drives,
        num_kept=sum(result.was_there for result in results),
        seconds=perf_counter() - started,
        images_per_second=_num_pictures(results, drive_frames) / rendering,
        num_cores=min(workers, num_cores()),
    )
    print(summary)
    return summary


def _num_pictures(results: Sequence[WrittenImage | WrittenDrive], drive_frames: int) -> int:
    """How many pictures and frames were rendered, not kept."""
    return sum(1 if isinstance(result, WrittenImage) else drive_frames for result in results if not result.was_there)


def _settings(
    layout: Layout,
    seed: int,
    difficulty: Difficulty,
    image_size: tuple[int, int],
    num_lanes: int | None,
    *,
    masks: bool,
) -> dict[str, Any]:
    """What makes a set the set that it is."""
    return {
        "renderer": RENDERER_VERSION,
        "layout": layout,
        "seed": seed,
        "difficulty": difficulty,
        "image_size": [int(side) for side in image_size],
        "num_lanes": _NUM_SLOTS[layout] if num_lanes is None else num_lanes,
        "masks": masks,
    }


def _check(
    counts: dict[Split, int],
    layout: Layout,
    drives: int,
    drive_frames: int,
    num_workers: int,
    num_lanes: int | None,
    contact_sheet: int,
) -> None:
    if layout not in get_args(Layout):
        raise ValueError(f"synthesize: expected layout {' or '.join(get_args(Layout))}, got {layout!r}.")
    numbers = {**{f"num_{split}": count for split, count in counts.items()}, "drives": drives}
    for name, number in {**numbers, "num_workers": num_workers, "contact_sheet": contact_sheet}.items():
        if number < 0:
            raise ValueError(f"synthesize: expected {name} of 0 or more, got {number}.")
    if sum(numbers.values()) == 0:
        raise ValueError("synthesize: nothing to do, as num_train, num_val, num_test and drives are all 0.")
    if drive_frames < 1:
        raise ValueError(f"synthesize: expected drive_frames of 1 or more, got {drive_frames}.")
    if num_lanes is not None and num_lanes < 2:
        raise ValueError(f"synthesize: expected num_lanes of 2 or more, got {num_lanes}.")


def _image_jobs(root: Path, counts: dict[Split, int], settings: dict[str, Any], *, keep: bool) -> list[ImageJob]:
    return [
        ImageJob(
            root=root,
            layout=settings["layout"],
            split=split,
            number=number,
            seed=settings["seed"],
            image_size=tuple(settings["image_size"]),
            difficulty=settings["difficulty"],
            num_lanes=settings["num_lanes"],
            masks=settings["masks"],
            keep=keep,
        )
        for split in FIRST_INDEX
        for number in range(counts[split])
    ]


def _drive_jobs(
    root: Path, drives: int, drive_frames: int, settings: dict[str, Any], manoeuvre: Manoeuvre, *, keep: bool
) -> list[DriveJob]:
    numbers: Sequence[int] = range(drives)
    if manoeuvre != "none":
        size, difficulty = tuple(settings["image_size"]), settings["difficulty"]
        numbers = drives_with(manoeuvre, seed=settings["seed"], image_size=size, count=drives, difficulty=difficulty)
    return [DriveJob(root, number, drive_frames, settings, keep, manoeuvre) for number in numbers]


def _write_contact_sheet(root: Path, images: Sequence[WrittenImage], count: int) -> None:
    """Draws the first `count` pictures, if any, with their labels: test before validation and training."""
    if count == 0 or not images:
        return
    order = list(reversed(FIRST_INDEX))
    shown = sorted(images, key=lambda image: order.index(image.job.split))[:count]
    annotator = LaneAnnotator(num_lanes=images[0].job.num_lanes, opacity=0.7)
    drawn = []
    for image in shown:
        drawn.append(annotator.annotate(read_image(image.job.image_path), image.truth))
    write_picture(root / "contact_sheet.jpg", lay_out(drawn, [image.category for image in shown]))


def _run(jobs: Sequence[ImageJob | DriveJob], workers: int, *, progress: bool) -> Iterator[WrittenImage | WrittenDrive]:
    """The results of all jobs in their order.

    Ctrl-C lets every process finish the picture it is at, and no further ones begin.
    """
    if workers == 1:
        yield from with_progress(map(_write, jobs), description="rendering", total=len(jobs), enabled=progress)
        return
    # "spawn", as a fork of a process with running threads (torch's, OpenCV's) may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        results = pool.map(_write, jobs, chunksize=4)
        yield from with_progress(results, description="rendering", total=len(jobs), enabled=progress)
    except BrokenProcessPool as error:
        raise OSError(
            "synthesize: a worker process died, perhaps for lack of memory. Try fewer --num-workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    # A worker must not die of Ctrl-C while it waits for work; it stops between two pictures.
    signal.signal(signal.SIGINT, lambda *_: _STOPPING.set())
    cv2.setNumThreads(1)


def _stop_if_asked() -> None:
    if _STOPPING.is_set():
        raise KeyboardInterrupt


def _write(job: ImageJob | DriveJob) -> WrittenImage | WrittenDrive:
    _stop_if_asked()
    return write_image(job) if isinstance(job, ImageJob) else write_drive(job, _stop_if_asked)
