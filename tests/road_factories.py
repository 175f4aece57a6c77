"""Roads with known geometry as a camera sees them, and chessboards in front of it."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from lanenet_sad.lanes.curves import sample_at_rows
from lanenet_sad.lanes.lane import Image, Lane, LanePrediction, Points
from lanenet_sad.lanes.perspective import CameraCalibration

SIZE = (360, 640)


def make_camera(**changes) -> CameraCalibration:
    """A dashcam 1.4 m above the road that looks a little down."""
    camera = CameraCalibration(SIZE, (560.0, 560.0), (319.5, 179.5), height=1.4, pitch=0.05)
    return replace(camera, **changes)


def road_points(
    offset: float, *, heading: float = 0.0, curvature: float = 0.0, near: float = 3.0, far: float = 70.0
) -> Points:
    """Metres of a line that passes `offset` right of a vehicle pointing `heading` to the right of the road."""
    s = np.geomspace(near, far, 400)
    along = np.concatenate([[0.0], s])
    direction = curvature * along - heading
    steps = np.diff(along)
    middle = (direction[1:] + direction[:-1]) / 2
    x, y = np.cumsum(np.sin(middle) * steps), np.cumsum(np.cos(middle) * steps)
    normal = np.stack([np.cos(direction[1:]), -np.sin(direction[1:])], axis=1)
    return np.stack([x, y], axis=1) + offset * normal


def make_road_prediction(
    camera: CameraCalibration,
    *,
    lateral: float = 0.0,
    width: float = 3.6,
    heading: float = 0.0,
    curvature: float = 0.0,
    slots: Sequence[int] = (1, 2, 3, 4),
    noise: float = 0.0,
    seed: int = 0,
) -> LanePrediction:
    """The lines of a three-lane road, `lateral` metres left of which the vehicle's lane has its middle."""
    rng = np.random.default_rng(seed)
    rows = np.arange(camera.image_size[0] - 1.0, 0, -6)
    lanes = []
    for slot in slots:
        ground = road_points((slot - 2.5) * width - lateral, heading=heading, curvature=curvature)
        points = camera.to_image(ground)
        points = points[np.isfinite(points).all(axis=1)]
        columns = sample_at_rows(points, rows)
        seen = (columns >= 0) & (columns < camera.image_size[1])
        line = np.stack([columns[seen], rows[seen]], axis=1)
        line[:, 0] += rng.normal(0, noise, len(line))
        lanes.append(Lane(line, slot))
    return LanePrediction(tuple(lanes), camera.image_size)


def board_pose(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A rotation and a place before the camera, another one for each number."""
    rng = np.random.default_rng(number)
    return rng.uniform(-0.5, 0.5, 3), np.array(
        [rng.uniform(-0.2, 0.05), rng.uniform(-0.13, 0.02), rng.uniform(0.35, 0.6)]
    )


def board_corners(camera: CameraCalibration, pattern: tuple[int, int], square: float, number: int) -> Points:
    """Where the inner corners of a board lie in the picture."""
    flat = np.zeros((pattern[0] * pattern[1], 3))
    flat[:, :2] = np.mgrid[: pattern[0], : pattern[1]].T.reshape(-1, 2) * square
    turn, place = board_pose(number)
    corners, _ = cv2.projectPoints(flat, turn, place, camera.camera_matrix, np.array(camera.distortion or (0.0,) * 5))
    return corners.reshape(-1, 2)


def draw_board(
    camera: CameraCalibration, pattern: tuple[int, int], square: float, pose: tuple[np.ndarray, np.ndarray]
) -> Image:
    """A picture of a chessboard as the camera sees it, lens distortion included."""
    side, border = 24, 1
    across, down = pattern[0] + 1, pattern[1] + 1
    board = np.full(((down + 2 * border) * side, (across + 2 * border) * side), 255, np.uint8)
    cells = np.kron(np.add.outer(np.arange(down), np.arange(across)) % 2 * 255, np.ones((side, side)))
    board[border * side : -border * side, border * side : -border * side] = cells
    height, width = camera.image_size
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    straight = camera.undistort(np.stack([columns, rows], axis=-1).reshape(-1, 2))
    turn, _ = cv2.Rodrigues(pose[0])
    to_image = camera.camera_matrix @ np.column_stack([turn[:, 0], turn[:, 1], pose[1]])
    on_board = np.column_stack([straight, np.ones(len(straight))]) @ np.linalg.inv(to_image).T
    cell = on_board[:, :2] / on_board[:, 2:] / square + 1 + border
    maps = (cell * side - 0.5).reshape(height, width, 2).astype(np.float32)
    grey = cv2.remap(board, maps, None, cv2.INTER_LINEAR, borderValue=(120,))
    return np.repeat(cv2.GaussianBlur(grey, (3, 3), 0.8)[..., None], 3, axis=2)
