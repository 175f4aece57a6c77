"""Which files are pictures, and their natural order."""

from __future__ import annotations

import re
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm", ".jp2"}
)


def natural_key(path: Path) -> list[tuple[list[str | int], str]]:
    """Sort key that puts frame2.jpg before frame10.jpg, folder by folder."""
    return [
        ([int(part) if part.isdecimal() else part.lower() for part in re.split(r"(\d+)", name)], name)
        for name in path.parts
    ]
