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
        for file, name, line in _lines_of(path):
            if names.get(file) != name or not _is_between(Path(file), out / name, finished_at):
                continue
            label = None if name in without_label else label_path(out, name, file_format)
            # Labels for labelme are never written over, but corrected by hand.
            if label is None or _is_between(None, label, None if file_format == "labelme" else finished_at):
                done[file] = line
    return done


def lines_of_others(source: ImagesSource, lanes_file: Path, out: Path) -> tuple[list[str], int]:
    """The lines about pictures that are not named now and can stay, and the number of those that cannot.

    Those go whose drawn copies this run writes over, or another one has written over.
    """
    if not lanes_file.is_file():
        return [], 0
    finished_at = lanes_file.stat().st_mtime_ns
    named = {absolute_path(file) for file in source.named}
    written = set(names_below(source, source.named))
    kept, dropped = {}, set()
    for file, name, line in _lines_of(lanes_file):
        if file in named:
            continue
        if name in written or not _is_between(None, out / name, finished_at):
            dropped.add(file)
        else:
            kept[file] = line
    return list(kept.values()), len(dropped - kept.keys())


def absolute_path(file: str) -> str:
    """A path from the root on, by which pictures are told apart; symbolic links are left as they are."""
    return os.path.abspath(file)  # noqa: PTH100


def _lines_of(path: Path) -> Iterator[tuple[str, str, str]]:
    """(absolute path, name of the drawn copy, line) of those lines of a `lanes.jsonl` that make sense."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:  # names may hold other line ends
        for line in lines:
            try:
                content = json.loads(line)
                file, drawn = content["source"], content["drawn"]
                makes_sense = isinstance(file, str) and isinstance(drawn, str) and isinstance(content["lanes"], list)
            except (ValueError, KeyError, TypeError):
                continue
            if makes_sense:
                yield absolute_path(file), drawn, line.rstrip("\n")


def _is_between(original: Path | None, copy: Path, finished_at: int | None) -> bool:
    """Whether a copy is there, not older than its original and not newer than a time in ns; None: whenever."""
    try:
        changed = copy.stat().st_mtime_ns
        is_late_enough = original is None or changed >= original.stat().st_mtime_ns
        return copy.is_file() and is_late_enough and (finished_at is None or changed <= finished_at)
    except (OSError, ValueError):  # also if the original has gone: it is to be told as a fault
        return False
