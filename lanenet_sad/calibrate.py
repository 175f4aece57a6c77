"""Calibrate: pictures of a chessboard, or the lanes of a video -> a file that says how the camera sees the road."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lanenet_sad.inference.progress import with_progress
from lanenet_sad.inference.sources import Source, open_source
from lanenet_sad.lanes.calibration_files import SUFFIXES, read_calibration, write_calibration
from lanenet_sad.lanes.chessboard import Lens, LensFit, find_corners, fit_lens
from lanenet_sad.lanes.driving import LANE_WIDTH
from lanenet_sad.lanes.lane import Frame, Points
from lanenet_sad.lanes.perspective import FIELD_OF_VIEW, CameraCalibration
from lanenet_sad.lanes.vanishing_point import CameraFromLanes, VanishingPoint

if TYPE_CHECKING:
    from lanenet_sad.inference.predictor import Predictor

_UNSURE = math.radians(0.5)
_EVERY_FRAME_OF_VIDEO = 5


@dataclass(frozen=True)
class CalibrationSummary:
    """What was found and written.

    Attributes:
        camera: the calibration.
        path: of the file.
        num_frames: pictures or frames that were looked at.
        skipped: names of pictures without a board.
        reprojection_errors: pixels for each picture with a board, by its name; empty without boards.
        vanishing_point: of the lanes; None with boards.
        faults: one sentence for each picture or frame that could not be read or used; the rest was.
    """

    camera: CameraCalibration
    path: Path
    num_frames: int
    skipped: tuple[str, ...]
    reprojection_errors: dict[str, float]
    vanishing_point: VanishingPoint | None
    faults: tuple[str, ...]


def calibrate(
    source: str,
    *,
    out: Path,
    pattern: tuple[int, int] | None = None,
    square_size: float | None = None,
    lens: Lens = "standard",
    camera: Path | None = None,
    height: float | None = None,
    pitch: float | None = None,
    yaw: float | None = None,
    lane_width: float = LANE_WIDTH,
    field_of_view: float | None = None,
    weights: Path | None = None,
    device: str = "auto",
    every: int | None = None,
    progress: bool = True,
) -> CalibrationSummary:
    """Find out how a camera sees the road, from a chessboard or from the lanes of a video (docs/geometry.md).

    With --pattern SOURCE holds pictures of a chessboard, which give the lens. Without, it is a drive, whose lanes give
    pitch and yaw with their uncertainty, and the height, if that is not given, from the usual width of a lane; to have
    both, calibrate with boards first and name that file with --camera.

    Args:
        source: folder, pattern or video; of boards, or of a drive.
        out: calibration file to write: .yaml, .yml or .json.
        pattern: inner corners of the chessboard, across and down: one less than its squares.
        square_size: side of a square in metres.
        lens: how many numbers describe the lens: pinhole (none), standard (5) or rational (8, for wide angles).
        camera: calibration file that says what is known already, such as the lens.
        height: of the camera above the road, in metres.
        pitch: degrees by which it looks down.
        yaw: degrees by which it looks to the right.
        lane_width: metres that a lane is taken to be wide, if the height is not known.
        field_of_view: degrees across the longer side of the picture, if the lens is not known; default: 60.
        weights: `.safetensors` file or `last.pt`; default: the weights in the package.
        device: auto, cpu, cuda or mps.
        every: look at every n-th picture; default: each picture, every 5th frame of a drive.
        progress: show progress.
    """
    _check_request(out, pattern, square_size, camera, field_of_view, every)
    angles = [None if angle is None else math.radians(angle) for angle in (pitch, yaw)]
    known = None if camera is None else read_calibration(camera)
    opened = open_source(source, sequence=True)
    with opened:
        if pattern is not None:
            assert square_size is not None
            run = _Boards(opened, pattern, every or 1, progress)
            found = run.lens(square_size, lens)
            result = found.camera.mounted(height=height, pitch=angles[0], yaw=angles[1])
            _tell_boards(run, found)
            point, skipped, faults = None, tuple(run.skipped), run.faults
            errors = dict(zip(run.names, map(float, found.errors), strict=True))
            num_frames = run.num_frames
        else:
            from lanenet_sad.inference.predictor import Predictor  # torch, which boards do without

            predictor = Predictor.from_weights(weights, device=device)
            estimator = CameraFromLanes(
                known.mounted(height=height) if known else None,
                lane_width=lane_width,
                field_of_view=field_of_view or FIELD_OF_VIEW,
                height=height,
                num_lanes=predictor.network.num_lanes,
            )
            num_frames = _watch(opened, estimator, predictor, every or _EVERY_FRAME_OF_VIDEO, progress)
            estimate, point = estimator.calibration, estimator.vanishing_point
            if estimate is None or point is None:
                raise ValueError(
                    f"{source}: expected frames in which two lanes or more are to be seen, found too few among "
                    f"{num_frames}; take a longer drive, or give --pitch and --height with a chessboard calibration."
                )
            result = estimate.mounted(pitch=angles[0], yaw=angles[1])
            _tell_lanes(result, point)
            skipped, errors, faults = (), {}, []
        faults = [*opened.faults, *faults]
    write_calibration(out, result)
    print(f"wrote {out}")
    return CalibrationSummary(result, out, num_frames, skipped, errors, point, tuple(faults))


def _check_request(
    out: Path,
    pattern: tuple[int, int] | None,
    square_size: float | None,
    camera: Path | None,
    field_of_view: float | None,
    every: int | None,
) -> None:
    if out.suffix.lower() not in SUFFIXES:
        raise ValueError(f"--out: expected the name of a file that ends in {', '.join(SUFFIXES)}, got {out}.")
    if every is not None and every < 1:
        raise ValueError(f"--every: expected 1 or more, got {every}.")
    if camera is not None and field_of_view is not None:
        raise ValueError("--field-of-view is for a lens that is not known, --camera says which it is; leave one out.")
    if pattern is None:
        if square_size is not None:
            raise ValueError(
                "--square-size is for a chessboard; say with --pattern how many corners it has: --pattern 9 6."
            )
        return
    if square_size is None or not 0 < square_size < 10:
        raise ValueError(
            f"--square-size: expected the side of a chessboard's square in metres, such as 0.025, got {square_size}."
        )
    if min(pattern) < 3 or pattern[0] == pattern[1]:
        raise ValueError(
            f"--pattern: expected the inner corners across and down, 3 or more, of a board that is not square (its "
            f"sides could not be told apart), got {pattern[0]} {pattern[1]}."
        )
    if camera is not None or field_of_view is not None:
        raise ValueError("--camera and --field-of-view are for a drive; with --pattern the boards tell the lens.")


class _Boards:
    """Looks for a chessboard in every n-th picture of a source."""

    def __init__(self, source: Source, pattern: tuple[int, int], every: int, progress: bool) -> None:
        self.pattern = pattern
        self.size: tuple[int, int] | None = None
        self.names: list[str] = []
        self.corners: list[Points] = []
        self.skipped: list[str] = []
        self.faults: list[str] = []
        self.num_frames = 0
        for frame in _every(source, every, progress):
            self._look(frame, f"frame {frame.index}" if source.kind == "video" else frame.source)

    def _look(self, frame: Frame, name: str) -> None:
        self.num_frames += 1
        self.size = self.size or frame.size
        if frame.size != self.size:
            self.faults.append(
                f"{name}: expected {self.size[1]}x{self.size[0]} pixels as the first picture has, got "
                f"{frame.size[1]}x{frame.size[0]}; left out."
            )
            return
        corners = find_corners(frame.image, self.pattern)
        if corners is None:
            self.skipped.append(name)
        else:
            self.names.append(name)
            self.corners.append(corners)

    def lens(self, square_size: float, lens: Lens) -> LensFit:
        return fit_lens(self.corners, self.size or (1, 1), pattern=self.pattern, square_size=square_size, lens=lens)


def _every(source: Source, every: int, progress: bool) -> Iterator[Frame]:
    frames = with_progress(source, description=source.name, total=source.num_frames, unit="frames", enabled=progress)
    return (frame for number, frame in enumerate(frames) if number % every == 0)


def _watch(source: Source, estimator: CameraFromLanes, predictor: Predictor, every: int, progress: bool) -> int:
    """Shows the lanes of every n-th frame to the estimator; how many frames that were."""
    num_frames = 0
    for frame in _every(source, every, progress):
        estimator(predictor([frame.image])[0], frame.time)
        num_frames += 1
    return num_frames


def _tell_boards(run: _Boards, found: LensFit) -> None:
    width = max(map(len, [*run.names, *run.skipped]))
    for name, error in zip(run.names, found.errors, strict=True):
        print(f"{name:<{width}}  {error:.3f} px")
    for name in run.skipped:
        print(f"{name:<{width}}  no board of {run.pattern[0]}x{run.pattern[1]} inner corners found; skipped")
    camera = found.camera
    print(
        f"{len(run.names)} boards in {run.num_frames} pictures of {camera.image_size[1]}x{camera.image_size[0]}: focal "
        f"lengths {camera.focal[0]:.1f} {camera.focal[1]:.1f} px (plus-minus {max(found.focal_errors):.1f}), centre "
        f"{camera.centre[0]:.1f} {camera.centre[1]:.1f}, distortion {' '.join(f'{k:.4f}' for k in camera.distortion)}"
    )
    for doubt in found.doubts:
        warnings.warn(f"{doubt}.", stacklevel=2)


def _tell_lanes(camera: CameraCalibration, point: VanishingPoint) -> None:
    print(
        f"vanishing point at x {point.x:.1f} +- {point.x_error:.1f}, y {point.y:.1f} +- {point.y_error:.1f} px, from "
        f"{point.num_frames} frames"
    )
    for name, word in (("pitch", "down"), ("yaw", "right")):
        angle, error = getattr(camera, name), getattr(camera, f"{name}_error")
        measured = "given" if error is None else f"+- {math.degrees(error):.2f}"
        print(f"{name:<6} {math.degrees(angle):+.2f} degrees {measured} (positive looks {word})")
        if error is not None and error > _UNSURE:
            warnings.warn(f"the {name} is not known better than that; a longer, straighter drive helps.", stacklevel=2)
    if camera.height is None:
        warnings.warn(
            "the height is not known: the own lane was never seen with both its lines; give --height, or take a drive "
            "in which both are to be seen. The file is written without it.",
            stacklevel=2,
        )
    else:
        print(
            f"height {camera.height:.2f} m" + (" if lanes are as wide as assumed" if camera.scale == "assumed" else "")
        )
