"""Where results go: picture files, videos, lines of JSON, a window. RGB comes in; BGR exists only in here."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TextIO

import cv2
import numpy as np

from lanenet_sad.inference.video_sink import VideoSink
from lanenet_sad.inference.window import Window
from lanenet_sad.lanes.files import replacing
from lanenet_sad.lanes.lane import Frame, Image, LanePrediction

__all__ = ["ImageSink", "LanesJsonl", "VideoSink", "Window", "describe_lanes", "write_image"]


class ImageSink:
    """Writes pictures into one folder, each under the name that `write` is given.

    Finished pictures stay, whatever happens to later ones; there is nothing to close, but the sink is
    a context manager like the others.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.num_frames = 0

    def __enter__(self) -> ImageSink:
        return self

    def write(self, name: str, image: Image) -> Path:
        """Write (H, W, 3) RGB `image` as `name` (a file name or relative path with extension) and return its path."""
        path = self.folder / name
        write_image(path, image)
        self.num_frames += 1
        return path

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave everything as it is."""


def write_image(path: Path, image: Image) -> None:
    """Write an RGB (H, W, 3) or grey (H, W) picture; the extension says the format (.png, .jpg, .webp, ...).

    Raises:
        ValueError: if OpenCV knows no such format.
    """
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    # Encoding in memory keeps the extension out of the temporary name and lets Windows have any letters in a path.
    try:
        encoded = cv2.imencode(path.suffix, bgr)[1]
    except cv2.error as error:
        raise ValueError(
            f"{path}: cannot write a picture with the extension '{path.suffix}'; take .png or .jpg."
        ) from error
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


class LanesJsonl:
    """Writes the lanes of pictures as JSON, one object a line.

    `{"source", "frame", "time", "width", "height", "lanes": [{"slot", "confidence", "points": [[x, y], ...]}]}`,
    points near to far in pixels of the original picture with two decimals, time in seconds.

    A context manager. The file appears under its name when the block ends, also after an error or Ctrl-C: then it
    holds the finished lines. Without a single line nothing is written, and a file already there stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.num_lines = 0
        self._clean_up = ExitStack()

    def __enter__(self) -> LanesJsonl:
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(self.path))
            self._file: TextIO = stack.enter_context(temporary.open("w", encoding="utf-8", newline="\n"))
            self._clean_up = stack.pop_all()
        return self

    def write(self, frame: Frame, prediction: LanePrediction) -> None:
        """Append the lanes of one picture."""
        # One call per line: an interruption never leaves half of one.
        self._file.write(json.dumps(describe_lanes(frame, prediction), ensure_ascii=False) + "\n")
        self.num_lines += 1

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.num_lines == 0:
            _discard(self._clean_up)
        else:
            self._clean_up.close()


def describe_lanes(frame: Frame, prediction: LanePrediction) -> dict[str, object]:
    """The JSON object of one picture and its lanes, as `LanesJsonl` writes it."""
    height, width = frame.size
    return {
        "source": frame.source,
        "frame": frame.index,
        "time": round(frame.time, 6),
        "width": width,
        "height": height,
        "lanes": [
            {
                "slot": lane.slot,
                "confidence": round(float(lane.confidence), 4),
                "points": np.round(lane.points, 2).tolist(),
            }
            for lane in prediction.lanes
        ],
    }


def _discard(clean_up: ExitStack) -> None:
    """End a `replacing` block as a failure, so that it removes its temporary file."""
    nothing = RuntimeError("nothing was written")
    try:
        clean_up.__exit__(type(nothing), nothing, None)
    except RuntimeError as error:
        if error is not nothing:
            raise
