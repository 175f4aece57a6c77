"""The camera above the road: which place of the ground a pixel shows, and the other way round.

The ground is the plane that the wheels stand on. Its origin lies below the camera, x points to the vehicle's right and
y ahead, both in metres. Angles are in radians; see docs/geometry.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lanenet_sad.lanes.lane import Points

FloatArray = NDArray[np.float64]
Scale = Literal["calibration", "assumed"]

FIELD_OF_VIEW = 60.0
"""Degrees that a camera without a calibration is taken to see across the longer side of its picture."""

_DISTORTION_LENGTHS = (0, 4, 5, 8, 12, 14)  # what OpenCV accepts
_STEEPEST = 1.2
_NEAREST = 1e-3  # of the camera's height: ground that is no farther ahead is not in front of the lens
_FOLDED = 1.0  # px: a point whose distortion cannot be taken back lies outside the lens model's reach


@dataclass(frozen=True)
class CameraCalibration:
    """How a camera sees the road: its lens, its height and where it looks.

    Attributes:
        image_size: (height, width) in pixels of the pictures that the numbers are for.
        focal: focal lengths (x, y) in pixels.
        centre: (x, y) in pixels where the optical axis meets the picture.
        distortion: lens distortion in OpenCV's order k1 k2 p1 p2 k3 ...: 0, 4, 5, 8, 12 or 14 numbers.
        height: metres from the road to the lens; None if unknown.
        pitch: by which the camera looks down from the plane of the road; None if unknown, and then the yaw is, too.
        yaw: by which the camera looks to the right of the direction in which the vehicle drives straight on.
        roll: by which the picture is turned clockwise.
        pitch_error: standard deviation of the pitch where it was estimated.
        yaw_error: the same of the yaw.
        scale: whether `height` was measured (`calibration`) or follows from an assumed lane width (`assumed`).
        origin: where the numbers come from, in words.
    """

    image_size: tuple[int, int]
    focal: tuple[float, float]
    centre: tuple[float, float]
    distortion: tuple[float, ...] = ()
    height: float | None = None
    pitch: float | None = None
    yaw: float = 0.0
    roll: float = 0.0
    pitch_error: float | None = None
    yaw_error: float | None = None
    scale: Scale = "calibration"
    origin: str = ""

    def __post_init__(self) -> None:
        if len(self.distortion) not in _DISTORTION_LENGTHS:
            raise ValueError(
                f"Camera distortion: expected {', '.join(map(str, _DISTORTION_LENGTHS))} numbers in OpenCV's order "
                f"k1 k2 p1 p2 k3 ..., got {len(self.distortion)}."
            )
        numbers = (*self.focal, *self.centre, *self.distortion, self.height or 0.0, self.yaw, self.roll)
        if not all(map(math.isfinite, numbers)) or min(self.image_size) < 1 or min(self.focal) <= 0:
            raise ValueError(
                f"Camera: expected a picture size, positive focal lengths and finite numbers, got size "
                f"{self.image_size}, focal lengths {self.focal}, centre {self.centre}, distortion {self.distortion}, "
                f"height {self.height}, yaw {self.yaw}, roll {self.roll}."
            )
        if self.height is not None and self.height <= 0:
            raise ValueError(f"Camera height: expected metres above the road, more than 0, got {self.height}.")
        for name in ("pitch", "yaw", "roll"):
            angle = getattr(self, name)
            if angle is not None and not abs(angle) <= _STEEPEST:
                raise ValueError(
                    f"Camera {name}: expected radians between -{_STEEPEST} and {_STEEPEST}, got {angle}; "
                    f"degrees have to be divided by 57.3."
                )

    @property
    def camera_matrix(self) -> FloatArray:
        """(3, 3) intrinsic matrix K."""
        return np.array([[self.focal[0], 0, self.centre[0]], [0, self.focal[1], self.centre[1]], [0, 0, 1.0]])

    @cached_property
    def rotation(self) -> FloatArray:
        """(3, 3): ground axes (right, ahead, up) -> camera axes (right, down, forward).

        Raises:
            ValueError: the pitch is unknown.
        """
        if self.pitch is None:
            raise ValueError(
                "Camera: where it looks is not known; give a pitch, or estimate it from the lanes of a video."
            )
        yaw_sine, yaw_cosine = math.sin(self.yaw), math.cos(self.yaw)
        pitch_sine, pitch_cosine = math.sin(self.pitch), math.cos(self.pitch)
        roll_sine, roll_cosine = math.sin(self.roll), math.cos(self.roll)
        turn = np.array([[yaw_cosine, -yaw_sine, 0], [yaw_sine, yaw_cosine, 0], [0, 0, 1]])
        dip = np.array([[1, 0, 0], [0, -pitch_sine, -pitch_cosine], [0, pitch_cosine, -pitch_sine]])
        tilt = np.array([[roll_cosine, -roll_sine, 0], [roll_sine, roll_cosine, 0], [0, 0, 1]])
        rotation: FloatArray = tilt @ dip @ turn
        return rotation

    @cached_property
    def ground_to_image(self) -> FloatArray:
        """(3, 3) homography from metres on the ground to undistorted pixels, the inverse of `homography`.

        Raises:
            ValueError: the pitch or the height is unknown.
        """
        columns = self.rotation.copy()
        columns[:, 2] *= -self._known_height()
        matrix: FloatArray = self.camera_matrix @ columns
        return matrix

    @cached_property
    def homography(self) -> FloatArray:
        """(3, 3) homography from undistorted pixels to metres on the ground.

        Its third coordinate is positive exactly for pixels below the horizon.

        Raises:
            ValueError: the pitch or the height is unknown.
        """
        return np.asarray(np.linalg.inv(self.ground_to_image), dtype=np.float64)

    @cached_property
    def vanishing_point(self) -> tuple[float, float]:
        """The pixel (x, y) straight ahead of the vehicle on the horizon, distortion included."""
        point = self.camera_matrix @ self.rotation[:, 1]
        x, y = self.distort(point[None, :2] / point[2])[0]
        return float(x), float(y)

    def undistort(self, points: ArrayLike) -> Points:
        """Pixels of the picture -> those that a lens without distortion would show, (N, 2) -> (N, 2)."""
        pixels = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        if not any(self.distortion) or len(pixels) == 0:
            return pixels
        criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-3)
        matrix, numbers = self.camera_matrix, np.array(self.distortion)
        straight = cv2.undistortPointsIter(pixels[:, None], matrix, numbers, np.eye(3), matrix, criteria)
        return np.asarray(straight, dtype=np.float64).reshape(-1, 2)

    def distort(self, points: ArrayLike) -> Points:
        """The inverse of `undistort`; NaN for points so far outside that the lens model folds back on itself."""
        pixels = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        if not any(self.distortion) or len(pixels) == 0:
            return pixels
        rays = np.column_stack([(pixels - self.centre) / self.focal, np.ones(len(pixels))])
        good = np.isfinite(rays).all(axis=1)
        bent = np.full_like(pixels, np.nan)
        if good.any():
            zero, numbers = np.zeros(3), np.array(self.distortion)
            bent[good] = cv2.projectPoints(rays[good], zero, zero, self.camera_matrix, numbers)[0].reshape(-1, 2)
            off = np.abs(self.undistort(bent[good]) - pixels[good]).max(axis=1)
            bent[np.flatnonzero(good)[~(off < _FOLDED)]] = np.nan
        return bent

    def rays(self, points: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Where pixels look, as seen from the vehicle: works without a known height.

        Args:
            points: (N, 2) pixels of the picture.

        Returns:
            (N,) metres to the right and (N,) metres downwards for each metre ahead.

        Raises:
            ValueError: the pitch is unknown.
        """
        pixels = self.undistort(points)
        towards = np.column_stack([(pixels - self.centre) / self.focal, np.ones(len(pixels))]) @ self.rotation
        ahead = towards[:, 1]
        return towards[:, 0] / ahead, -towards[:, 2] / ahead

    def to_ground(self, points: ArrayLike) -> Points:
        """Pixels of the picture -> metres (right, ahead) on the ground, (N, 2) -> (N, 2).

        NaN for pixels on or above the horizon.

        Raises:
            ValueError: the pitch or the height is unknown.
        """
        pixels = self.undistort(points)
        mapped = np.column_stack([pixels, np.ones(len(pixels))]) @ self.homography.T
        with np.errstate(divide="ignore", invalid="ignore"):
            ground = mapped[:, :2] / mapped[:, 2:]
        ground[~(mapped[:, 2] > 1e-9)] = np.nan
        return np.asarray(ground, dtype=np.float64)

    def to_image(self, points: ArrayLike) -> Points:
        """Metres (right, ahead) on the ground -> pixels of the picture, (N, 2) -> (N, 2); some lie outside of it.

        NaN for ground behind the camera.

        Raises:
            ValueError: the pitch or the height is unknown.
        """
        ground = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        mapped = np.column_stack([ground, np.ones(len(ground))]) @ self.ground_to_image.T
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = mapped[:, :2] / mapped[:, 2:]
        pixels[~(mapped[:, 2] > _NEAREST * self._known_height())] = np.nan
        return self.distort(pixels)

    def scaled_to(self, image_size: tuple[int, int]) -> CameraCalibration:
        """The same camera for pictures of another size (height, width) that show the same.

        Raises:
            ValueError: the shape differs, so that the other picture cannot be this one scaled.
        """
        if image_size == self.image_size:
            return self
        if not is_same_shape(image_size, self.image_size):
            raise ValueError(
                f"Camera calibration for pictures of {self.image_size[1]}x{self.image_size[0]} pixels: a picture of "
                f"{image_size[1]}x{image_size[0]} has another shape, hence was cut; calibrate with pictures like it."
            )
        y, x = (new / old for new, old in zip(image_size, self.image_size, strict=True))
        return replace(
            self,
            image_size=image_size,
            focal=(self.focal[0] * x, self.focal[1] * y),
            centre=((self.centre[0] + 0.5) * x - 0.5, (self.centre[1] + 0.5) * y - 0.5),
        )

    def mounted(
        self, *, height: float | None = None, pitch: float | None = None, yaw: float | None = None
    ) -> CameraCalibration:
        """The same camera with what was measured on the vehicle; None leaves what it says itself."""
        camera = self if height is None else replace(self, height=height, scale="calibration")
        camera = camera if pitch is None else replace(camera, pitch=pitch, pitch_error=None)
        return camera if yaw is None else replace(camera, yaw=yaw, yaw_error=None)

    def _known_height(self) -> float:
        if self.height is None:
            raise ValueError("Camera: its height above the road is not known; give it, or assume a lane width.")
        return self.height


def is_same_shape(image_size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether pictures of two sizes (height, width) can show the same, but for rounded sides."""
    return abs(image_size[1] * other[0] / (image_size[0] * other[1]) - 1) <= 0.02


def assumed_camera(
    image_size: tuple[int, int], *, field_of_view: float = FIELD_OF_VIEW, height: float | None = None
) -> CameraCalibration:
    """A camera nobody has calibrated: square pixels, no distortion, the axis through the middle of the picture.

    Args:
        image_size: (height, width) in pixels.
        field_of_view: degrees across the longer side of the picture; held upright, a camera has the same lens.
        height: metres from the road to the lens; None if unknown.

    Raises:
        ValueError: no lens has that field of view.
    """
    if not 5 <= field_of_view <= 150:
        raise ValueError(f"Field of view: expected 5 to 150 degrees across the longer side, got {field_of_view}.")
    rows, columns = image_size
    focal = max(image_size) / 2 / math.tan(math.radians(field_of_view) / 2)
    return CameraCalibration(
        image_size,
        (focal, focal),
        ((columns - 1) / 2, (rows - 1) / 2),
        height=height,
        origin=f"assumed field of view of {field_of_view:g} degrees",
    )
