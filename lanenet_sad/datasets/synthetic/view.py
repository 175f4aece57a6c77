"""Which piece of road every image row shows: the table that all of the renderer looks up.

Inverse mapping instead of a 3-D engine: for each row of the canvas the distance, the place of the reference line
and the size of a pixel on the ground; everything painted on the ground is a function of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lanenet_sad.datasets.synthetic.camera import Camera

if TYPE_CHECKING:
    from lanenet_sad.datasets.synthetic.road import Alignment

FloatArray = NDArray[np.float64]

FAR = 500.0
_MAX_HEADING = 1.1  # radians; beyond it the road runs across the picture and rows no longer follow it
_NUM_STATIONS = 700


@dataclass(frozen=True)
class Pose:
    """Where the ego car is on the road.

    Attributes:
        s: distance along the road in metres.
        lateral: position right of the reference line in metres.
        yaw: of the camera against the road in radians, positive looks to the right.
    """

    s: float = 0.0
    lateral: float = 0.0
    yaw: float = 0.0


@dataclass(frozen=True, eq=False)
class RoadView:
    """The road as seen from one pose.

    Attributes:
        camera: the camera.
        pose: of the ego car.
        first_row: canvas row at which the ground begins; everything above it is sky.
        rows: (R,) canvas rows that show ground, top to bottom.
        depth: (R,) metres ahead of the camera.
        s: (R,) distance along the road.
        centre: (R,) canvas column of the reference line.
        heading: (R,) direction of the road against the camera's in radians.
        pixel_width: (R,) metres across the road that one pixel spans.
        pixel_length: (R,) metres along the road that one row spans.
        stations: (S, 5) the road ahead: s, metres to the right, metres ahead, heading, elevation.
    """

    camera: Camera
    pose: Pose
    first_row: int
    rows: FloatArray
    depth: FloatArray
    s: FloatArray
    centre: FloatArray
    heading: FloatArray
    pixel_width: FloatArray
    pixel_length: FloatArray
    stations: FloatArray

    def columns(self, offset: ArrayLike) -> FloatArray:
        """Canvas column of lateral position `offset` (metres, a number or one per row) in every ground row."""
        return self.centre + np.asarray(offset, dtype=np.float64) / self.pixel_width

    def ground_point(self, s: ArrayLike, lateral: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(metres right of the camera, metres ahead of it, elevation) of places on the road."""
        x, depth, heading, elevation = self._at(s)
        return x + np.asarray(lateral) / np.cos(heading), depth, elevation

    def project(self, s: ArrayLike, lateral: ArrayLike, height: ArrayLike) -> FloatArray:
        """Canvas pixels (N, 2) of points `height` metres above places on the road; behind the lens clamps to it."""
        return self.to_canvas(*self.ground_point(s, lateral), height)

    def to_canvas(self, x: ArrayLike, depth: ArrayLike, elevation: ArrayLike, height: ArrayLike) -> FloatArray:
        """Canvas pixels (N, 2) of points given in metres right of, ahead of and above the camera's foot."""
        camera = self.camera
        ahead = np.maximum(np.asarray(depth, dtype=np.float64), 0.4)
        column = camera.canvas_centre_x + camera.focal_x * np.asarray(x) / ahead
        rise = np.asarray(elevation) + np.asarray(height)
        row = camera.canvas_horizon + camera.focal_y * (camera.height - rise) / ahead
        return np.stack(np.broadcast_arrays(column, row), axis=-1)

    def heading_at(self, s: float) -> float:
        """Direction of the road at `s` against the camera's, in radians."""
        return float(self._at(s)[2])

    def farthest(self) -> float:
        """The largest s that the table reaches."""
        return float(self.stations[-1, 0])

    def _at(self, s: ArrayLike) -> tuple[FloatArray, ...]:
        along = self.stations[:, 0]
        wanted = np.asarray(s, dtype=np.float64)
        after = np.clip(np.searchsorted(along, wanted), 1, len(along) - 1)
        share = np.clip((wanted - along[after - 1]) / (along[after] - along[after - 1]), 0, 1)[..., None]
        found = self.stations[after - 1, 1:] * (1 - share) + self.stations[after, 1:] * share
        return tuple(np.moveaxis(found, -1, 0))


def look(camera: Camera, alignment: Alignment, pose: Pose) -> RoadView:
    """Builds the row table of one pose.

    Stations along the road give depth and elevation, hence an image row; what a crest hides is found as the
    running minimum of that row, and every remaining row looks its station up.
    """
    stations = _stations(camera, alignment, pose)
    visible = _visible(camera, stations)
    s, x, depth, heading, _ = visible.T
    station_rows = _station_rows(camera, visible)

    bottom = camera.canvas_size[0] - 1
    first_row = int(np.clip(math.ceil(station_rows[-1]), 0, bottom - 1))
    rows = np.arange(first_row, bottom + 1, dtype=np.float64)
    rising = station_rows[::-1]

    def lookup(values: FloatArray, at: FloatArray) -> FloatArray:
        return np.interp(at, rising, values[::-1])

    row_depth, row_heading = lookup(depth, rows), lookup(heading, rows)
    return RoadView(
        camera=camera,
        pose=pose,
        first_row=first_row,
        rows=rows,
        depth=row_depth,
        s=lookup(s, rows),
        centre=camera.canvas_centre_x + camera.focal_x * lookup(x, rows) / row_depth,
        heading=row_heading,
        pixel_width=row_depth / camera.focal_x * np.cos(row_heading),
        pixel_length=np.maximum(lookup(s, rows - 0.5) - lookup(s, rows + 0.5), 1e-3),
        stations=stations,
    )


def _stations(camera: Camera, alignment: Alignment, pose: Pose) -> FloatArray:
    """(S, 5) s, metres to the right, metres ahead, heading and elevation of the reference line ahead of the ego."""
    below = max(camera.canvas_size[0] - camera.canvas_horizon, 1.0)
    nearest = min(0.5 * camera.focal_y * camera.height / below, 5.0)
    ahead = np.concatenate([[0.0], np.geomspace(nearest, FAR, _NUM_STATIONS)])
    s = pose.s + ahead
    heading = -pose.yaw + _integral(alignment.curvature_at(s), ahead)
    x = -pose.lateral * math.cos(heading[0]) + _integral(np.sin(heading), ahead)
    depth = pose.lateral * math.sin(heading[0]) + _integral(np.cos(heading), ahead)
    table = np.stack([s, x, depth, heading, alignment.elevation_above(s, pose.s)], axis=1)
    turned_away = np.flatnonzero(np.abs(heading) > _MAX_HEADING)
    return table[: turned_away[0]] if len(turned_away) else table


def _integral(values: FloatArray, over: FloatArray) -> FloatArray:
    """Cumulative trapezoidal integral, starting at 0."""
    return np.concatenate([[0.0], np.cumsum((values[1:] + values[:-1]) / 2 * np.diff(over))])


def _station_rows(camera: Camera, stations: FloatArray) -> FloatArray:
    return camera.canvas_horizon + camera.focal_y * (camera.height - stations[:, 4]) / stations[:, 2]


def _visible(camera: Camera, stations: FloatArray) -> FloatArray:
    """The stations that no nearer ground hides: those above all nearer ones in the picture."""
    ahead = stations[stations[:, 2] > 0.3]
    rows = _station_rows(camera, ahead)
    lowest = np.minimum.accumulate(np.concatenate([[np.inf], rows[:-1]]))
    return ahead[rows < lowest - 1e-6]
