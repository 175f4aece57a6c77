"""Lane departure: warns when the vehicle's wheels come to a line, and tells when they have left it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lanenet_sad.lanes.driving import VEHICLE_HALF_WIDTH, DrivingEvent, RoadMeasures, Side
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.lanes.slots import ego_slots

_LONGEST_STEP = 1.0  # seconds between two frames, beyond which they are not of one drive


@dataclass
class _Departure:
    """A departure that goes on, or that has not lasted long enough to be told."""

    start: float
    frame: int
    nearest: float
    latest: float
    is_told: bool = False


class DepartureWarner:
    """Tells departures from the own lane, from the measures of the road in each frame.

    A departure begins when the nearer wheels are less than `warn_distance` from a line, and is told once that has been
    so for `minimum_duration`; it is over when they are `release_distance` away. It is told twice, when it begins and,
    with the same start, when it is over. Frames without measures do not end it for `longest_gap` seconds; after that it
    ended when it was last seen. When the lane changes, the line that was crossed is on the other side, which ends the
    departure too; it is warned about again once the wheels have been `release_distance` away, or come back to it.
    """

    def __init__(
        self,
        *,
        half_width: float = VEHICLE_HALF_WIDTH,
        warn_distance: float = 0.1,
        release_distance: float = 0.3,
        minimum_duration: float = 0.2,
        minimum_speed: float = 0.0,
        longest_gap: float = 0.5,
        farthest: float = 1.0,
        lowest_confidence: float = 0.3,
        num_lanes: int = 4,
    ) -> None:
        """Fix the settings.

        Args:
            half_width: metres from the camera, which is taken to be in the middle of the vehicle, to the wheels.
            warn_distance: metres between wheels and line.
            release_distance: the same, larger, so that a vehicle beside a line gives one departure.
            minimum_duration: seconds below which a departure is not told.
            minimum_speed: metres per second towards the line that a departure needs to begin; 0 needs none. Where the
                speed is unknown, the departure begins.
            longest_gap: seconds without measures.
            farthest: metres that the camera can be beyond a line of its lane; what is measured farther is a mistake.
            lowest_confidence: of a line that is warned about.
            num_lanes: L of the network, which says which slots are the lines of the own lane.

        Raises:
            ValueError: a setting is out of range.
        """
        if not half_width > 0:
            raise ValueError(f"half_width: expected a positive number of metres, got {half_width}.")
        if not release_distance > warn_distance:
            raise ValueError(
                f"release_distance: expected more than warn_distance, which is {warn_distance} m, got "
                f"{release_distance} m."
            )
        for name, value in (
            ("minimum_duration", minimum_duration),
            ("minimum_speed", minimum_speed),
            ("longest_gap", longest_gap),
            ("farthest", farthest),
        ):
            if not value >= 0:
                raise ValueError(f"{name}: expected 0 or more, got {value}.")
        self.half_width = half_width
        self.warn_distance = warn_distance
        self.release_distance = release_distance
        self.minimum_duration = minimum_duration
        self.minimum_speed = minimum_speed
        self.longest_gap = longest_gap
        self.farthest = farthest
        self.lowest_confidence = lowest_confidence
        self.num_lanes = num_lanes
        self.reset()

    def reset(self) -> None:
        """Forget what goes on, for a new source; call `close` before if the open departures shall be told."""
        self._open: dict[Side, _Departure] = {}
        self._crossed: dict[Side, float] = {}  # of lines that a lane change has left behind, how far by now
        self._time: float | None = None
        self._over: list[DrivingEvent] = []  # what ended with the scene before, until the next frame tells it

    def begin_scene(self) -> None:
        """After a cut, before its first frame: what went on ended with the last frame, and no line was crossed."""
        self._over += self.close()
        self._crossed = {}

    def __call__(self, prediction: LanePrediction, time: float, frame: int) -> LanePrediction:
        """Look at the next frame.

        Args:
            prediction: of the frame, with the measures of the road.
            time: of the frame, in seconds.
            frame: its number.

        Returns:
            The same with what began or ended in this frame added to its events.
        """
        if self._time is not None and not 0 <= time - self._time <= _LONGEST_STEP + 1e-6:
            self.begin_scene()
        events, self._over = self._over, []
        self._time = time
        changed = {event.side for event in prediction.events if event.kind == "lane_change"}
        for side in changed:  # before either side is looked at: the line just crossed is on the other one now
            events += self._end(side, time)
            self._crossed = {"right" if side == "left" else "left": -math.inf}
        for side in ("left", "right"):
            events += self._follow(side, prediction, time, frame)
        return replace(prediction, events=(*prediction.events, *events))

    def close(self) -> list[DrivingEvent]:
        """The departures that go on, as over with the last frame that had measures; for the end of a video."""
        sides: tuple[Side, ...] = tuple(self._open)
        return [event for side in sides for event in self._end(side, self._open[side].latest)]

    def _seen_distance(self, side: Side, prediction: LanePrediction) -> float | None:
        """Metres from wheels to line, negative beyond it; None unless the line is seen and can be there."""
        slot = ego_slots(self.num_lanes)[0 if side == "left" else 1]
        confidence = max((lane.confidence for lane in prediction.lanes if lane.slot == slot), default=0.0)
        distance = None if prediction.road is None else prediction.road.wheel_distance(side, self.half_width)
        if distance is None or confidence < self.lowest_confidence or distance + self.half_width < -self.farthest:
            return None
        return distance

    def _follow(self, side: Side, prediction: LanePrediction, time: float, frame: int) -> list[DrivingEvent]:
        road = prediction.road
        distance = self._seen_distance(side, prediction)
        departure = self._open.get(side)
        if distance is None:
            if departure is not None and time - departure.latest > self.longest_gap:
                return self._end(side, departure.latest)
            return []
        if side in self._crossed:
            farthest = self._crossed[side] = max(self._crossed[side], distance)
            comes_back = distance < farthest - (self.release_distance - self.warn_distance)
            if comes_back or distance >= self.release_distance:
                del self._crossed[side]
        if departure is None:
            if side in self._crossed or distance >= self.warn_distance or not self._moves_towards(side, road):
                return []
            departure = self._open[side] = _Departure(time, frame, distance, time)
        elif distance >= self.release_distance:
            return self._end(side, time)
        departure.nearest, departure.latest = min(departure.nearest, distance), time
        if not departure.is_told and time - departure.start >= self.minimum_duration - 1e-9:
            departure.is_told = True
            return [self._event(side, departure, time, is_over=False)]
        return []

    def _moves_towards(self, side: Side, road: RoadMeasures | None) -> bool:
        speed = None if road is None else road.lateral_speed
        if speed is None or self.minimum_speed == 0:
            return True
        return (speed if side == "right" else -speed) >= self.minimum_speed

    def _end(self, side: Side, time: float) -> list[DrivingEvent]:
        departure = self._open.pop(side, None)
        if departure is None or not departure.is_told:
            return []
        return [self._event(side, departure, time, is_over=True)]

    def _event(self, side: Side, departure: _Departure, time: float, *, is_over: bool) -> DrivingEvent:
        return DrivingEvent(
            "departure",
            side,
            departure.start,
            departure.frame,
            duration=time - departure.start,
            minimum_distance=departure.nearest,
            is_over=is_over,
        )
