"""Which sources and pictures an earlier run into the same folder has done."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lanenet_sad.inference.sources import ImagesSource, Source


@dataclass(frozen=True)
class Done:
    """What an earlier run said about a source that it finished.

    Attributes:
        num_frames: that were read.
        num_lanes: lanes in them.
        faults: sentences about what could not be read.
    """

    num_frames: int
    num_lanes: int
    faults: tuple[str, ...]


def identity_of(source: Source) -> dict[str, object]:
    """What tells whether a source is still the same: its name, and its file's size and time of change."""
    return {"name": source.name, **(identity_of_file(Path(source.files[0])) if len(source.files) == 1 else {})}


def identity_of_file(file: Path) -> dict[str, object]:
    """A file's name, size and time of change; nothing where there is no file."""
    if not file.is_file():
        return {}
    status = file.stat()
    return {"file": file.name, "bytes": status.st_size, "changed": status.st_mtime_ns}


def finished_source(summary_path: Path, settings: Mapping[str, object]) -> Done | None:
    """What a source's summary says, if it was finished with these settings, its identity among them; else None."""
    try:
        content: dict[str, Any] = json.loads(summary_path.read_text(encoding="utf-8"))
        (source,) = content["sources"]
        # as written: tuples have become lists, paths words
        if not source["finished"] or content["settings"] != json.loads(json.dumps(dict(settings), default=str)):
            return None
        return Done(int(source["frames"]), int(source["lanes"]), tuple(str(fault) for fault in source["faults"]))
    except (OSError, ValueError, KeyError, TypeError):  # no summary, or one that was written over by something else
        return None


def finished_pictures(source: ImagesSource, lanes_paths: Sequence[Path], out: Path) -> dict[str, str]:
    """The pictures of a source that earlier runs have drawn and whose lanes are in one of their files.

    Args:
        source: unrelated pictures.
        lanes_paths: `lanes.jsonl`, also those of other ranks; lines that make no sense are passed over.
        out: folder of the drawn copies.

    Returns:
        File of the picture -> its line.
    """
    wanted, done = set(source.files), {}
    for path in lanes_paths:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                file = json.loads(line)["source"]
            except (ValueError, KeyError, TypeError):
                continue
            if file in wanted and (out / os.path.relpath(file, source.folder)).is_file():
                done[file] = line
    return done
