"""Which sources and pictures an earlier run into the same folder has done."""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lanenet_sad.inference.naming import (
    drawn_paths,
    has_common_files,
    labelme_path,
    lanes_path,
    result_path,
    settings_path,
)
from lanenet_sad.inference.sources import ImagesSource, Source, StreamSource
from lanenet_sad.lanes.files import lines_path, replacing

# Nothing about a picture that is no frame of a drive depends on these; which pictures there are does not matter.
_OF_DRIVES = ("input", "tracking", "calibration", "ldw", "birds_eye", "every", "start", "duration")
_LANES = re.compile(r"lanes((?:\.rank\d+)?)\.jsonl")


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
        known: lines about the pictures that an earlier run has done, also about those that this one does not name.
        done: what an earlier run said about those that are named, or about the whole.
    """

    source: Source | None
    settings: Mapping[str, object]
    known: tuple[str, ...] = ()
    done: Done = Done(0, 0, ())


def what_is_left(
    source: Source, settings: Mapping[str, object], *, out: Path, in_one_file: bool, suffix: str = ""
) -> Left:
    """What an earlier run into the same folder has left to do of a source.

    Warns if pictures are done again because they were done with other settings.

    Args:
        source: as it was named.
        settings: of the run and the source.
        out: the folder.
        in_one_file: something is written about all pictures in one file, so that all have to be done again.
        suffix: that of the rank, in the names of files.
    """
    if not isinstance(source, ImagesSource) or source.sequence:
        is_known = not has_common_files(source) or _differences(out, settings, suffix) == []
        results = [lanes_path(out, source, suffix), *drawn_paths(source, out, suffix)]
        done = finished_source(result_path(out, source, "summary.json", suffix), settings, results=results)
        return Left(source, settings) if done is None or not is_known else Left(None, settings, done=done)
    if in_one_file:
        return Left(source, settings)
    suffixes = [match[1] for path in out.glob("lanes*.jsonl") if (match := _LANES.fullmatch(path.name))]
    wanted = _of_pictures(settings)
    differences = {each: _differences(out, wanted, each) for each in sorted(suffixes)}
    same = [out / f"lanes{each}.jsonl" for each, found in differences.items() if found == []]
    finished = finished_pictures(source, same, out, file_format=str(settings.get("format")))
    rest = source.restricted([file for file in source.files if file not in finished])
    for each, found in differences.items():
        again = [] if found == [] else finished_pictures(source, [out / f"lanes{each}.jsonl"], out)
        if not finished.keys() >= set(again):
            _warn_of(found, source.name)
            break
    num_lanes = sum(len(json.loads(line)["lanes"]) for line in finished.values())
    mine, named = out / f"lanes{suffix}.jsonl", set(source.named)
    others = {file: line for file, line in _lines_of(mine) if file not in named} if mine in same else {}
    return Left(rest, settings, (*others.values(), *finished.values()), Done(len(finished), num_lanes, ()))


def note_settings(source: Source, settings: Mapping[str, object], *, out: Path, suffix: str = "") -> list[Path]:
    """Write beside a `lanes.jsonl`, before it is begun, with which settings; `what_is_left` goes by it.

    One file of this name is about whatever pictures were done last, so what stands in it alone does not say how.

    Args:
        source: whose lanes will be written; a video has these in its summary.
        settings: of the run and the source.
        out: the folder.
        suffix: that of the rank, in the names of files.

    Returns:
        The path, if it was written.

    Raises:
        OSError: the folder cannot be written to.
    """
    is_drive = source.is_drive
    wanted = dict(settings) if is_drive else _of_pictures(settings)
    if not has_common_files(source) or _differences(out, wanted, suffix) == []:
        return []
    path = settings_path(out, suffix)
    # After a kill there are still the lanes of the run before, about which these settings say nothing.
    content = {"settings": wanted, "not_of": identity_of_file(lanes_path(out, source, suffix))}
    with replacing(path) as temporary:
        text = json.dumps(content, indent=2, default=str)  # which is YAML too
        temporary.write_text(f"{text}\n", encoding="utf-8")
    return [path]


def _of_pictures(settings: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if name not in _OF_DRIVES}


def _differences(out: Path, wanted: Mapping[str, object], suffix: str) -> list[str] | None:
    """In which settings the lanes of an earlier run differ, in words; None if its settings are not known."""
    try:
        content = json.loads(settings_path(out, suffix).read_text(encoding="utf-8"))
        settings, not_of = content["settings"], content["not_of"]
        if not isinstance(settings, dict) or not_of == identity_of_file(out / f"lanes{suffix}.jsonl"):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found: list[str] = []
    for name, now in json.loads(json.dumps(dict(wanted), default=str)).items():
        before = settings.get(name)
        if before != now or name not in settings:
            are_short = not isinstance(before, dict | list) and not isinstance(now, dict | list)
            found.append(f"{name} ({_shown(before)}, now {_shown(now)})" if are_short else name)
    return found


def _shown(value: object) -> str:
    return "default" if value is None else {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _warn_of(differences: Sequence[str] | None, name: str) -> None:
    why = f"other settings: {', '.join(differences)}" if differences else "settings that are not known"
    warnings.warn(f"{name}: pictures are done again, the earlier run had {why}.", stacklevel=4)


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


def finished_pictures(
    source: ImagesSource, lanes_paths: Sequence[Path], out: Path, *, file_format: str = "jsonl"
) -> dict[str, str]:
    """The pictures of a source that earlier runs have drawn and whose lanes are in one of their files.

    Args:
        source: unrelated pictures.
        lanes_paths: `lanes.jsonl`, also those of other ranks; lines that make no sense are passed over.
        out: folder of the drawn copies; one that is older than its picture does not count.
        file_format: of labels that a picture has to have too.

    Returns:
        File of the picture -> its line.
    """
    wanted, done = set(source.files), {}
    for path in lanes_paths:
        for file, line in _lines_of(path):
            if file in wanted:
                name = os.path.relpath(file, source.folder)
                if _is_newer(out / name, Path(file)) and _has_label(out, name, file_format):
                    done[file] = line
    return done


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


def _has_label(out: Path, name: str, file_format: str) -> bool:
    find_path = {"culane": lines_path, "labelme": labelme_path}.get(file_format)
    return find_path is None or find_path(out, name).is_file()


def _is_newer(copy: Path, original: Path) -> bool:
    try:
        return copy.is_file() and copy.stat().st_mtime_ns >= original.stat().st_mtime_ns
    except OSError:  # the original has gone: it is to be told as a fault
        return False
