"""What is done to the lanes of a video, frame after frame: curves, tracks, line types, metres, departures."""

from __future__ import annotations

from typing import Self

from lanenet_sad.lanes.driving import DrivingEvent
from lanenet_sad.lanes.lane import Frame, LanePrediction
from lanenet_sad.lanes.perspective import CameraCalibration
from lanenet_sad.postprocess.departure import DepartureWarner
from lanenet_sad.postprocess.ground_meter import GroundMeter
from lanenet_sad.postprocess.line_type import LineTypeClassifier
from lanenet_sad.postprocess.refine import LaneRefiner
from lanenet_sad.postprocess.tracking import LaneTracker


class LaneFollower:
    """Makes of the lanes of single frames those of a drive; a part that is None is left out.

    Frames have to come in order. The parts can be used alone too; each takes and returns a `LanePrediction`.
    """

    def __init__(
        self,
        *,
        refiner: LaneRefiner | None = None,
        tracker: LaneTracker | None = None,
        line_types: LineTypeClassifier | None = None,
        meter: GroundMeter | None = None,
        departures: DepartureWarner | None = None,
    ) -> None:
        """Put the parts together, in the order in which they act.

        Args:
            refiner: points -> curves.
            tracker: identity over frames, smooth and bridged courses, lane changes.
            line_types: solid or dashed, white or yellow.
            meter: measures of road and vehicle in metres.
            departures: says when the vehicle comes too close to a line; it needs `meter`.

        Raises:
            ValueError: departures without measures.
        """
        if departures is not None and meter is None:
            raise ValueError("Lane follower: departures are found in the measures; expected a meter too, got None.")
        self.refiner, self.tracker, self.line_types = refiner, tracker, line_types
        self.meter, self.departures = meter, departures

    @classmethod
    def standard(cls, *, num_lanes: int = 4, calibration: CameraCalibration | None = None) -> Self:
        """All parts with their defaults.

        Args:
            num_lanes: L of the network.
            calibration: of the camera; None: it is worked out from the lanes, and metres assume their width.
        """
        return cls(
            refiner=LaneRefiner(),
            tracker=LaneTracker(num_lanes=num_lanes),
            line_types=LineTypeClassifier(),
            meter=GroundMeter(calibration, num_lanes=num_lanes),
            departures=DepartureWarner(num_lanes=num_lanes),
        )

    def reset(self) -> None:
        """Begin another drive."""
        for part in (self.refiner, self.tracker, self.line_types, self.meter, self.departures):
            if part is not None:
                part.reset()

    def __call__(self, frame: Frame, prediction: LanePrediction) -> LanePrediction:
        """The lanes of the next frame, with what is known from those before."""
        if self.refiner is not None:
            prediction = self.refiner(prediction)
        if self.tracker is not None:
            scene = self.tracker.scene
            prediction = self.tracker(prediction, frame.time, frame.index)
            if self.tracker.scene != scene:
                self._begin_scene()
        if self.line_types is not None:
            prediction = self.line_types(frame.image, prediction)
        if self.meter is not None:
            prediction = self.meter(prediction, frame.time)
        if self.departures is not None:
            prediction = self.departures(prediction, frame.time, frame.index)
        return prediction

    def _begin_scene(self) -> None:
        """After a cut: what was there before says nothing about what comes, but it is the same camera."""
        for part in (self.line_types, self.meter, self.departures):
            if part is not None:
                part.begin_scene()

    def finish(self) -> tuple[DrivingEvent, ...]:
        """The events that were going on when the drive ended."""
        return () if self.departures is None else tuple(self.departures.close())
