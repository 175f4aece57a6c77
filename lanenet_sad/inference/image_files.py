"""Picture files as people have them: any depth, any channels, any orientation, sometimes broken; and their order."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from lanenet_sad.lanes.lane import Image

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm", ".jp2"}
)


def read_image(path: Path) -> Image:
    """Read a picture as (H, W, 3) RGB uint8, upright as a viewer shows it (the EXIF orientation is applied).

    Grey pictures get three equal channels, alpha is dropped, 16 bits become 8.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read or decoded, or ends too early (decoders fill such a picture up with grey).
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: no such image file.") from error
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}.") from error
    if not content:
        raise ValueError(f"{path}: the image file is empty.")
    if _is_truncated(content):
        raise ValueError(f"{path}: the image file is truncated; its end is missing after {len(content)} bytes.")
    try:
        bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ValueError(f"{path}: the image cannot be decoded: {error.err}.") from error
    if bgr is None:
        raise ValueError(f"{path}: not an image, or a corrupt one.")
    return np.ascontiguousarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def natural_key(path: Path) -> list[tuple[list[str | int], str]]:
    """Sort key that puts frame2.jpg before frame10.jpg, folder by folder."""
    return [
        ([int(part) if part.isdecimal() else part.lower() for part in re.split(r"(\d+)", name)], name)
        for name in path.parts
    ]


def _is_truncated(content: bytes) -> bool:
    if content.startswith(b"\xff\xd8"):
        return content.find(b"\xff\xd9", _start_of_scan(content)) < 0
    if content.startswith(b"\x89PNG"):
        return content.find(b"IEND", -64) < 0 and b"IEND" not in content
    return False


def _start_of_scan(content: bytes) -> int:
    """Where the pixels of a JPEG begin; an end marker before that belongs to a thumbnail in its header."""
    position = 2
    while position + 4 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xDA:
            return position
        if marker == 0xFF:  # fill byte
            position += 1
        else:
            position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return len(content)
