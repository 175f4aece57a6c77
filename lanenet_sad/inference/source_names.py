"""Names of sources that are opened together: short where they differ, made of their paths where they do not."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from lanenet_sad.inference.image_source import ImagesSource
from lanenet_sad.inference.source import Source, UnreadableSource
from lanenet_sad.inference.video_source import VideoSource

_LONGEST = 150  # bytes of a name made of a path; file names end at 255, and endings come behind it
_NUM_WAYS = 4
_WILDCARDS = re.compile(r"\[[^\]]*\]|[*?]")


def give_unique_names(sources: Sequence[Source], folder: str) -> None:
    """Rename those that share a name; case does not tell files apart everywhere.

    Files of one name go by their path below the folder that the user named: `b/drive.mp4` and `c/drive.mp4` become
    `b_drive` and `c_drive`, so that a third one changes nothing about them. The second one does: `b/drive.mp4` alone
    is `drive`, beside `c/drive.mp4` it is `b_drive`. Where the path does not tell them apart, the ending is added, then
    a number made of the path. Cameras, streams, all pictures together, and a file that is named twice are numbered.

    Args:
        sources: in their order.
        folder: that the user named, or that of the list.
    """
    taken: set[str] = set()
    for source in sources:
        if not _place_of(source):
            _number(source, taken)
    names: dict[str, str] = {}
    left = {place: source.name for source in sources if (place := _place_of(source))}
    for way in range(_NUM_WAYS):
        sharing: dict[str, list[str]] = defaultdict(list)
        for place, stem in left.items():
            sharing[_name(place, stem, folder, way).lower()].append(place)
        for lowered, places in sharing.items():
            if len(places) == 1 and lowered not in taken:
                names[places[0]] = _name(places[0], left.pop(places[0]), folder, way)
        taken.update(name.lower() for name in names.values())
    first_ones: set[str] = set()
    for source in sources:
        place = _place_of(source)
        source.name = names.get(place, source.name)
        if place in names and place not in first_ones:
            first_ones.add(place)
        elif place:
            _number(source, taken)


def pattern_name(place: str) -> str:
    """The last words of a pattern: `left` of `cam/left_*.jpg`, `cam` of `cam/*.jpg`; nothing if it is no pattern."""
    words = _words_of(Path(place)) if _is_pattern(place) else []
    return words[-1] if words else ""


def _is_pattern(place: str) -> bool:
    return glob.has_magic(place) and not os.path.lexists(place)


def _words_of(pattern: Path) -> list[str]:
    """The parts of a pattern without wildcards and ending; those that have nothing else are left out."""
    parts = [*pattern.parent.parts, pattern.stem]
    words = [_WILDCARDS.sub("", part).strip(" ._-") if glob.has_magic(part) else part for part in parts]
    return [word for word in words if word not in ("", "..", pattern.anchor)]


def _place_of(source: Source) -> str:
    """The path by which a source is told from others of its name; nothing where it has none."""
    if isinstance(source, VideoSource):
        return source.file
    return (source.place or "") if isinstance(source, ImagesSource | UnreadableSource) else ""


def _name(place: str, stem: str, folder: str, way: int) -> str:
    """A name of a file; the first way is the shortest, the last one leaves no doubt."""
    if way == 0:
        return stem
    below = Path(os.path.relpath(place, folder))
    is_pattern = _is_pattern(place)
    parts = _words_of(below) if is_pattern else [part for part in below.parts if part != ".."]
    name = "_".join([*parts[:-1], stem])
    if way > 1:
        name += (_WILDCARDS.sub("", below.suffix) if is_pattern else below.suffix).replace(".", "_")
    if way > 2 or len(os.fsencode(name)) > _LONGEST:
        return f"{stem}-{hashlib.sha256(os.fsencode(below)).hexdigest()[:8]}"
    return name


def _number(source: Source, taken: set[str]) -> None:
    stem, number = source.name, 2
    while source.name.lower() in taken:
        source.name, number = f"{stem}-{number}", number + 1
    taken.add(source.name.lower())
