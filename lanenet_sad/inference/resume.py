"""Which sources and pictures an earlier run into the same folder has done."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lanenet_sad.inference.finished_pictures import absolute_path, finished_pictures, lines_of_others
from lanenet_sad.inference.naming import (
    common_lanes_path,
    common_suffixes,
    drawn_paths,
    has_common_files,
    label_faults,
    lanes_path,
    names_below,
    result_path,
    settings_path,
)
from lanenet_sad.inference.sources import ImagesSource, Source, StreamSource
from lanenet_sad.lanes.files import replacing

# Nothing about a picture that is no frame of a drive depends on these; which pictures there are does not matter.
_OF_DRIVES = ("input", "tracking", "calibration", "ldw", "birds_eye", "every", "start", "duration")


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
        warnings: sentences about what is done again and what is lost, for when nothing else stops the run.
    """

    source: Source | None
    settings: Mapping[str, object]
    known: tuple[str, ...] = ()
    done: Done = Done(0, 0, ())
    warnings: tuple[str, ...] = ()


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

    Raises:
        ValueError: the results that a drive would write over are about another file.
    """
    if not isinstance(source, ImagesSource) or source.sequence:
        return _left_of_drive(source, settings, out, suffix)
    wanted, file_format = _of_pictures(settings), str(settings.get("format"))
    differences = {each: _differences(out, wanted, each) for each in common_suffixes(out)}
    same = [common_lanes_path(out, each) for each, found in differences.items() if found == []]
    finished = {} if in_one_file else finished_pictures(source, same, out, file_format=file_format)
    rest = (
        source.restricted([file for file in source.files if absolute_path(file) not in finished])
        if finished
        else source
    )
    told: list[str] = []
    for each, found in {} if in_one_file else differences.items():
        again = [] if found == [] else finished_pictures(source, [common_lanes_path(out, each)], out)
        if not finished.keys() >= set(again):
            why = f"other settings: {', '.join(found)}" if found else "settings that are not known"
            told.append(f"{source.name}: pictures are done again, the earlier run had {why}.")
            break
    lanes_file = common_lanes_path(out, suffix)
    kept, num_dropped = lines_of_others(source, lanes_file, out)
    if lanes_file not in same:
        kept, num_dropped = [], num_dropped + len(kept)
    if num_dropped:
        told.append(
            f"{source.name}: lines about other pictures ({num_dropped}) are dropped from {lanes_file}; they are of "
            f"other settings, or their drawn copies are written over."
        )
    num_lanes = sum(len(json.loads(line)["lanes"]) for line in finished.values())
    without_label = label_faults(source, out, file_format)
    faults = [
        without_label[name]
        for file, name in zip(source.files, names_below(source), strict=True)
        if name in without_label and absolute_path(file) in finished
    ]
    done = Done(len(finished), num_lanes, tuple(faults))
    return Left(rest, settings, (*kept, *finished.values()), done, tuple(told))


def _left_of_drive(source: Source, settings: Mapping[str, object], out: Path, suffix: str) -> Left:
    summary_path = result_path(out, source, "summary.json", suffix)
    _refuse_namesake(source, summary_path)
    drawn = drawn_paths(source, out, suffix)
    # Drawn pictures of other sources may go by the same names; a video has its name for itself.
    unchanged = drawn if isinstance(source, ImagesSource) else []
    results = [lanes_path(out, source, suffix), *drawn]
    done = finished_source(summary_path, settings, results=results, unchanged=unchanged)
    is_known = not has_common_files(source) or _differences(out, settings, suffix) == []
    return Left(source, settings) if done is None or not is_known else Left(None, settings, done=done)


def _refuse_namesake(source: Source, summary_path: Path) -> None:
    """The first file of a name went by this name alone; a second one may take it: not the results too."""
    try:
        (found,) = json.loads(summary_path.read_text(encoding="utf-8"))["sources"]
        (file,), other = source.files, str(found["source"])
        is_about_another = Path(other).is_file() and not Path(other).samefile(file)
    except (OSError, ValueError, KeyError, TypeError):  # no summary, or of no single file
        return
    if is_about_another:
        raise ValueError(
            f"{summary_path} is about {other}, and the results of {file} would be written over it and what stands "
            f"beside it; move these away, or choose another --out folder."
        )


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


def note_end(source: Source, written: Sequence[Path], *, out: Path, suffix: str = "") -> None:
    """Date `lanes.jsonl` after the last drawn picture, which is encoded behind; `what_is_left` goes by it.

    Args:
        source: whose lanes were written.
        written: the files of this run; what another one left is not touched.
        out: the folder.
        suffix: that of the rank, in the names of files.
    """
    lanes_file = lanes_path(out, source, suffix)
    if has_common_files(source) and lanes_file in written:
        with suppress(OSError):  # then some pictures are done again
            os.utime(lanes_file)


def _of_pictures(settings: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if name not in _OF_DRIVES}


def _differences(out: Path, wanted: Mapping[str, object], suffix: str) -> list[str] | None:
    """In which settings the lanes of an earlier run differ, in words; None if its settings are not known."""
    try:
        content = json.loads(settings_path(out, suffix).read_text(encoding="utf-8"))
        settings, not_of = content["settings"], content["not_of"]
        if not isinstance(settings, dict) or not_of == identity_of_file(common_lanes_path(out, suffix)):
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


def finished_source(
    summary_path: Path,
    settings: Mapping[str, object],
    *,
    results: Sequence[Path] = (),
    unchanged: Sequence[Path] = (),
) -> Done | None:
    """What a source's summary says, if it was finished with these settings, its identity among them; else None.

    Args:
        summary_path: of the summary.
        settings: of the run and the source.
        results: files that have to be there still.
        unchanged: those of them that nothing may have been written over since.
    """
    try:
        if not all(path.is_file() for path in results):
            return None
        finished_at = summary_path.stat().st_mtime_ns
        if any(path.stat().st_mtime_ns > finished_at for path in unchanged):
            return None
        content: dict[str, Any] = json.loads(summary_path.read_text(encoding="utf-8"))
        (source,) = content["sources"]
        # as written: tuples have become lists, paths words
        if not source["finished"] or content["settings"] != json.loads(json.dumps(dict(settings), default=str)):
            return None
        return Done(int(source["frames"]), int(source["lanes"]), tuple(str(fault) for fault in source["faults"]))
    except (OSError, ValueError, KeyError, TypeError):  # no summary, or one that was written over by something else
        return None
