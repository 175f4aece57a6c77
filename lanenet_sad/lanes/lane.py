"""The small types that carry lanes and pictures through the whole package."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.driving import DrivingEvent, RoadMeasures

if TYPE_CHECKING:  # which imports this module
    from lanenet_sad.lanes.perspective import CameraCalibration

Points: TypeAlias = NDArray[np.float64]
Image: TypeAlias = NDArray[np.uint8]
IntMask: TypeAlias = NDArray[np.uint8]

LineStyle = Literal["solid", "dashed", "double", "solid_dashed", "dots"]
LineColour = Literal["white", "yellow", "blue"]

IGNORE_INDEX = 255


@dataclass(frozen=True)
class LaneType:
    """What kind of line a lane line is.

    Attributes:
        style: `double` is two lines of the same kind side by side, `solid_dashed` one of each, `dots` raised dots
            without paint.
        colour: of the paint or of the dots.
    """

    style: LineStyle
    colour: LineColour


@dataclass(frozen=True, eq=False)
class Lane:
    """One lane line of an image: a polyline ordered near to far.

    Attributes:
        points: (N, 2), x and y in pixels of the original image; no NaN, N may be 0.
        slot: 1-based position in the network's output, counted left to right, and the lane's value in a
            lane mask (CULane: 1..4 = far left, left, right, far right of the ego lane); None if not assigned.
        confidence: probability that the lane exists, 0..1; labels have 1.
        point_confidences: (N,) how sure each point is, 0..1; None if unknown.
        track_id: identity over the frames of a video, from 1; None for a single picture.
        line_type: what kind of line it is, if that has been looked at.
    """

    points: Points
    slot: int | None = None
    confidence: float = 1.0
    point_confidences: NDArray[np.float64] | None = None
    track_id: int | None = None
    line_type: LaneType | None = None

    def __post_init__(self) -> None:
        points = np.asarray(self.points, dtype=np.float64)
        if points.size == 0:
            points = points.reshape(0, 2)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"Lane points: expected an array of shape (N, 2), got {points.shape}.")
        object.__setattr__(self, "points", points)
        if self.point_confidences is not None and self.point_confidences.shape != (len(points),):
            raise ValueError(
                f"Lane point confidences: expected one for each of {len(points)} points, got an array of shape "
                f"{self.point_confidences.shape}."
            )

    def scaled(self, scale_x: float, scale_y: float | None = None) -> Lane:
        """The same lane with x multiplied by `scale_x` and y by `scale_y` (default: `scale_x`)."""
        factors = np.array([scale_x, scale_x if scale_y is None else scale_y])
        return replace(self, points=self.points * factors)


@dataclass(frozen=True, eq=False)
class LanePrediction:
    """The lanes of one image, in pixels of that image: what a network found, or what a label says.

    Attributes:
        lanes: left to right.
        image_size: (height, width) of the original image in pixels.
        name: the image's name as its list or source gives it.
        row_anchors: (R,) image rows at which the lanes were sampled; None if they are free polylines.
        run_time: seconds spent on this image; 0 if unknown.
        road: what the lanes say about road and vehicle, in metres; None for a single picture.
        camera: with which `road` was measured; None as long as it is not known.
        events: what began or ended in this frame of a video.
    """

    lanes: tuple[Lane, ...]
    image_size: tuple[int, int]
    name: str = ""
    row_anchors: NDArray[np.float64] | None = None
    run_time: float = 0.0
    road: RoadMeasures | None = None
    camera: CameraCalibration | None = None
    events: tuple[DrivingEvent, ...] = ()


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source (image file, directory, video, camera).

    Attributes:
        image: (H, W, 3) RGB uint8.
        source: the file or camera as the user named it or the folder listed it.
        index: number of the frame within its source, from 0.
        time: seconds since the start of the source; 0.0 for still images.
    """

    image: Image
    source: str
    index: int = 0
    time: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return int(self.image.shape[0]), int(self.image.shape[1])
