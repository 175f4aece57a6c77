"""Predict: image, folder, video, stream or camera -> drawn pictures, lanes, measures and events."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lanenet_sad.inference.faults import is_about_one_file
from lanenet_sad.inference.naming import refuse_clashes, refuse_label_files, result_path
from lanenet_sad.inference.network_process import NetworkProcess
from lanenet_sad.inference.pipeline import LanePipeline
from lanenet_sad.inference.predictor import Exit, Predictor
from lanenet_sad.inference.progress import with_progress
from lanenet_sad.inference.ranks import Rank
from lanenet_sad.inference.recorder import FileFormat, Recorder, RecordingStyle
from lanenet_sad.inference.resume import Left, identity_of, identity_of_file, note_end, note_settings, what_is_left
from lanenet_sad.inference.run_summary import RunSummary, SourceSummary
from lanenet_sad.inference.sinks import Window
from lanenet_sad.inference.sources import FrameSelection, ImagesSource, Source, open_sources
from lanenet_sad.lanes.calibration_files import read_calibration
from lanenet_sad.lanes.lane import Frame
from lanenet_sad.lanes.processes import num_cores
from lanenet_sad.lanes.tusimple_files import tusimple_rows
from lanenet_sad.postprocess.follower import LaneFollower
from lanenet_sad.visualization.annotators import Annotator, EgoLaneAnnotator, LaneAnnotator
from lanenet_sad.visualization.birds_eye import BirdsEyeAnnotator, MeasuresAnnotator
from lanenet_sad.visualization.departure import DepartureAnnotator

_WITHOUT_INFLUENCE = ("source", "out", "device", "batch_size", "resume", "show", "progress")
_FEWEST_A_SECOND = 5  # frames, from which a lateral speed can be told


@dataclass(frozen=True)
class PredictionSummary:
    """What was found and written.

    Attributes:
        num_frames: pictures or video frames that were read, in this run or the one that it resumes.
        num_lanes: lanes in them, in all.
        paths: the files written.
        faults: one sentence per corrupt picture, frame or file; the rest was done.
        sources: what was found in each source of this run.
    """

    num_frames: int
    num_lanes: int
    paths: tuple[Path, ...]
    faults: tuple[str, ...]
    sources: tuple[SourceSummary, ...] = ()


def predict(
    source: str,
    *,
    out: Path,
    weights: Path | None = None,
    device: str = "auto",
    batch_size: int = 1,
    threshold: float | None = None,
    crop_top: float | None = None,
    exit: Exit = None,
    sequence: bool = False,
    tracking: bool = True,
    calibration: Path | None = None,
    ldw: bool = False,
    birds_eye: bool = False,
    every: int = 1,
    start: float = 0.0,
    duration: float | None = None,
    max_height: int | None = None,
    format: FileFormat = "jsonl",
    resume: bool = False,
    show: bool = False,
    progress: bool = True,
) -> PredictionSummary:
    """Find the lanes of pictures and videos of any size; writes them drawn, and as `lanes.jsonl`.

    Of a drive (a video, a stream, a camera, a --sequence) lanes are followed from frame to frame: smooth curves that
    keep their identity, line types, measures in metres, lane changes and lane departures (docs/video.md). Started by
    torchrun or SLURM's srun, every process takes its part of the sources.

    Args:
        source: an image, a folder, a glob pattern in quotes, a video, a text file with a source a line, the address of
            a stream (http, https, rtsp, rtmp, udp), or the index of a camera.
        out: folder for the drawn pictures and videos, their lanes and measures (docs/outputs.md).
        weights: `.safetensors` file or `last.pt`; default: the weights in the package.
        device: auto, cpu, cuda or mps.
        batch_size: pictures at a time.
        threshold: lowest probability of a lane point; default: as the weights say, otherwise 0.3.
        crop_top: fraction of the picture's height to cut off the top; default: by the training view's aspect.
        exit: leave the network behind this encoder block, by an exit trained there; `ensemble`: the mean of all exits.
        sequence: the images of a folder are consecutive frames, not unrelated pictures.
        tracking: follow the lanes of a drive, instead of taking every frame by itself.
        calibration: camera file, as `lanenet-sad calibrate` writes it; default: from the lanes, taken to be 3.7 m wide.
        ldw: draw lane departure warnings.
        birds_eye: draw the road from above, and the measures.
        every: of a drive, only every so many-th frame.
        start: of a drive, the second to begin at.
        duration: of a drive, how many seconds; default: to the end.
        max_height: make higher pictures smaller first, to this height in pixels; lanes are in pixels of these.
        format: culane, tusimple: these benchmarks' files too; labelme, cvat: first labels to correct there too.
        resume: go on where an earlier run into the same folder stopped: finished videos and pictures are left alone.
        show: open a window too (needs a display build of OpenCV).
        progress: show progress.
    """
    out = Path(out)  # callers in Python may take strings
    weights, calibration = (None if path is None else Path(path) for path in (weights, calibration))
    # What is written depends on all but these; a run is resumed only with the same.
    settings = {name: value for name, value in locals().items() if name not in _WITHOUT_INFLUENCE}
    _refuse_contradictions(settings)
    rank = Rank.of_environment()
    predictor = Predictor.from_weights(
        weights, device=_device_of(rank, device), threshold=threshold, crop_top=crop_top, exit=exit
    )
    selection = FrameSelection(every=every, start=start, duration=duration, max_height=max_height)
    sources = open_sources(source, sequence=sequence, leave_out=out, selection=selection)
    refuse_clashes(sources, out, rank.suffix, file_format=format)
    if (ldw or birds_eye or calibration) and not any(each.is_drive for each in sources):
        warnings.warn("--ldw, --birds-eye and --calibration have no effect on unrelated pictures.", stacklevel=2)
    style = RecordingStyle(out, (), format, predictor.network.num_lanes, rank.suffix)
    run = _Run(predictor, style, settings, batch_size=batch_size, progress=progress)
    parts = [run.what_is_left(each, resume=resume) for each in _share(sources, rank, format)]
    if format in ("labelme", "cvat"):
        refuse_label_files([part.source for part in parts if part.source is not None], out, format)
    for sentence in (each for part in parts for each in part.warnings):
        warnings.warn(sentence, stacklevel=2)
    return run.do_all(parts, show=show, beside=rank.is_alone)


class _Run:
    """Works through sources one by one and counts."""

    def __init__(
        self,
        predictor: Predictor,
        style: RecordingStyle,
        settings: dict[str, Any],
        *,
        batch_size: int,
        progress: bool,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {batch_size}.")
        self.predictor, self.style, self.batch_size, self.progress = predictor, style, batch_size, progress
        self.tracking, self.ldw, self.birds_eye = (settings[name] for name in ("tracking", "ldw", "birds_eye"))
        weights, calibration = settings["weights"], settings["calibration"]
        self.weights_name = weights.name if weights else "shipped"
        self.camera = read_calibration(calibration) if calibration else None
        files = {"weights": weights, "calibration": calibration}
        self.settings = {**settings, **{name: file and identity_of_file(file) for name, file in files.items()}}
        self.window: Window | None = None
        self.process: NetworkProcess | None = None
        self.num_frames = self.num_lanes = self.num_done_before = 0
        self.paths: list[Path] = []
        self.faults: list[str] = []
        self.summaries: list[SourceSummary] = []

    def what_is_left(self, source: Source, *, resume: bool) -> Left:
        """What there is to do of a source: all of it, unless an earlier run is resumed."""
        settings = {**self.settings, "input": identity_of(source)}
        if not resume:
            return Left(source, settings)
        in_one_file = self.style.file_format in ("tusimple", "cvat")
        return what_is_left(source, settings, out=self.style.out, in_one_file=in_one_file, suffix=self.style.suffix)

    def do_all(self, parts: Sequence[Left], *, show: bool, beside: bool) -> PredictionSummary:
        """One source after the other; `beside`: the network may have a process of its own."""
        with ExitStack() as stack:
            self.window = stack.enter_context(Window("lanenet-sad")) if show else None
            if stack.enter_context(_cores_left_to_the_others(self.predictor.device)) > 1 and beside:
                self.process = stack.enter_context(NetworkProcess(self.predictor, batch_size=self.batch_size))
            try:
                for part in parts:
                    try:
                        self.do(part)
                    except (ValueError, OSError) as error:  # such as another shape than the calibration's
                        if not is_about_one_file(error):
                            raise
                        self.faults.append(f"{part.source.name}: {error}" if part.source else str(error))
            finally:
                summary = self.finish()
        return summary

    def do(self, part: Left) -> None:
        """What is left of one source: every frame that can be read."""
        source = part.source
        self.num_done_before += part.done.num_frames if source is not None else 1
        self.num_frames += part.done.num_frames
        self.num_lanes += part.done.num_lanes
        self.faults += part.done.faults
        if source is None:
            return
        follower = LaneFollower.standard(num_lanes=self.style.num_lanes, calibration=self.camera)
        pipeline = LanePipeline(
            source,
            predictor=self.predictor,
            follower=follower,
            follow=self.tracking,
            batch_size=self.batch_size,
            process=self.process,
            row_anchors=self._row_anchors if self.style.file_format == "tusimple" else None,
        )
        self.paths += note_settings(source, part.settings, out=self.style.out, suffix=self.style.suffix)
        style = replace(self.style, annotators=self._annotators(follower if source.is_drive else None))
        recorder = Recorder(source, style, clock=pipeline.clock, known=part.known)
        finished_all = False
        try:
            with pipeline, recorder:
                finished_all = self._record(pipeline, recorder)
        finally:
            note_end(source, recorder.paths, out=self.style.out, suffix=self.style.suffix)
            summary = recorder.summary(events=pipeline.closing_events, finished=finished_all)
            if pipeline.follower is not None and (meter := pipeline.follower.meter) is not None:
                summary = replace(summary, camera=meter.calibration, assumed_lane_width=meter.assumed_lane_width)
            self._count(recorder, summary)
            if source.is_drive and summary.frames:
                path = result_path(self.style.out, source, "summary.json", self.style.suffix)
                self._write_summary(summary, part.settings, path)

    def _write_summary(self, summary: SourceSummary, settings: Mapping[str, object], path: Path) -> None:
        try:
            RunSummary((summary,), weights=self.weights_name, settings=settings).write(path)
            self.paths.append(path)
        except OSError as error:
            if summary.finished:
                raise
            self.faults.append(str(error))  # a full disk, and what ended the run says more

    def _record(self, pipeline: LanePipeline, recorder: Recorder) -> bool:
        """Whether the source came to its end, and nobody closed the window before."""
        source = pipeline.source
        unit = "frames" if source.is_drive else "images"
        if self.tracking and source.is_drive and source.fps and source.fps < _FEWEST_A_SECOND:
            warnings.warn(
                f"{source.name}: {source.fps:.3g} frames a second are too few for speeds and, below 2.5, for lane "
                f"changes; take more with a smaller --every, or leave tracks out with --no-tracking.",
                stacklevel=2,
            )
        with closing(iter(pipeline)) as found:
            frames = with_progress(
                found, description=source.name, total=source.num_frames, unit=unit, enabled=self.progress
            )
            for frame, prediction in frames:
                drawn = recorder.write(frame, prediction)
                if self.window is not None and not self.window.show(drawn):
                    return False
        return True

    def _annotators(self, follower: LaneFollower | None) -> tuple[Annotator, ...]:
        num_lanes = self.style.num_lanes
        annotators: list[Annotator] = [EgoLaneAnnotator(num_lanes=num_lanes), LaneAnnotator(num_lanes=num_lanes)]
        if follower is not None and follower.meter is not None and self.birds_eye:
            meter = follower.meter
            annotators.append(BirdsEyeAnnotator(num_lanes=num_lanes))
            annotators.append(MeasuresAnnotator(lane_width=meter.assumed_lane_width, num_lanes=num_lanes))
        if follower is not None and self.ldw:
            annotators.append(DepartureAnnotator(num_lanes=num_lanes))
        return tuple(annotators)

    def _row_anchors(self, frame: Frame) -> NDArray[np.float64]:
        return tusimple_rows(frame.size[0])

    def _count(self, recorder: Recorder, summary: SourceSummary) -> None:
        self.num_frames += summary.frames
        self.num_lanes += summary.lanes
        self.paths += recorder.paths
        self.faults += summary.faults
        self.summaries.append(summary)

    def finish(self) -> PredictionSummary:
        """Say and return what was found."""
        if self.summaries and any(summary.stages for summary in self.summaries):
            print(RunSummary(tuple(self.summaries)))
        paths = tuple(dict.fromkeys(self.paths))
        before = f" ({self.num_done_before} sources or pictures were done before)" if self.num_done_before else ""
        print(f"{self.num_frames} frames, {self.num_lanes} lanes; wrote {len(paths)} files in {self.style.out}{before}")
        return PredictionSummary(self.num_frames, self.num_lanes, paths, tuple(self.faults), tuple(self.summaries))


def _share(sources: Sequence[Source], rank: Rank, file_format: FileFormat) -> list[Source]:
    """This rank's part: whole videos, and single pictures; by the size of the files."""
    if rank.is_alone:
        return list(sources)
    if file_format == "cvat":
        raise ValueError("--format cvat writes one file about all pictures; run it in one process, not over ranks.")
    pictures = [each for each in sources if isinstance(each, ImagesSource) and not each.is_drive]
    drives = [each for each in sources if each.is_drive]
    mine = rank.share(drives, size=lambda each: sum(_bytes(file) for file in each.files))
    for each in pictures:
        files = rank.share(each.files, size=_bytes)
        if files:
            mine.append(each.restricted(files))
    return mine


