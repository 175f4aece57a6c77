"""What kind of line each lane line is: solid, dashed or double, white or yellow, from the paint along its curve."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.lane import Image, Lane, LanePrediction, LaneType, LineColour, LineStyle
from lanenet_sad.postprocess.line_type_weights import SCALES, STYLE_WEIGHTS, YELLOW_WEIGHTS
from lanenet_sad.postprocess.paint_pattern import describe
from lanenet_sad.postprocess.paint_strip import RoadScale, road_scale, unwrap, usual_scale

Vector = NDArray[np.float64]

STYLES: tuple[LineStyle, ...] = get_args(LineStyle)
COLOURS: tuple[LineColour, ...] = get_args(LineColour)

LARGEST = 4.0  # times the spread of a figure, from its mean, beyond which it says no more
_FEWEST = 4  # points of a lane below which there is no curve to look along
_FORGOTTEN = 250  # frames after which a track that is not seen is given up
_SCALE_MEMORY = 0.9
_BLUE = np.array([-5.0, -4.0, -2.0])  # as YELLOW_WEIGHTS; by hand, for blue lines are too rare to fit


@dataclass
class _Track:
    """What the frames so far say about one line."""

    styles: Vector
    colours: Vector
    seen: int
    told: LaneType | None = None


class LineTypeClassifier:
    """Says what kind of line each lane is, accumulated over the frames of a track.

    A strip of road along each lane is unwrapped, paint is what stands out from the ground on both sides of it, and a
    softmax regression on how it is spread along and across the strip gives log-probabilities of the styles. Over the
    frames of a track they add up: frames so near to each other say nearly the same, so each counts as `weight` of an
    independent one, and what was said is forgotten at a rate of `memory`. A type is told once it is as likely as
    `sure`, and kept until another one is, or until it has become unlikely. Lanes without a `track_id` are judged by the
    picture alone.

    A `solid_dashed` line is mostly told as solid and `dots` as dashed, since both are rare and seldom clear.
    """

    def __init__(
        self,
        *,
        sure: float = 0.75,
        every: int = 2,
        weight: float = 0.5,
        memory: float = 0.92,
        unlikely: float = 0.2,
    ) -> None:
        """Set up.

        Args:
            sure: probability from which on a type is told.
            every: tracks are looked at in every so many frames, new ones at once.
            weight: how many independent looks a further one at the same track is worth, 0..1.
            memory: share of what is known that is left at the next look, 0..1.
            unlikely: probability below which a type that was told is told no more.

        Raises:
            ValueError: a setting is out of range.
        """
        if every < 1:
            raise ValueError(f"every: expected 1 frame or more, got {every}.")
        for name, value in {"sure": sure, "weight": weight, "memory": memory, "unlikely": unlikely}.items():
            if not 0 <= value <= 1:
                raise ValueError(f"{name}: expected a number between 0 and 1, got {value}.")
        self.sure, self.every, self.weight, self.memory, self.unlikely = sure, every, weight, memory, unlikely
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is of another source."""
        self._frame = 0
        self.begin_scene()

    def begin_scene(self) -> None:
        """After a cut: other lines, and perhaps pictures of another size."""
        self._tracks: dict[int, _Track] = {}
        self._scale: RoadScale | None = None

    def __call__(self, image: Image, prediction: LanePrediction) -> LanePrediction:
        """Say what kind of line each lane is.

        Args:
            image: (H, W, 3) RGB uint8.
            prediction: its lanes, in pixels of the image.

        Returns:
            The prediction with `line_type` where it is sure enough, None elsewhere.
        """
        self._frame += 1
        judged = [lane for lane in prediction.lanes if len(lane.points) >= _FEWEST and self._is_due(lane)]
        evidence = self._evidence(image, judged) if judged else {}
        lanes = tuple(replace(lane, line_type=self._judge(lane, evidence.get(id(lane)))) for lane in prediction.lanes)
        lost = [number for number, track in self._tracks.items() if self._frame - track.seen > _FORGOTTEN]
        for number in lost:
            del self._tracks[number]
        return replace(prediction, lanes=lanes)

    def _is_due(self, lane: Lane) -> bool:
        return self._frame % self.every == 0 or lane.track_id is None or lane.track_id not in self._tracks

    def _evidence(self, image: Image, lanes: list[Lane]) -> dict[int, tuple[Vector, Vector]]:
        """Log-probabilities of styles and of colours of every lane, by the lane's id()."""
        lines = [lane.points for lane in lanes]
        strips = unwrap(image, lines, self._find_scale(lanes, (image.shape[0], image.shape[1])))
        figures, hues = describe(strips)
        styles = _log_softmax(figures_with_squares(figures, SCALES) @ STYLE_WEIGHTS)
        ones = np.ones((len(lanes), 1))
        hues = np.hstack([ones, hues])
        colours = _log_softmax(np.hstack([0 * ones, (hues @ YELLOW_WEIGHTS)[:, None], (hues @ _BLUE)[:, None]]))
        return {id(lane): (style, colour) for lane, style, colour in zip(lanes, styles, colours, strict=True)}

    def _find_scale(self, lanes: list[Lane], image_size: tuple[int, int]) -> RoadScale:
        """The scale of the road, which a camera keeps: from this frame and those before it."""
        found = road_scale([lane.points for lane in lanes], image_size)
        tracked = any(lane.track_id is not None for lane in lanes)
        before = self._scale if tracked else None
        if found is None:
            return before or usual_scale(max((lane.points for lane in lanes), key=len))
        if before is not None:
            found = RoadScale(
                *(
                    _SCALE_MEMORY * old + (1 - _SCALE_MEMORY) * new
                    for old, new in ((before.horizon, found.horizon), (before.spread, found.spread))
                )
            )
        if tracked:
            self._scale = found
        return found

    def _judge(self, lane: Lane, evidence: tuple[Vector, Vector] | None) -> LaneType | None:
        """The type to tell of one lane."""
        if lane.track_id is None:
            return None if evidence is None else self._decide(*evidence, None)
        track = self._tracks.get(lane.track_id)
        if evidence is None:
            return None if track is None else track.told
        if track is None:
            track = self._tracks[lane.track_id] = _Track(*evidence, self._frame)
        else:
            weight = self.weight * lane.confidence
            track.styles = self.memory * track.styles + weight * evidence[0]
            track.colours = self.memory * track.colours + weight * evidence[1]
            track.seen = self._frame
        track.told = self._decide(track.styles, track.colours, track.told)
        return track.told

    def _decide(self, styles: Vector, colours: Vector, told: LaneType | None) -> LaneType | None:
        """The likeliest type if it is sure, else the one that was told unless it is unlikely by now."""
        chances, hues = _chances(styles), _chances(colours)
        style, colour = chances.index(max(chances)), hues.index(max(hues))
        sure_style = chances[style] >= self.sure
        if told is None:
            return LaneType(STYLES[style], COLOURS[colour]) if sure_style else None
        if not sure_style and chances[STYLES.index(told.style)] < self.unlikely:
            return None
        return LaneType(
            STYLES[style] if sure_style else told.style,
            COLOURS[colour] if hues[colour] >= self.sure else told.colour,
        )


def figures_with_squares(figures: Vector, scales: Vector) -> Vector:
    """What the weights of the styles are for: a constant, the figures in units of their spread, and their squares.

    Args:
        figures: (L, F) as `describe` gives them.
        scales: (F, 2) mean and standard deviation of each.
    """
    scaled = np.clip((figures - scales[:, 0]) / scales[:, 1], -LARGEST, LARGEST)
    return np.hstack([np.ones((len(scaled), 1)), scaled, scaled**2])


def _log_softmax(values: Vector) -> Vector:
    shifted = values - values.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def _chances(logarithms: Vector) -> list[float]:
    """Softmax of a few numbers, faster than NumPy's calls."""
    values: list[float] = logarithms.tolist()
    highest = max(values)
    powers = [math.exp(value - highest) for value in values]
    total = sum(powers)
    return [power / total for power in powers]
