"""What becomes of one source on disk: drawn pictures or a video, lanes, measures, the strip, files for other tools."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from lanenet_sad.inference.faults import is_about_one_file
from lanenet_sad.inference.growing_file import GrowingFile
from lanenet_sad.inference.interesting_frames import InterestingFrames
from lanenet_sad.inference.interrupts import uninterrupted
from lanenet_sad.inference.lanes_jsonl import LanesJsonl
from lanenet_sad.inference.metrics_csv import MetricsCsv
from lanenet_sad.inference.naming import (
    cvat_name,
    cvat_path,
    label_faults,
    label_path,
    lanes_path,
    name_below_out,
    result_path,
)
from lanenet_sad.inference.overlap import BEHIND_THE_NETWORK, Behind, StageClock
from lanenet_sad.inference.run_summary import SourceSummary, SummaryBuilder
from lanenet_sad.inference.sinks import VideoSink, write_image
from lanenet_sad.inference.sources import ImagesSource, Source
from lanenet_sad.lanes.driving import DrivingEvent
from lanenet_sad.lanes.files import write_culane_lines
from lanenet_sad.lanes.label_tools import write_cvat, write_labelme
from lanenet_sad.lanes.lane import Frame, Image, LanePrediction
from lanenet_sad.lanes.tusimple_files import tusimple_line
from lanenet_sad.visualization.annotators import Annotator, annotate_all

FileFormat = Literal["jsonl", "culane", "tusimple", "labelme", "cvat"]


@dataclass(frozen=True)
class RecordingStyle:
    """What is drawn and written of every source.

    Attributes:
        out: folder.
        annotators: draw into a copy of every frame, in this order.
        file_format: of what is written beside `lanes.jsonl`.
        num_lanes: L of the network.
        suffix: between name and ending of files that several ranks would otherwise share.
    """

    out: Path
    annotators: Sequence[Annotator]
    file_format: FileFormat = "jsonl"
    num_lanes: int = 4
    suffix: str = ""


class Recorder:
    """Draws and writes what is found in one source, a context manager.

    Pictures are encoded in a thread of their own. Whatever ends the block, a full disk, an error or Ctrl-C, the files
    appear under their names with what was finished, and `summary` is what was found.

    Attributes:
        paths: the files written.
        faults: a sentence for each thing that could not be drawn or written.
        is_whole: whether the files have all that was found; known after the end of the block.
    """

    def __init__(
        self,
        source: Source,
        style: RecordingStyle,
        *,
        clock: StageClock,
        known: Sequence[str] = (),
    ) -> None:
        """Prepare; files are opened at the start of the `with` block.

        Args:
            source: what the frames come from.
            style: what is drawn and written.
            clock: to count the time of drawing and writing with.
            known: lines about pictures that an earlier run has done; they are kept, before those to come.
        """
        self.source, self.style, self.clock = source, style, clock
        self.is_whole = False
        self.paths: list[Path] = []
        self.faults: list[str] = []
        self._known = known
        self._kept: list[LanePrediction] = []
        self._label_faults = label_faults(source, style.out, style.file_format)
        self._builder = SummaryBuilder(
            source.files[0] if len(source.files) == 1 else source.name, num_lanes=style.num_lanes
        )
        self._strip = InterestingFrames(num_lanes=style.num_lanes)
        self._video: VideoSink | None = None
        self._clean_up = ExitStack()
        self._started = 0.0

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        with ExitStack() as stack:
            stack.callback(self._write_kept)
            self._lines = stack.enter_context(LanesJsonl(lanes_path(self.style.out, self.source, self.style.suffix)))
            for line in self._known:
                self._lines.copy(line)
            self._rows: GrowingFile | None = None
            if self.style.file_format == "tusimple":
                self._rows = stack.enter_context(GrowingFile(self._beside("tusimple.json")))
            self._table: MetricsCsv | None = None
            if self.source.is_drive:
                stack.callback(self._write_strip)
                self._table = stack.enter_context(MetricsCsv(self._beside("metrics.csv")))
            self._videos = stack.enter_context(ExitStack())  # closed after the last picture was handed to it
            self._encode = stack.enter_context(Behind(self._store, depth=4, name="encode", niceness=BEHIND_THE_NETWORK))
            self._clean_up = stack.pop_all()
        return self

    def write(self, frame: Frame, prediction: LanePrediction) -> Image:
        """Draw and write one frame; returns the drawn picture.

        Raises:
            ValueError: a picture could not be written; perhaps one of the frames before, as they are stored later.
            OSError: the disk is full or gone.
        """
        with self.clock.measure("draw"):
            drawn = annotate_all(frame.image, prediction, self.style.annotators)
        with uninterrupted():  # or the video would have a frame that the lanes, or the summary, do not know
            self._encode((frame, drawn))
            with self.clock.measure("write"):
                self._note(frame, prediction, drawn)
        return drawn

    def _note(self, frame: Frame, prediction: LanePrediction, drawn: Image) -> None:
        is_picture = isinstance(self.source, ImagesSource)
        self._lines.write(frame, prediction, drawn=name_below_out(self.source, frame) if is_picture else None)
        if self._table is not None:
            self._table.write(frame, prediction)
            self._strip.add(frame, drawn, prediction)
        self._builder.add(frame, prediction)
        if self.style.file_format != "jsonl":
            # Without a run time: TuSimple gives 0 to slow frames, and a first picture is slow everywhere.
            name = (cvat_name if self.style.file_format == "cvat" else name_below_out)(self.source, frame)
            self._write_format(replace(prediction, name=name, run_time=0.0))

    def summary(self, *, events: Sequence[DrivingEvent] = (), finished: bool = True) -> SourceSummary:
        """What has been found, to ask for after the end of the block.

        Args:
            events: that were going on when the source ended.
            finished: whether the source was read to its end.
        """
        self._builder.add_events(events)
        return self._builder.finish(
            seconds=time.perf_counter() - self._started,
            stages=self.clock.seconds,
            faults=[*self.source.faults, *self.faults],
            dropped_frames=self.source.dropped,
            finished=finished and self.is_whole,
        )

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with uninterrupted():  # what is finished gets its name, even if someone asks twice for an early end
            try:
                self._clean_up.__exit__(error_type, error, traceback)
                self.is_whole = error is None
            finally:
                if self._video is not None:
                    self.faults += self._video.faults
                    self.paths += [self._video.written] if self._video.written is not None else []
                written = [self._lines.path] if self._lines.num_lines else []
                if self._table is not None and self._table.num_rows:
                    written.append(self._table.path)
                if self._rows is not None and self._rows.num_lines:
                    written.append(self._rows.path)
                self.paths[:0] = written

    def _beside(self, ending: str) -> Path:
        return result_path(self.style.out, self.source, ending, self.style.suffix)

    def _store(self, item: tuple[Frame, Image]) -> None:
        """In the thread that encodes."""
        frame, drawn = item
        with self.clock.measure("encode"):
            if isinstance(self.source, ImagesSource):
                self._store_picture(self.style.out / name_below_out(self.source, frame), drawn)
                return
            if self._video is None:
                path = self._beside("mp4")
                sink = VideoSink(
                    path, fps=self.source.fps or 25.0, size=frame.size, pixel_aspect=self.source.pixel_aspect
                )
                self._video = self._videos.enter_context(sink)
            self._video.write(drawn, frame.time)

    def _store_picture(self, path: Path, drawn: Image) -> None:
        try:
            write_image(path, drawn)
            self.paths.append(path)
        except (ValueError, OSError) as error:
            if not is_about_one_file(error):
                raise
            self.faults.append(f"{path}: not drawn ({error})")

    def _write_strip(self) -> None:
        path = self._beside("strip.jpg")
        try:
            if self._strip.write(path):
                self.paths.append(path)
        except OSError as error:  # a full disk: what ended the run says more
            self.faults.append(str(error))

    def _write_format(self, prediction: LanePrediction) -> None:
        if self._rows is not None:
            self._rows.write_line(tusimple_line(prediction, self._rows.path))
        elif self.style.file_format == "cvat":  # one document about all of them
            self._kept.append(prediction)
        else:
            self._write_beside_picture(prediction)

    def _write_kept(self) -> None:
        if self._kept:
            path = cvat_path(self.style.out, self.source)
            write_cvat(path, self._kept)
            self.paths.append(path)

    def _write_beside_picture(self, prediction: LanePrediction) -> None:
        path = label_path(self.style.out, prediction.name, self.style.file_format)
        assert path is not None  # the other formats have one file for all
        if fault := self._label_faults.get(prediction.name):
            self.faults.append(fault)
            return
        if self.style.file_format == "culane":
            write_culane_lines(path, prediction.lanes)
        else:
            assert isinstance(self.source, ImagesSource)  # the others are refused at the door
            write_labelme(path, prediction, Path(self.source.folder) / prediction.name)
        self.paths.append(path)
