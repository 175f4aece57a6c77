"""Where the results of a source go below the output folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from lanenet_sad.inference.source import UnreadableSource
from lanenet_sad.inference.sources import ImagesSource, Source
from lanenet_sad.lanes.files import lines_path
from lanenet_sad.lanes.lane import Frame

_COMMON_LANES = re.compile(r"lanes((?:\.rank\d+)?)\.jsonl")
_TOOLS = {"culane": "CULane", "labelme": "labelme"}


def name_below_out(source: Source, frame: Frame) -> str:
    """A frame's place below the output folder: that of its file within the folder that the user named."""
    if isinstance(source, ImagesSource):
        return os.path.relpath(frame.source, source.folder)
    return f"{source.name}/{frame.index:05d}.jpg"


def names_below(source: ImagesSource, files: Sequence[str] | None = None) -> Iterator[str]:
    """What `name_below_out` says of all pictures, or some; folders, of which there are few, are worked out once."""
    folders: dict[str, str] = {}
    for file in source.files if files is None else files:
        folder, name = os.path.split(file)
        if folder not in folders:
            below = os.path.relpath(folder or ".", source.folder)
            folders[folder] = "" if below == "." else f"{below}{os.sep}"
        yield f"{folders[folder]}{name}"


def result_path(out: Path, source: Source, ending: str, suffix: str = "") -> Path:
    """A file about a source, such as `drive.rank1.metrics.csv`; `suffix` is that of a rank."""
    return out / f"{source.name}{suffix}.{ending}"


def lanes_path(out: Path, source: Source, suffix: str = "") -> Path:
    """The lane file: one for each video and each of several sequences, and one for all pictures."""
    if has_common_files(source):
        return common_lanes_path(out, suffix)
    return result_path(out, source, "lanes.jsonl", suffix)


def common_lanes_path(out: Path, suffix: str = "") -> Path:
    """The lane file of all pictures, or of the only sequence."""
    return out / f"lanes{suffix}.jsonl"


def common_suffixes(out: Path) -> list[str]:
    """The suffixes, of ranks or none, of all such lane files in a folder."""
    return sorted(match[1] for path in out.glob("lanes*.jsonl") if (match := _COMMON_LANES.fullmatch(path.name)))


def settings_path(out: Path, suffix: str = "") -> Path:
    """The settings that `lanes.jsonl` was made with; no .json, all of which are labels to tools such as labelme."""
    return out / f"lanes{suffix}.settings.yaml"


def has_common_files(source: Source) -> bool:
    """Whether its lanes go by the same name in every run, whatever the pictures are."""
    return isinstance(source, ImagesSource) and source.place is None


def drawn_paths(source: Source, out: Path, suffix: str = "") -> list[Path]:
    """The drawn pictures or the video that a source will become."""
    if isinstance(source, ImagesSource):
        return [out / name for name in names_below(source)]
    return [] if isinstance(source, UnreadableSource) else [result_path(out, source, "mp4", suffix)]


def planned_outputs(
    source: Source, out: Path, suffix: str = "", *, file_format: str = "jsonl"
) -> Iterator[tuple[Path, str]]:
    """All files that a source may become, each with what it is about, a picture or the whole source.

    The labels of single frames of a video, whose number is not known, are left out. Labels that pictures share come
    once: who is late gets none, and that is a fault.
    """
    if isinstance(source, UnreadableSource):
        return
    if isinstance(source, ImagesSource):
        about = f"all of {source.name}"
        of_pictures: dict[Path, str] = {}  # a picture that is named twice is drawn twice
        for file, name in zip(source.files, names_below(source), strict=True):
            of_pictures.setdefault(out / name, file)
            if label := label_path(out, name, file_format):
                of_pictures.setdefault(label, file)
        yield from of_pictures.items()
    else:
        about = (source.files or (source.name,))[0]
        yield result_path(out, source, "mp4", suffix), about
    yield lanes_path(out, source, suffix), about
    if has_common_files(source):
        yield settings_path(out, suffix), about
    if file_format == "cvat":
        yield cvat_path(out, source), about
    endings = ["tusimple.json"] if file_format == "tusimple" else []
    endings += ["metrics.csv", "strip.jpg", "summary.json"] if source.is_drive else []
    yield from ((result_path(out, source, ending, suffix), about) for ending in endings)


def cvat_name(source: Source, frame: Frame) -> str:
    """What CVAT calls a frame: the path of a picture below the uploaded folder, a number for a frame of a video."""
    if isinstance(source, ImagesSource):
        return Path(name_below_out(source, frame)).as_posix()
    return f"frame_{frame.index:06d}"


