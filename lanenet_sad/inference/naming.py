"""Where the results of a source go below the output folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lanenet_sad.inference.sources import ImagesSource, Source
from lanenet_sad.lanes.lane import Frame


def name_below_out(source: Source, frame: Frame) -> str:
    """A frame's place below the output folder: that of its file within the folder that the user named."""
    if isinstance(source, ImagesSource):
        return os.path.relpath(frame.source, source.folder)
    return f"{source.name}/{frame.index:05d}.jpg"


def refuse_inputs(targets: Sequence[Path], sources: Sequence[Source]) -> None:
    """Never write over what is read: ValueError if a target is a file of one of the sources."""
    inputs = {Path(file).resolve() for source in sources for file in source.files}
    for target in targets:
        if target.resolve() in inputs:
            raise ValueError(f"Output {target} is an input itself; choose another --out folder.")
