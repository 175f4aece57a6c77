"""Predict: image, folder, video or camera -> drawn pictures and lane files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.inference.naming import (
    cvat_name,
    cvat_path,
    labelme_path,
    name_below_out,
    refuse_inputs,
    refuse_label_files,
)
from lanenet_sad.inference.predictor import Exit, Predictor
from lanenet_sad.inference.progress import with_progress
from lanenet_sad.inference.sinks import ImageSink, LanesJsonl, VideoSink, Window
from lanenet_sad.inference.sources import ImagesSource, Source, open_sources
from lanenet_sad.lanes.files import lines_path, write_culane_lines
from lanenet_sad.lanes.label_tools import write_cvat, write_labelme
from lanenet_sad.lanes.lane import Frame, Image, LanePrediction
from lanenet_sad.lanes.tusimple_files import tusimple_rows, write_tusimple
from lanenet_sad.visualization.annotators import EgoLaneAnnotator, LaneAnnotator

FileFormat = Literal["jsonl", "culane", "tusimple", "labelme", "cvat"]


@dataclass(frozen=True)
class PredictionSummary:
    """What was found and written.

    Attributes:
        num_frames: pictures or video frames that were read.
        num_lanes: lanes in them, in all.
        paths: the files written.
        faults: one sentence per corrupt picture, frame or file; the rest was done.
    """

    num_frames: int
    num_lanes: int
    paths: tuple[Path, ...]
    faults: tuple[str, ...]


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
    format: FileFormat = "jsonl",
    show: bool = False,
    progress: bool = True,
) -> PredictionSummary:
    """Find the lanes of pictures of any size; writes them drawn, and as `lanes.jsonl`.

    Args:
        source: an image, a folder, a glob pattern in quotes, a video, or the index of a camera.
        out: folder for the drawn pictures, `lanes.jsonl` (images) and `<name>.lanes.jsonl` (each video).
        weights: `.safetensors` file or `last.pt`; default: the weights in the package.
        device: auto, cpu, cuda or mps.
        batch_size: pictures at a time.
        threshold: lowest probability of a lane point; default: as the weights say, otherwise 0.3.
        crop_top: fraction of the picture's height to cut off the top; default: the network sees the full width
            and, from the bottom row up, as much as its training view's aspect holds.
        exit: leave the network behind this encoder block, by an exit trained there (faster); `ensemble`: the mean of
            all its exits.
        sequence: the images of a folder are consecutive frames, not unrelated pictures.
        format: culane or tusimple: also write these benchmarks' own files; labelme or cvat: also write first labels
            to correct in these programs.
        show: open a window too (needs a display build of OpenCV).
        progress: show progress.
    """
    predictor = Predictor.from_weights(weights, device=device, threshold=threshold, crop_top=crop_top, exit=exit)
    sources = open_sources(source, sequence=sequence, leave_out=out)
    refuse_inputs(planned_outputs(sources, out), sources)
    if format in ("labelme", "cvat"):
        refuse_label_files(sources, out, format)
    run = _Run(predictor, out, batch_size, format, progress)
    with ExitStack() as stack:
        run.window = stack.enter_context(Window("lanenet-sad")) if show else None
        for each in sources:
            with each:
                run.do(each)
    summary = PredictionSummary(run.num_frames, run.num_lanes, tuple(dict.fromkeys(run.paths)), tuple(run.faults))
    print(f"{summary.num_frames} frames, {summary.num_lanes} lanes; wrote {len(summary.paths)} files in {out}")
    return summary


def planned_outputs(sources: Sequence[Source], out: Path) -> list[Path]:
    """The drawn pictures and videos that the sources will become."""
    targets = []
    for source in sources:
        if isinstance(source, ImagesSource):
            targets += [out / os.path.relpath(file, source.folder) for file in source.files]
        else:
            targets.append(out / f"{source.name}.mp4")
    return targets


class _Run:
    """Works through sources one by one and counts."""

    def __init__(
        self, predictor: Predictor, out: Path, batch_size: int, file_format: FileFormat, progress: bool
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {batch_size}.")
        self.predictor, self.out, self.batch_size, self.progress = predictor, out, batch_size, progress
        self.file_format = file_format
        self.window: Window | None = None
        self.annotators = (
            EgoLaneAnnotator(num_lanes=predictor.network.num_lanes),
            LaneAnnotator(num_lanes=predictor.network.num_lanes),
        )
        self.num_frames = self.num_lanes = 0
        self.paths: list[Path] = []
        self.faults: list[str] = []

    def do(self, source: Source) -> None:
        """One source: every frame that can be read."""
        is_video = not isinstance(source, ImagesSource)
        lanes_path = self.out / (f"{source.name}.lanes.jsonl" if is_video else "lanes.jsonl")
        frames = with_progress(source, description=source.name, total=source.num_frames, enabled=self.progress)
        kept: list[LanePrediction] = []
        try:
            with ExitStack() as stack:
                lines = stack.enter_context(LanesJsonl(lanes_path))
                draw = self._drawing(source, stack)
                for frame, prediction in self._predictions(frames):
                    drawn = draw(frame, prediction)
                    lines.write(frame, prediction)
                    self._count(prediction)
                    if self.file_format != "jsonl":
                        # Without a run time: TuSimple gives 0 to slow frames, and a first picture is slow everywhere.
                        name = (cvat_name if self.file_format == "cvat" else name_below_out)(source, frame)
                        kept.append(replace(prediction, name=name, run_time=0.0))
                    if self.window is not None and not self.window.show(drawn):
                        break
            if lines.num_lines:
                self.paths.append(lanes_path)
        finally:
            self._write_files_of_format(source, kept)
            self.faults += source.faults

    def _predictions(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, LanePrediction]]:
        stream = iter(frames)
        while batch := list(islice(stream, self.batch_size)):
            anchors = [self._row_anchors(frame) for frame in batch]
            yield from zip(batch, self.predictor([frame.image for frame in batch], anchors), strict=True)

    def _row_anchors(self, frame: Frame) -> NDArray[np.float64] | None:
        return tusimple_rows(frame.size[0]) if self.file_format == "tusimple" else None

    def _drawing(self, source: Source, stack: ExitStack) -> _Drawing:
        return _Drawing(source, self.out, stack, self.annotators, self.paths)

    def _count(self, prediction: LanePrediction) -> None:
        self.num_frames += 1
        self.num_lanes += len(prediction.lanes)

    def _write_files_of_format(self, source: Source, predictions: list[LanePrediction]) -> None:
        if self.file_format in ("culane", "labelme"):
            for prediction in predictions:
                self._write_beside_picture(source, prediction)
        elif self.file_format == "tusimple" and predictions:
            path = self.out / f"{source.name}.tusimple.json"
            write_tusimple(path, predictions)
            self.paths.append(path)
        elif self.file_format == "cvat" and predictions:
            path = cvat_path(self.out, source)
            write_cvat(path, predictions)
            self.paths.append(path)

    def _write_beside_picture(self, source: Source, prediction: LanePrediction) -> None:
        title, find_path = ("CULane", lines_path) if self.file_format == "culane" else ("labelme", labelme_path)
        path = find_path(self.out, prediction.name)
        if path in self.paths:
            self.faults.append(f"{prediction.name}: {title}'s name for its lanes, {path}, is taken; left out.")
            return
        if self.file_format == "culane":
            write_culane_lines(path, prediction.lanes)
        else:
            assert isinstance(source, ImagesSource)  # the others are refused at the door
            write_labelme(path, prediction, Path(source.folder) / prediction.name)
        self.paths.append(path)


class _Drawing:
    """Draws the lanes of a source's frames and stores the pictures: a video for a video, files for files."""

    def __init__(
        self,
        source: Source,
        out: Path,
        stack: ExitStack,
        annotators: tuple[EgoLaneAnnotator, LaneAnnotator],
        paths: list[Path],
    ) -> None:
        self.source, self.out, self.stack, self.annotators, self.paths = source, out, stack, annotators, paths
        self.video: VideoSink | None = None
        self.images = ImageSink(out)

    def __call__(self, frame: Frame, prediction: LanePrediction) -> Image:
        image = frame.image
        for annotator in self.annotators:
            image = annotator.annotate(image, prediction)
        if isinstance(self.source, ImagesSource):
            name = name_below_out(self.source, frame)
            self.paths.append(self.images.write(name, image))
        else:
            self._video(frame).write(image, frame.time)
        return image

    def _video(self, frame: Frame) -> VideoSink:
        if self.video is None:
            path = self.out / f"{self.source.name}.mp4"
            sink = VideoSink(path, fps=self.source.fps or 25.0, size=frame.size)
            self.video = self.stack.enter_context(sink)
            self.paths.append(path)
        return self.video
