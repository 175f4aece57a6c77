"""Lanes of every frame of a video, at the speed of the network: the stages overlap in threads of their own."""

from __future__ import annotations

import warnings
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.inference.network_process import NetworkProcess, ProcessEndedError
from lanenet_sad.inference.overlap import BEHIND_THE_NETWORK, StageClock, ahead
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.inference.sources import Source, open_source
from lanenet_sad.lanes.driving import DrivingEvent
from lanenet_sad.lanes.lane import Frame, LanePrediction
from lanenet_sad.lanes.processes import num_cores
from lanenet_sad.lanes.view import Placement
from lanenet_sad.models.interface import LaneNetOutput
from lanenet_sad.postprocess.follower import LaneFollower

_LONG = 150  # frames
RowAnchors = Callable[[Frame], NDArray[np.float64] | None]


@dataclass(frozen=True)
class _Batch:
    """Frames on their way through the stages."""

    frames: list[Frame]
    placements: list[Placement]
    views: NDArray[np.uint8]
    output: LaneNetOutput | None = None


class LanePipeline:
    """Frames and their lanes, from a picture, a folder, a video, a stream or a camera.

    ```python
    with LanePipeline("drive.mp4") as pipeline:
        for frame, prediction in pipeline:
            print(frame.time, prediction.road, [(lane.track_id, lane.line_type) for lane in prediction.lanes])
    ```

    Decoding, preparing, the network and everything after it run in threads of their own with bounded queues between
    them, so that memory stays flat and the slowest of them, the network, sets the pace. Frames come out in order. In a
    `with` block on a CPU, the network of a long video has a process of its own.

    Attributes:
        source: what is read; its `faults` say what could not be.
        predictor: finds the lanes of a frame.
        process: runs the network, if not here.
        follower: what is done to the lanes of successive frames; None for unrelated pictures.
        clock: seconds that each stage was busy: decode, preprocess, network, lanes.
        closing_events: events that were still going on when the video ended.
    """

    def __init__(
        self,
        source: str | Path | Source,
        *,
        predictor: Predictor | None = None,
        follower: LaneFollower | None = None,
        follow: bool = True,
        batch_size: int = 1,
        depth: int = 4,
        row_anchors: RowAnchors | None = None,
        process: NetworkProcess | Literal["auto"] | None = "auto",
    ) -> None:
        """Prepare; nothing is read before the first frame is asked for.

        Args:
            source: a name as `predict` takes it, or an open source.
            predictor: default: the weights that ship.
            follower: default: curves, tracks, line types, measures in metres and lane departures, all with their
                defaults.
            follow: leave the lanes of every frame as the network found them, if off.
            batch_size: frames that the network takes at a time; more delay, and on a GPU more speed.
            depth: batches that each stage may be ahead of the next one; 1 for live sources, whose frames would get old.
            row_anchors: image rows at which the lanes of a frame are sampled, for benchmarks; default: the decoder's.
            process: runs the network of `predictor` beside this process, which is faster on a CPU of several cores; it
                is started for sources that are long or have no end, and is the caller's to close. auto: one that
                belongs to the pipeline and ends with its `with` block; without a `with` block there is none. None: the
                network runs here.

        Raises:
            ValueError: `batch_size` or `depth` is below 1, or the source cannot be read.
            FileNotFoundError: there is no such source.
        """
        for name, value in (("batch_size", batch_size), ("depth", depth)):
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}.")
        self.source = source if isinstance(source, Source) else open_source(str(source))
        self.predictor = predictor or Predictor.from_weights()
        self.follower = None
        if follow and self.source.is_drive:
            self.follower = follower or LaneFollower.standard(num_lanes=self.predictor.network.num_lanes)
        self.batch_size, self.depth, self.row_anchors = batch_size, depth, row_anchors
        self._own_process: NetworkProcess | None = None
        self._wants_process = process == "auto" and self.predictor.device.type == "cpu" and num_cores() > 1
        self.process = None if process == "auto" else process
        self.clock = StageClock()
        self.closing_events: tuple[DrivingEvent, ...] = ()
        # Not held, so that a loop that is left early ends its threads at once.
        self._found: Callable[[], Generator[tuple[Frame, LanePrediction], None, None] | None] = lambda: None

    def __enter__(self) -> Self:
        if self._wants_process:
            self.process = self._own_process = NetworkProcess(self.predictor, batch_size=self.batch_size)
        self.source.__enter__()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with ExitStack() as stack:  # all of it, whatever goes wrong; the threads end before what they work with
            stack.callback(self._close_process)
            stack.callback(self.source.__exit__, error_type, error, traceback)
            self._close_found()

    def _close_found(self) -> None:
        found = self._found()
        if found is not None:
            found.close()

    def _close_process(self) -> None:
        if self._own_process is not None:
            self._own_process.close()
            self.process = self._own_process = None

    def __iter__(self) -> Generator[tuple[Frame, LanePrediction], None, None]:
        """Every frame of the source with its lanes, in order; may be repeated where the source can.

        One iteration at a time: another one, or the end of the `with` block, ends the one before.
        """
        self._close_found()
        found = self._find()
        self._found = weakref.ref(found)
        return found

    def _find(self) -> Generator[tuple[Frame, LanePrediction], None, None]:
        self.clock.seconds.clear()
        self.closing_events = ()
        if self.follower is not None:
            self.follower.reset()
        self._start_process()
        depth, prepared = self.depth, self._prepared()
        if self.source.is_live:
            depth = 1  # it leaves out what is old in a thread of its own; what waits behind that only gets older
        else:
            prepared = ahead(prepared, depth=depth, name="decode", niceness=BEHIND_THE_NETWORK)
        seen = ahead(self._seen(prepared), depth=depth, name="network")
        found = ahead(self._decoded(seen), depth=depth * self.batch_size, name="lanes", niceness=BEHIND_THE_NETWORK)
        with closing(found):
            yield from found
        if self.follower is not None:
            self.closing_events = self.follower.finish()

    def _prepared(self) -> Generator[_Batch, None, None]:
        """The first thread: reads frames and cuts out what the network sees."""
        with closing(self.clock.each("decode", self.source)) as frames:
            while batch := list(islice(frames, self.batch_size)):
                with self.clock.measure("preprocess"):
                    views, placements = self.predictor.prepare([frame.image for frame in batch])
                yield _Batch(batch, placements, views)

    def _seen(self, batches: Generator[_Batch, None, None]) -> Iterator[_Batch]:
        """The second thread: the network, here or in a process of its own."""
        # The process has the next batch before it is done with this one; but a live picture waits for no other.
        most_waiting = 1 if self.source.is_live else 2
        waiting: deque[_Batch] = deque()
        with closing(batches):
            try:
                for batch in batches:
                    if self._hand_over(batch):
                        waiting.append(batch)
                        if len(waiting) == most_waiting:
                            yield self._with_output(waiting.popleft())
                        continue
                    while waiting:
                        yield self._with_output(waiting.popleft())
                    yield self._with_output(batch)
                while waiting:
                    yield self._with_output(waiting.popleft())
            finally:
                if self.process is not None:
                    self.process.forget()

    def _start_process(self) -> None:
        """A process of its own for the network takes seconds to start; short videos are done by then."""
        is_long = self.source.num_frames is None or self.source.num_frames >= _LONG
        if self.process is None or not is_long:
            return
        try:
            self.process.start()
        except OSError:  # no room, no rights: it works here too
            self.process = None

    def _hand_over(self, batch: _Batch) -> bool:
        if self.process is None or not self.process.is_ready:
            return False
        try:
            with self.clock.measure("network"):
                self.process.submit(batch.views)
        except ProcessEndedError:
            self._go_on_here()
            return False
        return True

    def _with_output(self, batch: _Batch) -> _Batch:
        """From the process, if the batch is there, or else from the network here."""
        with self.clock.measure("network"):
            if self.process is not None and self.process.num_waiting:
                try:
                    return replace(batch, output=self.process.result())
                except ProcessEndedError:
                    self._go_on_here()
            return replace(batch, output=self.predictor.infer(batch.views))

    def _go_on_here(self) -> None:
        assert self.process is not None
        self.process.close()
        self.process = None
        warnings.warn("The network's process has ended; this one goes on with the network, more slowly.", stacklevel=2)

    def _decoded(self, batches: Generator[_Batch, None, None]) -> Iterator[tuple[Frame, LanePrediction]]:
        """The third thread: network output -> lanes, and what successive frames say together."""
        with closing(batches):
            for batch in batches:
                assert batch.output is not None
                with self.clock.measure("lanes"):
                    anchors = [self.row_anchors(frame) if self.row_anchors else None for frame in batch.frames]
                    sizes = [frame.size for frame in batch.frames]
                    predictions = self.predictor.decoder(batch.output, batch.placements, sizes, anchors)
                for frame, prediction in zip(batch.frames, predictions, strict=True):
                    with self.clock.measure("lanes"):
                        followed = prediction if self.follower is None else self.follower(frame, prediction)
                    yield frame, followed
