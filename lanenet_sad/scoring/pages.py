"""What the pages of the error analysis need of prediction files that are scored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lanenet_sad.lanes.files import relative_name


def image_below(folder: Path | None) -> Callable[[str], Path | None]:
    """The file of a name below a folder; none where the name leads out of it."""

    def image_path(name: str) -> Path | None:
        try:
            return None if folder is None else folder / relative_name(name)
        except ValueError:
            return None

    return image_path