def cvat_path(out: Path, source: Source) -> Path:
    """The one file for all frames of a source."""
    return out / ("annotations.xml" if has_common_files(source) else f"{source.name}.annotations.xml")


def label_path(out: Path, name: str, file_format: str) -> Path | None:
    """The label file of one picture, beside its drawn copy; None for formats that have no such file."""
    if file_format == "culane":
        return lines_path(out, name)
    return (out / name).with_suffix(".json") if file_format == "labelme" else None


def label_faults(source: Source, out: Path, file_format: str) -> dict[str, str]:
    """Pictures that get no label file, as it has the name of an earlier one's: name below out -> what to say of it.

    It depends on what the user named alone, so that every rank and every resumed run finds the same.
    """
    faults: dict[str, str] = {}
    if isinstance(source, ImagesSource) and file_format in _TOOLS:
        owners: dict[Path, str] = {}
        for name in names_below(source, source.named):
            path = label_path(out, name, file_format)
            if path is not None and owners.setdefault(path, name) != name:
                faults[name] = f"{name}: {_TOOLS[file_format]}'s name for its lanes, {path}, is taken; left out."
    return faults


def refuse_label_files(sources: Sequence[Source], out: Path, tool: Literal["labelme", "cvat"]) -> None:
    """First labels are for pictures that the tool can show, and never replace labels that a person has corrected.

    What cannot be read gets no labels, and is told in its turn.

    Raises:
        ValueError: a source is a camera or stream, or a video for labelme, or one of the files to write is there.
    """
    for source in sources:
        if isinstance(source, UnreadableSource):
            continue
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
            without = label_faults(source, out, tool)
            names = (name for name in names_below(source) if name not in without)
            paths = [path for name in names if (path := label_path(out, name, tool))]
        if taken := next((path for path in paths if path.exists()), None):
            raise ValueError(
                f"Labels {taken} are there already, perhaps corrected by hand, and are not written over; choose "
                f"another --out folder, or remove them."
            )


def refuse_clashes(sources: Sequence[Source], out: Path, suffix: str = "", *, file_format: str = "jsonl") -> None:
    """Never write over what is read, or one result over another.

    Raises:
        ValueError: an output is a file of one of the sources, or that of another output; the message says which.
    """
    real_folders: dict[str, str] = {}
    inputs = {_real(file, real_folders) for source in sources for file in source.files}
    planned: dict[Path, tuple[Source, str]] = {}
    for source in sources:
        for path, about in planned_outputs(source, out, suffix, file_format=file_format):
            if _real(str(path), real_folders) in inputs:
                raise ValueError(f"Output {path} is an input itself; choose another --out folder.")
            if path in planned:
                raise _clash(path, planned[path], (source, about))
            planned[path] = source, about
    if file_format == "culane":
        of_frames = {out / source.name: source for source in sources if not isinstance(source, ImagesSource)}
        for path, first in planned.items() if of_frames else ():
            if path.parent in of_frames and path.name.removesuffix(".lines.txt").isdecimal():
                video = of_frames[path.parent]
                raise _clash(path, first, (video, (video.files or (video.name,))[0]))


def _clash(path: Path, first: tuple[Source, str], second: tuple[Source, str]) -> ValueError:
    """Of two outputs; each is told by its source and what in it the output is about."""
    names = [first[1], second[1]]
    if len(set(map(os.path.abspath, names))) == 1:  # one picture, which two entries of a list hold
        names = [_entry(*each) for each in (first, second)]
        what = f"Picture {first[1]} is named twice, by {names[0]} and by {names[1]}"
    else:
        what = f"Output {path} would be written for {names[0]} and again for {names[1]}"
    return ValueError(f"{what}; leave one of them out, or do it by itself into another --out folder.")


def _entry(source: Source, file: str) -> str:
    """What stands in a list for a picture: the folder or pattern of a sequence, or the picture itself."""
    place = source.place if isinstance(source, ImagesSource) else None
    return file if place is None or Path(place).is_file() else place


def _real(file: str, real_folders: dict[str, str]) -> str:
    """The path without symbolic links; folders, of which there are few, are looked up once."""
    folder, name = os.path.split(file)
    if folder not in real_folders:
        real_folders[folder] = os.path.realpath(folder)
    path = f"{real_folders[folder]}{os.sep}{name}"
    return os.path.realpath(path) if os.path.islink(path) else path  # noqa: PTH114
