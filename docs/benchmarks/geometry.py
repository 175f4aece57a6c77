"""How accurate the measures of road and vehicle are: rendered drives, where the truth is known.

Usage: python docs/benchmarks/geometry.py [--drives 6] [--seconds 6] [--fps 10] [--size 720 1280] [--no-network]

The lanes are the true ones (labels), the true ones with noise, or what the shipped network sees in the rendered frames
after refinement, without tracking. The camera is the true one, or the one that the lanes themselves tell (60 degrees
across its longer side assumed), with its height given or following from a lane of 3.7 m. Each drive begins with an
estimator that has seen nothing. Prints a Markdown table with the root mean square errors over all frames that were
measured.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from lanenet_sad.datasets.synthetic import RenderedDrive
from lanenet_sad.lanes.driving import RoadMeasures
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.lanes.perspective import CameraCalibration
from lanenet_sad.postprocess.ground_meter import GroundMeter

#: name, factor, unit: what errors are told in
MEASURES = (
    ("curvature", 1e4, "curvature, 1e-4 1/m"),
    ("lateral_offset", 100, "offset, cm"),
    ("lane_width", 100, "width, cm"),
    ("heading", 180 / math.pi, "heading, degrees"),
    ("lateral_speed", 100, "lateral speed, cm/s"),
)


def true_camera(drive: RenderedDrive) -> CameraCalibration | None:
    """The camera of a drive; None if bars or a turned picture lie round what it sees."""
    camera = drive.scene.camera
    if camera.border is not None:
        return None
    height, width = camera.image_size
    side = -1 if drive.scene.mirrored else 1
    return CameraCalibration(
        camera.image_size,
        (camera.focal_x, camera.focal_y),
        (width - 1 - camera.centre_x if drive.scene.mirrored else camera.centre_x, (height - 1) / 2),
        height=camera.height,
        pitch=math.atan(((height - 1) / 2 - camera.horizon) / camera.focal_y),
        yaw=drive.camera_yaw,
        roll=side * camera.roll,
    )


def meters(camera: CameraCalibration) -> dict[str, GroundMeter]:
    """The ways to know the camera."""
    return {
        "true": GroundMeter(camera),
        "from the lanes, height given": GroundMeter(camera_height=camera.height),
        "from the lanes, 3.7 m assumed": GroundMeter(),
    }


def see_truth(drive: RenderedDrive, noise: float) -> Iterator[LanePrediction]:
    """The true lanes of every frame, their points moved sideways by `noise` pixels."""
    rng = np.random.default_rng(0)
    for number in range(drive.num_frames):
        lanes = [lane for lane in drive.truth(number).lanes if lane.slot is not None]
        moved = [replace(lane, points=lane.points + rng.normal(0, noise, lane.points.shape) * [1, 0]) for lane in lanes]
        yield LanePrediction(tuple(moved), drive.scene.camera.image_size)


def see_by_network(drive: RenderedDrive) -> Iterator[LanePrediction]:
    """The lanes that the shipped network sees, refined frame by frame."""
    from lanenet_sad.inference.predictor import Predictor
    from lanenet_sad.postprocess.refine import LaneRefiner

    predictor, refine = Predictor.from_weights(device="cpu"), LaneRefiner()
    for image, _ in drive:
        yield refine(predictor([image])[0])


def errors(road: RoadMeasures, truth: RoadMeasures) -> dict[str, float]:
    """Measured less true; NaN where either is not known."""
    pairs = {name: (getattr(road, name), getattr(truth, name)) for name, _, _ in MEASURES}
    return {name: math.nan if None in pair else pair[0] - pair[1] for name, pair in pairs.items()}


def measure(
    drives: list[RenderedDrive], ways: dict[str, Callable[[RenderedDrive], Iterator[LanePrediction]]]
) -> dict[tuple[str, str], dict[str, list[float]]]:
    """Errors of every frame by (lanes, camera) and measure."""
    found: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for drive in drives:
        camera = true_camera(drive)
        assert camera is not None
        for lanes, see in ways.items():
            by_camera = meters(camera)
            for number, prediction in enumerate(see(drive)):
                for name, meter in by_camera.items():
                    road = meter(prediction, number / drive.fps).road
                    assert road is not None
                    for key, value in errors(road, drive.truth(number).road).items():
                        found[lanes, name][key].append(value)
    return found


def table(found: dict[tuple[str, str], dict[str, list[float]]]) -> str:
    """Root mean squares as Markdown."""
    header = ["lanes", "camera", *(unit for _, _, unit in MEASURES), "frames measured"]
    rows = [header, ["---", "---", *["--:"] * (len(header) - 2)]]
    for (lanes, camera), by_name in found.items():
        values = [np.array(by_name[name]) * factor for name, factor, _ in MEASURES]
        measured = np.isfinite(values[1]).mean()
        cells = [f"{math.sqrt(np.nanmean(value**2)):.2f}" if np.isfinite(value).any() else "-" for value in values]
        rows.append([lanes, camera, *cells, f"{measured:.0%}"])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main(words: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drives", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--fps", type=float, default=10.0)
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280))
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--difficulty", choices=("easy", "mixed"), default="easy")
    parser.add_argument("--no-network", action="store_true")
    choice = parser.parse_args(words)
    drives: list[RenderedDrive] = []
    index = 0
    while len(drives) < choice.drives:
        drive = RenderedDrive(
            choice.seed,
            index,
            num_frames=max(1, round(choice.seconds * choice.fps)),
            image_size=(choice.size[0], choice.size[1]),
            fps=choice.fps,
            difficulty=choice.difficulty,
        )
        index += 1
        if true_camera(drive) is not None:
            drives.append(drive)
    ways: dict[str, Callable[[RenderedDrive], Iterator[LanePrediction]]] = {
        "true": lambda drive: see_truth(drive, 0.0),
        "true, 2 px of noise": lambda drive: see_truth(drive, 2.0),
    }
    if not choice.no_network:
        ways["shipped network"] = see_by_network
    print(table(measure(drives, ways)))


if __name__ == "__main__":
    main()
