"""Lanes of every frame of a video, at the speed of the network: the stages overlap in threads of their own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.inference.overlap import StageClock, ahead
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.inference.sources import ImagesSource, Source, open_source
from lanenet_sad.lanes.driving import DrivingEvent
from lanenet_sad.lanes.lane import Frame, LanePrediction
from lanenet_sad.lanes.view import Placement
from lanenet_sad.models.interface import LaneNetOutput
from lanenet_sad.postprocess.follower import LaneFollower

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
    them, so that memory stays flat and the slowest of them, the network, sets the pace. Frames come out in order.

    Attributes:
        source: what is read; its `faults` say what could not be.
        predictor: finds the lanes of a frame.
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
    ) -> None:
        """Prepare; nothing is read before the first frame is asked for.

        Args:
            source: a name as `predict` takes it, or an open source.
            predictor: default: the weights that ship.
            follower: default: curves, tracks, line types, measures in metres and lane departures, all with their
                defaults.
            follow: leave the lanes of every frame as the network found them, if off.
            batch_size: frames that the network takes at a time; more delay, and on a GPU more speed.
            depth: batches that each stage may be ahead of the next one.
            row_anchors: image rows at which the lanes of a frame are sampled, for benchmarks; default: the decoder's.

        Raises:
            ValueError: `batch_size` or `depth` is below 1, or the source cannot be read.
            FileNotFoundError: there is no such source.
        """
        for name, value in (("batch_size", batch_size), ("depth", depth)):
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}.")
        self.source = source if isinstance(source, Source) else open_source(str(source))
        self.predictor = predictor or Predictor.from_weights()
        is_drive = not isinstance(self.source, ImagesSource) or self.source.sequence
        self.follower = None
        if follow and is_drive:
            self.follower = follower or LaneFollower.standard(num_lanes=self.predictor.network.num_lanes)
        self.batch_size, self.depth, self.row_anchors = batch_size, depth, row_anchors
        self.clock = StageClock()
        self.closing_events: tuple[DrivingEvent, ...] = ()

    def __enter__(self) -> Self:
        self.source.__enter__()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.source.__exit__(error_type, error, traceback)

    def __iter__(self) -> Generator[tuple[Frame, LanePrediction], None, None]:
        """Every frame of the source with its lanes, in order; may be repeated where the source can."""
        self.clock.seconds.clear()
        self.closing_events = ()
        if self.follower is not None:
            self.follower.reset()
        prepared = ahead(self._prepared(), depth=self.depth, name="decode")
        seen = ahead(self._seen(prepared), depth=self.depth, name="network")
        with closing(ahead(self._decoded(seen), depth=self.depth * self.batch_size, name="lanes")) as decoded:
            yield from decoded
        if self.follower is not None:
            self.closing_events = self.follower.finish()

    def _prepared(self) -> Iterator[_Batch]:
        """The first thread: reads frames and cuts out what the network sees."""
        with closing(self.clock.each("decode", self.source)) as frames:
            while batch := list(islice(frames, self.batch_size)):
                with self.clock.measure("preprocess"):
                    views, placements = self.predictor.prepare([frame.image for frame in batch])
                yield _Batch(batch, placements, views)

    def _seen(self, batches: Generator[_Batch, None, None]) -> Iterator[_Batch]:
        """The second thread: the network."""
        with closing(batches):
            for batch in batches:
                with self.clock.measure("network"):
                    output = self.predictor.infer(batch.views)
                yield replace(batch, output=output)

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
