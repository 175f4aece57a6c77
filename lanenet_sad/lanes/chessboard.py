"""A camera's lens from pictures of a chessboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.lane import Image, Points
from lanenet_sad.lanes.perspective import CameraCalibration

Lens = Literal["pinhole", "standard", "rational"]
"""No distortion at all; k1 k2 p1 p2 k3; or eight numbers, for wide angles."""

FEWEST_BOARDS = 3

_MANY_BOARDS = 8  # with fewer, k3 bends the borders of the picture as it likes
_LITTLE_COVERED = 0.4  # of the picture's width or height
_VAGUE_FOCAL = 0.02
_LARGEST_ERROR = 1.0  # px
_ITERATIONS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-8)


@dataclass(frozen=True, eq=False)
class LensFit:
    """A lens fitted to boards.

    Attributes:
        camera: without height and pitch.
        errors: (N,) root mean square distance in pixels between corners found and predicted, for each board.
        focal_errors: standard deviations of the focal lengths (x, y) in pixels.
        doubts: one sentence for each reason not to trust the result.
    """

    camera: CameraCalibration
    errors: NDArray[np.float64]
    focal_errors: tuple[float, float]
    doubts: tuple[str, ...]


def find_corners(image: Image, pattern: tuple[int, int]) -> Points | None:
    """The inner corners of a chessboard, (N, 2) row by row, to a fraction of a pixel; None if the board is not found.

    Args:
        image: (H, W, 3) RGB.
        pattern: number of inner corners (across, down): one less than the squares either way.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    found, corners = cv2.findChessboardCornersSB(grey, pattern, flags=cv2.CALIB_CB_ACCURACY)
    if not found:
        flags = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
        found, corners = cv2.findChessboardCorners(grey, pattern, flags=flags)
        if not found:
            return None
        spacing = float(np.linalg.norm(corners[1] - corners[0]))
        reach = max(2, min(11, int(spacing / 3)))
        corners = cv2.cornerSubPix(grey, corners, (reach, reach), (-1, -1), _ITERATIONS)
    return np.asarray(corners, dtype=np.float64).reshape(-1, 2)


def fit_lens(
    boards: Sequence[Points],
    image_size: tuple[int, int],
    *,
    pattern: tuple[int, int],
    square_size: float,
    lens: Lens = "standard",
) -> LensFit:
    """The lens that shows the same flat board in all these views (Zhang 2000, `cv2.calibrateCamera`).

    Args:
        boards: (N, 2) corners of each picture as `find_corners` gives them.
        image_size: (height, width) of the pictures.
        pattern: inner corners (across, down).
        square_size: side of a square in metres.
        lens: how many numbers describe its distortion.

    Raises:
        ValueError: there are fewer than three boards, or no lens explains them.
    """
    if len(boards) < FEWEST_BOARDS:
        raise ValueError(
            f"Chessboard of {pattern[0]}x{pattern[1]} inner corners: expected it in at least {FEWEST_BOARDS} pictures, "
            f"found it in {len(boards)}. Count corners between squares, not squares, and show the whole board."
        )
    flat = np.zeros((pattern[0] * pattern[1], 3), np.float32)
    flat[:, :2] = np.mgrid[: pattern[0], : pattern[1]].T.reshape(-1, 2) * square_size
    size = image_size[::-1]
    corners = [np.asarray(board, dtype=np.float32)[:, None] for board in boards]
    start = cv2.initCameraMatrix2D([flat] * len(boards), corners, size)
    flags = {"pinhole": cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3 | cv2.CALIB_ZERO_TANGENT_DIST}
    flags |= {"standard": 0 if len(boards) >= _MANY_BOARDS else cv2.CALIB_FIX_K3, "rational": cv2.CALIB_RATIONAL_MODEL}
    try:
        _, matrix, distortion, _, _, deviations, _, errors = cv2.calibrateCameraExtended(
            [flat] * len(boards), corners, size, start, np.zeros(5), flags=flags[lens], criteria=_ITERATIONS
        )
        numbers = tuple(float(value) for value in np.ravel(distortion))
        camera = CameraCalibration(
            image_size,
            (float(matrix[0, 0]), float(matrix[1, 1])),
            (float(matrix[0, 2]), float(matrix[1, 2])),
            () if lens == "pinhole" else numbers[: 8 if lens == "rational" else 5],
            origin=f"{len(boards)} chessboards",
        )
    except (cv2.error, ValueError) as error:
        raise ValueError(
            f"Chessboards in {len(boards)} pictures: no lens explains them; show the board tilted, from many sides."
        ) from error
    focal_errors = (float(deviations[0, 0]), float(deviations[1, 0]))
    return LensFit(camera, np.ravel(errors), focal_errors, _doubts(boards, camera, np.ravel(errors), focal_errors))


def _doubts(
    boards: Sequence[Points], camera: CameraCalibration, errors: NDArray[np.float64], focal_errors: tuple[float, float]
) -> tuple[str, ...]:
    corners = np.concatenate(list(boards))
    covered = (corners.max(axis=0) - corners.min(axis=0)) / camera.image_size[::-1]
    doubts = []
    if covered.min() < _LITTLE_COVERED:
        doubts.append(
            f"all boards are in one place: together they cover {covered[0]:.0%} of the picture's width and "
            f"{covered[1]:.0%} of its height; show the board near the borders and corners, too"
        )
    vague = max(error / focal for error, focal in zip(focal_errors, camera.focal, strict=True))
    if vague > _VAGUE_FOCAL:
        doubts.append(
            f"the focal length is known to {vague:.1%} only; take more pictures, with the board tilted by 30 degrees "
            f"or more in different directions"
        )
    if errors.max() > _LARGEST_ERROR:
        doubts.append(
            f"corners are {errors.max():.1f} px off in the worst picture; keep the board flat, leave blurred ones out"
        )
    return tuple(doubts)
