"""Which sources and pictures an earlier run into the same folder has done."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lanenet_sad.inference.naming import lanes_path, planned_outputs, result_path
from lanenet_sad.inference.sources import ImagesSource, Source, StreamSource


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


@dataclass(frozen=True)
class Left:
    """What there is to do of a source.

    Attributes:
        source: what has not been done; None: an earlier run has finished it.
        settings: of the run and the source, as its summary will have them.
        known: lines about the pictures that an earlier run has done.
        done: what an earlier run said about them, or about the whole.
    """

    source: Source | None
    settings: Mapping[str, object]
    known: tuple[str, ...] = ()
    done: Done = Done(0, 0, ())


def what_is_left(
    source: Source, settings: Mapping[str, object], *, out: Path, in_one_file: bool, suffix: str = ""
) -> Left:
    """What an earlier run into the same folder has left to do of a source.

    Args:
        source: as it was named.
        settings: of the run and the source.
        out: the folder.
        in_one_file: something is written about all pictures in one file, so that all have to be done again.
        suffix: that of the rank, in the names of files.
    """
    if not isinstance(source, ImagesSource) or source.sequence:
        results = [lanes_path(out, source, suffix), *planned_outputs([source], out, suffix)]
        done = finished_source(result_path(out, source, "summary.json", suffix), settings, results=results)
        return Left(source, settings) if done is None else Left(None, settings, done=done)
    if in_one_file:
        return Left(source, settings)
    finished = finished_pictures(source, sorted(out.glob("lanes*.jsonl")), out)
    rest = source.restricted([file for file in source.files if file not in finished])
    num_lanes = sum(len(json.loads(line)["lanes"]) for line in finished.values())
    return Left(rest, settings, tuple(finished.values()), Done(len(finished), num_lanes, ()))


def identity_of(source: Source) -> dict[str, object]:
    """What tells whether a source is still the same: its name, and its files' sizes and times of change.

    Of the frames of a sequence, however many they are, this is one number; of a stream, its address without secrets.
    """
    if isinstance(source, StreamSource):
        return {"name": source.name, "address": source.address}
    files = [identity_of_file(Path(file)) for file in source.files]
    if len(files) == 1:
        return {"name": source.name, **files[0]}
    digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    return {"name": source.name, **({"files": len(files), "sha256_of_list": digest} if files else {})}


def identity_of_file(file: Path) -> dict[str, Any]:
    """A file's name, size and time of change; nothing where there is no file."""
    if not file.is_file():
        return {}
    status = file.stat()
    return {"file": file.name, "bytes": status.st_size, "changed": status.st_mtime_ns}


def finished_source(summary_path: Path, settings: Mapping[str, object], *, results: Sequence[Path] = ()) -> Done | None:
    """What a source's summary says, if it was finished with these settings, its identity among them; else None.

    Args:
        summary_path: of the summary.
        settings: of the run and the source.
        results: files that have to be there still.
    """
    try:
        if not all(path.is_file() for path in results):
            return None
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
        out: folder of the drawn copies; one that is older than its picture does not count.

    Returns:
        File of the picture -> its line.
    """
    wanted, done = set(source.files), {}
    for path in lanes_paths:
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):  # names may hold other line ends
            try:
                content = json.loads(line)
                file = content["source"]
                is_wanted = file in wanted and isinstance(content["lanes"], list)
            except (ValueError, KeyError, TypeError):
                continue
            if is_wanted and _is_newer(out / os.path.relpath(file, source.folder), Path(file)):
                done[file] = line
    return done


def _is_newer(copy: Path, original: Path) -> bool:
    try:
        return copy.is_file() and copy.stat().st_mtime_ns >= original.stat().st_mtime_ns
    except OSError:  # the original has gone: it is to be told as a fault
        return False
