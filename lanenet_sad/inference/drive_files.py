"""Rendered drives as videos, with the truth of every frame as lines of JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lanenet_sad.datasets.synthetic.drive import RenderedDrive
from lanenet_sad.datasets.synthetic.manoeuvres import Manoeuvre
from lanenet_sad.inference.sinks import LanesJsonl, VideoSink
from lanenet_sad.lanes.files import replacing
from lanenet_sad.lanes.lane import Frame

DRIVE_FPS = 25.0


@dataclass(frozen=True)
class DriveJob:
    """One drive to be written.

    Attributes:
        root: folder of the benchmark.
        number: of the drive in its set.
        num_frames: how many frames.
        settings: `seed`, `image_size`, `difficulty` and `num_lanes` as the benchmark's manifest has them.
        keep: leave files alone that are there.
        manoeuvre: what the ego car or another one does.
    """

    root: Path
    number: int
    num_frames: int
    settings: dict[str, Any]
    keep: bool
    manoeuvre: Manoeuvre = "none"

    @property
    def video_path(self) -> Path:
        """The video's file; drives with a manoeuvre stand beside those without."""
        prefix = "" if self.manoeuvre == "none" else f"{self.manoeuvre}_"
        return self.root / "drives" / f"{prefix}{self.number:04d}.mp4"


@dataclass(frozen=True)
class WrittenDrive:
    """What has become of a `DriveJob`.

    Attributes:
        was_there: whether the files were there already.
    """

    was_there: bool


def write_drive(job: DriveJob, stop_if_asked: Callable[[], None]) -> WrittenDrive:
    """Renders one drive to a video; the lines of its frames come last, so that they vouch for the video.

    Args:
        job: what to write.
        stop_if_asked: called before every frame; what it raises ends the work without leaving a file.

    Raises:
        OSError: the folder cannot be written to.
    """
    video_path = job.video_path
    lanes_path = video_path.with_suffix(".lanes.jsonl")
    if job.keep and video_path.exists() and _num_lines(lanes_path) == job.num_frames:
        return WrittenDrive(was_there=True)
    size = tuple(job.settings["image_size"])
    drive = RenderedDrive(
        job.settings["seed"],
        job.number,
        num_frames=job.num_frames,
        image_size=size,
        fps=DRIVE_FPS,
        difficulty=job.settings["difficulty"],
        num_lanes=job.settings["num_lanes"],
        manoeuvre=job.manoeuvre,
    )
    # Sinks keep what an interrupted block has written; here half a drive is none.
    with (
        replacing(video_path) as video,
        replacing(lanes_path) as lanes_file,
        VideoSink(video, fps=DRIVE_FPS, size=size) as sink,
        LanesJsonl(lanes_file) as writer,
    ):
        for number, (image, _) in enumerate(drive):
            stop_if_asked()
            sink.write(image)
            frame = Frame(image, f"drives/{video_path.name}", number, number / DRIVE_FPS)
            writer.write(frame, drive.truth(number).as_prediction())
    return WrittenDrive(was_there=False)


def _num_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0