def _bytes(file: str) -> float:
    return float(Path(file).stat().st_size) if Path(file).is_file() else 0.0


def _refuse_contradictions(settings: Mapping[str, Any]) -> None:
    if (settings["ldw"] or settings["birds_eye"]) and not settings["tracking"]:
        raise ValueError("--ldw and --birds-eye draw what is measured along a drive; leave --no-tracking out.")
    file_format, max_height = settings["format"], settings["max_height"]
    if max_height is not None and file_format != "jsonl":
        raise ValueError(f"--format {file_format} is about the original pictures; leave --max-height {max_height} out.")


def _device_of(rank: Rank, device: str) -> str:
    """A rank's own GPU, unless the user named one."""
    if rank.is_alone or device not in ("auto", "cuda") or not torch.cuda.is_available():
        return device
    return f"cuda:{rank.local_index % torch.cuda.device_count()}"


@contextmanager
def _cores_left_to_the_others(device: torch.device) -> Iterator[int]:
    """Reading, drawing and encoding run beside the network; on a CPU that computes on all cores they would wait.

    Gives the cores that the network and the others share; 1 where the network has a device of its own.
    """
    before = torch.get_num_threads(), cv2.getNumThreads()
    is_shared = device.type == "cpu"
    try:
        cv2.setNumThreads(1)  # each stage has its thread already
        if is_shared and "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(max(1, num_cores() // 2))
        yield num_cores() if is_shared else 1
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
