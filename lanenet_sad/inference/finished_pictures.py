"""Pictures that earlier runs into a folder have done, by the lines of its `lanes.jsonl` and the dates of files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lanenet_sad.inference.image_source import ImagesSource
from lanenet_sad.inference.naming import label_faults, label_path, names_below


def finished_pictures(
    source: ImagesSource, lanes_paths: Sequence[Path], out: Path, *, file_format: str = "jsonl"
) -> dict[str, str]:
    """The pictures of a source that earlier runs have drawn and whose lanes are in one of their files.

    Args:
        source: unrelated pictures.
        lanes_paths: `lanes.jsonl`, also those of other ranks; lines that make no sense are passed over.
        out: folder of the drawn copies. One that is older than its picture does not count, and neither does one that is
            newer than the lane file: another run has written over it since.
        file_format: of labels that a picture has to have too.

    Returns:
        Absolute path of the picture -> its line.
    """
    names = {absolute_path(file): name for file, name in zip(source.files, names_below(source), strict=True)}
    without_label = label_faults(source, out, file_format)
    done = {}
    for path in lanes_paths:
        finished_at = path.stat().st_mtime_ns
        for file, line in _lines_of(path):
            file = absolute_path(file)
            if (name := names.get(file)) is None or not _is_between(Path(file), out / name, finished_at):
                continue
            label = None if name in without_label else label_path(out, name, file_format)
            # Labels for labelme are never written over, but corrected by hand.
            if label is None or _is_between(None, label, None if file_format == "labelme" else finished_at):
                done[file] = line
    return done


def lines_of_others(source: ImagesSource, lanes_file: Path, out: Path) -> tuple[list[str], int]:
    """The lines about pictures that are not named now and can stay, and the number of those that cannot.

    Below which folder a picture was named then is not known: its copy may go by any end of its path. In doubt the line
    goes.
    """
    if not lanes_file.is_file():
        return [], 0
    finished_at = lanes_file.stat().st_mtime_ns
    named = {absolute_path(file) for file in source.named}
    others = [(file, line) for file, line in _lines_of(lanes_file) if absolute_path(file) not in named]
    if not others:
        return [], 0
    written = set(names_below(source, source.named))
    ends = {end for name in written for end in _ends(name)}
    kept, dropped = {}, set()
    for file, line in others:
        place = absolute_path(file)
        # A relative path may have been named in another folder than this run's.
        is_elsewhere = not Path(file).is_absolute() and any(end in ends for end in _ends(file)[:1])
        if is_elsewhere or any(end in written or _is_after(out / end, finished_at) for end in _ends(place)):
            dropped.add(place)
        kept[place] = line
    return [line for place, line in kept.items() if place not in dropped], len(dropped)


def absolute_path(file: str) -> str:
    """A path from the root on, by which pictures are told apart; symbolic links are left as they are."""
    return os.path.abspath(file)  # noqa: PTH100


def _ends(file: str) -> list[str]:
    """All ends of a path, the longest first."""
    path = Path(os.path.normpath(file))
    parts = [part for part in path.parts if part not in ("..", path.anchor)]
    return [str(Path(*parts[start:])) for start in range(len(parts))]


def _lines_of(path: Path) -> Iterator[tuple[str, str]]:
    """(file, line) of those lines of a `lanes.jsonl` that make sense."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:  # names may hold other line ends
        for line in lines:
            try:
                content = json.loads(line)
                file = content["source"]
                makes_sense = isinstance(file, str) and isinstance(content["lanes"], list)
            except (ValueError, KeyError, TypeError):
                continue
            if makes_sense:
                yield file, line.rstrip("\n")


def _is_after(copy: Path, finished_at: int) -> bool:
    return _is_between(None, copy, None) and not _is_between(None, copy, finished_at)


def _is_between(original: Path | None, copy: Path, finished_at: int | None) -> bool:
    """Whether a copy is there, not older than its original and not newer than a time in ns; None: whenever."""
    try:
        changed = copy.stat().st_mtime_ns
        is_late_enough = original is None or changed >= original.stat().st_mtime_ns
        return copy.is_file() and is_late_enough and (finished_at is None or changed <= finished_at)
    except (OSError, ValueError):  # also if the original has gone: it is to be told as a fault
        return False
