"""CVAT's XML files, read: "CVAT for images 1.1" and the tracks of "CVAT for video 1.1"."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple, NoReturn
from xml.parsers import expat

import numpy as np

from lanenet_sad.lanes.curves import resample
from lanenet_sad.lanes.label_pictures import (
    LabelFile,
    LabelledLine,
    LabelledPicture,
    checked_points,
    drawn_line,
    picture_name,
    picture_size,
)
from lanenet_sad.lanes.lane import Points

SHAPES = ("polyline", "polygon")
OTHER_SHAPES = ("box", "points", "ellipse", "cuboid", "mask", "skeleton", "tag")
MOST_FRAMES = 1_000_000


class _Key(NamedTuple):
    """A track's line in a frame that the file has; `outside`: from here on it is not to be seen."""

    frame: int
    outside: bool
    line: LabelledLine


def read_cvat(path: str | Path) -> LabelFile:
    """What a CVAT file says: polylines as they are, of polygons their centre lines.

    "For images": every `image` element is a picture that was looked at, with or without lanes. "For video": every
    frame of the task from its first to its last is; pictures are called `frame_000007`, as in CVAT. A track's line
    between two of its frames is interpolated where the file has no line for it; after its last it is not continued.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no CVAT XML, or declares a document type or entities, which CVAT never does; the
            message names it. A single broken picture or track is among the `faults` instead.
    """
    what = f"CVAT file {path}"
    root = _parsed(Path(path), what)
    if root.tag != "annotations":
        raise ValueError(f"{what}: expected <annotations> as the outermost element, got <{root.tag}>.")
    pictures, faults = [], []
    for number, element in enumerate(root.iter("image"), 1):
        where = f"{what}, image {element.get('name') or number}"
        try:
            pictures.append(_picture(element, where))
        except ValueError as error:
            faults.append(str(error))
    tracks = list(root.iter("track"))
    if tracks or (not pictures and not faults and root.find("meta") is not None):
        try:
            frames, more = _video(root, tracks, what)
        except ValueError as error:
            return LabelFile(tuple(pictures), (*faults, str(error)))
        pictures += frames
        faults += more
    return LabelFile(tuple(pictures), tuple(faults))


def _parsed(path: Path, what: str) -> ET.Element:
    """The outermost element, from a parser that takes no document types, hence no entities."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"{what}: there is no such file. Check the path.") from error
    except IsADirectoryError as error:
        raise ValueError(f"{what}: expected a file, got a folder.") from error
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate()

    def refuse(*_: object) -> NoReturn:
        raise ValueError(
            "document types and entities are not read, since they can name other files or grow without end"
        )

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda tag, attributes: builder.start(tag, attributes)
    parser.EndElementHandler = lambda tag: builder.end(tag)
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        raise ValueError(f"{what}: expected XML; it cannot be read: {error}.") from error


def _picture(element: ET.Element, where: str) -> LabelledPicture:
    lines, passed_over = [], []
    for shape in element:
        label = shape.get("label", "")
        if shape.tag not in SHAPES:
            if shape.tag in OTHER_SHAPES:
                passed_over.append(f"{label} ({shape.tag})")
            continue
        line = _line(shape, label, where)
        if line is None:
            passed_over.append(f"{label} ({shape.tag} of a single point)")
        else:
            lines.append(line)
    size = picture_size(element.get("height"), element.get("width"), where)
    return LabelledPicture(picture_name(element.get("name"), where), tuple(lines), size, tuple(passed_over))


def _video(root: ET.Element, tracks: list[ET.Element], what: str) -> tuple[list[LabelledPicture], list[str]]:
    """The frames of a video task and what is broken."""
    lines: defaultdict[int, list[LabelledLine]] = defaultdict(list)
    passed_over: defaultdict[int, list[str]] = defaultdict(list)
    faults = []
    for number, track in enumerate(tracks, 1):
        try:
            _add_track(track, f"{what}, track {track.get('id') or number}", lines, passed_over)
        except ValueError as error:
            faults.append(str(error))
    meta = root.find("meta")
    size = None
    frames = set(lines) | set(passed_over)
    if meta is not None:
        original = next(meta.iter("original_size"), None)
        if original is not None:
            size = picture_size(original.findtext("height"), original.findtext("width"), f"{what}, original_size")
        start, stop = (next(meta.iter(tag), None) for tag in ("start_frame", "stop_frame"))
        if start is not None and stop is not None:
            first, last = (_frame(element.text, f"{what}, {element.tag}") for element in (start, stop))
            frames |= set(range(first, last + 1))
    pictures = [
        LabelledPicture(f"frame_{frame:06d}", tuple(lines[frame]), size, tuple(passed_over[frame]))
        for frame in sorted(frames)
    ]
    return pictures, faults


def _add_track(
    track: ET.Element,
    where: str,
    lines: defaultdict[int, list[LabelledLine]],
    passed_over: defaultdict[int, list[str]],
) -> None:
    """Puts a track's line into the frames that it is to be seen in; into none if any of it is broken."""
    label = track.get("label", "")
    keys: list[_Key] = []
    others = []
    for shape in track:
        if shape.tag not in SHAPES:
            if shape.tag in OTHER_SHAPES:
                others.append((_frame(shape.get("frame"), where), f"{label} ({shape.tag})"))
            continue
        frame = _frame(shape.get("frame"), where)
        line = _line(shape, label, where)
        if line is None:
            others.append((frame, f"{label} ({shape.tag} of a single point)"))
        else:
            keys.append(_Key(frame, shape.get("outside") == "1", line))
    for frame, kind in others:
        passed_over[frame].append(kind)
    keys.sort(key=lambda key: key.frame)
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        if key.outside:
            continue
        end = key.frame + 1 if following is None else following.frame
        for frame in range(key.frame, end):
            share = 0.0 if following is None else (frame - key.frame) / (following.frame - key.frame)
            target = key.line if following is None or following.outside else following.line
            points = _between(key.line.points, target.points, share)
            lines[frame].append(LabelledLine(label, points, key.line.number))


def _between(first: Points, second: Points, share: float) -> Points:
    """A line part of the way from one to the next."""
    if share == 0.0 or first is second:
        return first
    if len(first) != len(second):
        number = max(len(first), len(second))
        first, second = resample(first, number), resample(second, number)
    return np.asarray((1 - share) * first + share * second)


def _line(shape: ET.Element, label: str, where: str) -> LabelledLine | None:
    """The line of a shape, with the slot that an attribute of that name gives, as `write_cvat` does."""
    line = drawn_line(label, _points(shape, where), closed=shape.tag == "polygon")
    slot = next((one.text for one in shape.iter("attribute") if one.get("name") == "slot"), None)
    if line is None or slot is None or not (slot.isascii() and slot.isdecimal() and len(slot) < 4):
        return line
    return line._replace(number=int(slot))


def _points(shape: ET.Element, where: str) -> Points:
    """Points written as `x,y;x,y`."""
    try:
        pairs = [[float(value) for value in pair.split(",")] for pair in shape.get("points", "").split(";") if pair]
    except ValueError as error:
        raise ValueError(f"{where}: expected points as `x,y;x,y`, got {shape.get('points', '')[:60]!r}.") from error
    return checked_points(pairs, where)


def _frame(text: str | None, where: str) -> int:
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 7 or int(text) >= MOST_FRAMES:
        raise ValueError(f"{where}: expected the number of a frame below {MOST_FRAMES}, got {text!r}.")
    return int(text)
