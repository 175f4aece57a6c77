"""Where results go: picture files, videos, lines of JSON, a window. RGB comes in; BGR exists only in here."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from lanenet_sad.inference.lanes_jsonl import LanesJsonl, describe_lanes
from lanenet_sad.inference.video_sink import VideoSink
from lanenet_sad.inference.window import Window
from lanenet_sad.lanes.files import replacing
from lanenet_sad.lanes.lane import Image

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
        ValueError: if OpenCV knows no such format, or the format knows no such picture.
    """
    if path.suffix.lower() == ".pgm" and image.ndim == 3:  # the format has no colours
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    # Encoding in memory keeps the extension out of the temporary name and lets Windows have any letters in a path.
    try:
        done, encoded = cv2.imencode(path.suffix, bgr)
    except cv2.error:
        done = False
    if not done:
        raise ValueError(
            f"{path}: cannot write a picture with the extension '{path.suffix}' and {image.shape[0]}x{image.shape[1]} "
            f"pixels (height x width); take .png or .jpg."
        )
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
