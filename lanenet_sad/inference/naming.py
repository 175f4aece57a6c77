"""Where the results of a source go below the output folder."""

from __future__ import annotations

import os
from pathlib import Path

from lanenet_sad.inference.sources import ImagesSource, Source
from lanenet_sad.lanes.lane import Frame


def relative_name(source: Source, frame: Frame) -> str:
    """A frame's place below the output folder: that of its file within the folder that the user named."""
    if not isinstance(source, ImagesSource):
        return f"{source.name}/{frame.index:05d}.jpg"
    folders = [str(Path(each).parent) for each in source.files]
    return os.path.relpath(frame.source, os.path.commonpath(folders) if len(set(folders)) > 1 else folders[0])


def refuse_same_file(target: Path, original: Path) -> None:
    """Never draw over the picture that was read."""
    if target.exists() and original.exists() and target.samefile(original):
        raise ValueError(f"Output {target} is the input itself; choose another --out folder.")
