"""Where the results of a source go below the output folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lanenet_sad.inference.sources import ImagesSource, Source
from lanenet_sad.lanes.lane import Frame


def name_below_out(source: Source, frame: Frame) -> str:
    """A frame's place below the output folder: that of its file within the folder that the user named."""
    if isinstance(source, ImagesSource):
        return os.path.relpath(frame.source, source.folder)
    return f"{source.name}/{frame.index:05d}.jpg"


def result_path(out: Path, source: Source, ending: str, suffix: str = "") -> Path:
    """A file about a source, such as `drive.rank1.metrics.csv`; `suffix` is that of a rank."""
    return out / f"{source.name}{suffix}.{ending}"


def lanes_path(out: Path, source: Source, suffix: str = "") -> Path:
    """The lane file: one for each video, and one for all pictures."""
    if isinstance(source, ImagesSource):
        return out / f"lanes{suffix}.jsonl"
    return result_path(out, source, "lanes.jsonl", suffix)


def planned_outputs(sources: Sequence[Source], out: Path, suffix: str = "") -> list[Path]:
    """The drawn pictures and videos that the sources will become."""
    targets = []
    for source in sources:
        if isinstance(source, ImagesSource):
            targets += [out / os.path.relpath(file, source.folder) for file in source.files]
        else:
            targets.append(result_path(out, source, "mp4", suffix))
    return targets


def cvat_name(source: Source, frame: Frame) -> str:
    """What CVAT calls a frame: the path of a picture below the uploaded folder, a number for a frame of a video."""
    if isinstance(source, ImagesSource):
        return Path(name_below_out(source, frame)).as_posix()
    return f"frame_{frame.index:06d}"


def cvat_path(out: Path, source: Source) -> Path:
    """The one file for all frames of a source."""
    return out / ("annotations.xml" if isinstance(source, ImagesSource) else f"{source.name}.annotations.xml")


def labelme_path(out: Path, name: str) -> Path:
    """The file of one picture, beside its drawn copy."""
    return (out / name).with_suffix(".json")


def refuse_label_files(sources: Sequence[Source], out: Path, tool: Literal["labelme", "cvat"]) -> None:
    """First labels are for pictures that the tool can show, and never replace labels that a person has corrected.

    Raises:
        ValueError: a source is a camera or stream, or a video for labelme, or one of the files to write is there.
    """
    for source in sources:
        if source.is_live:
            raise ValueError(
                f"{source.name}: --format {tool} needs the pictures, and those of a camera or stream are not kept; "
                f"record a video first."
            )
        paths = [cvat_path(out, source)]
        if tool == "labelme":
            if not isinstance(source, ImagesSource):
                raise ValueError(
                    f"{(source.files or (source.name,))[0]}: labelme opens pictures, not videos; use --format cvat, or "
                    f"extract the frames as pictures first."
                )
            paths = [labelme_path(out, os.path.relpath(file, source.folder)) for file in source.files]
        if taken := next((path for path in paths if path.exists()), None):
            raise ValueError(
                f"Labels {taken} are there already, perhaps corrected by hand, and are not written over; choose "
                f"another --out folder, or remove them."
            )


def refuse_inputs(targets: Sequence[Path], sources: Sequence[Source]) -> None:
    """Never write over what is read: ValueError if a target is a file of one of the sources."""
    inputs = {Path(file).resolve() for source in sources for file in source.files}
    for target in targets:
        if target.resolve() in inputs:
            raise ValueError(f"Output {target} is an input itself; choose another --out folder.")
