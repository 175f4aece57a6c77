"""Where pictures come from: image files, folders, patterns, lists, videos, streams, cameras. RGB goes out, upright.

A broken picture or video frame does not end a run: it is skipped, and a sentence about it is added to the
source's `faults`.
"""

from __future__ import annotations

import glob
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lanenet_sad.inference.camera_source import CameraSource
from lanenet_sad.inference.image_files import IMAGE_SUFFIXES
from lanenet_sad.inference.image_source import SEQUENCE_FPS, ImagesSource, common_folder
from lanenet_sad.inference.source import FrameSelection, Source, UnreadableSource
from lanenet_sad.inference.source_files import (
    LIST_SUFFIXES,
    fixed_part,
    known_suffixes,
    list_folder,
    list_pattern,
    read_source_list,
    without,
)
from lanenet_sad.inference.source_names import give_unique_names, pattern_name
from lanenet_sad.inference.stream_address import is_address, show_address
from lanenet_sad.inference.stream_source import StreamSettings, StreamSource
from lanenet_sad.inference.video_files import VIDEO_SUFFIXES
from lanenet_sad.inference.video_source import VideoSource

__all__ = [
    "SEQUENCE_FPS",
    "CameraSource",
    "FrameSelection",
    "ImagesSource",
    "Source",
    "StreamSettings",
    "StreamSource",
    "UnreadableSource",
    "VideoSource",
    "open_source",
    "open_sources",
]


def open_source(source: str, *, sequence: bool = False, selection: FrameSelection | None = None) -> Source:
    """Open something that is one source; see `open_sources`.

    Raises:
        ValueError: also if a folder, pattern or list holds several videos, or videos beside images.
    """
    found = open_sources(source, sequence=sequence, selection=selection)
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise ValueError(f"{source}: expected images or one video, found several sources ({names}); name one of them.")
    return found[0]


def open_sources(
    source: str,
    *,
    sequence: bool = False,
    leave_out: Path | None = None,
    selection: FrameSelection | None = None,
    stream: StreamSettings | None = None,
) -> list[Source]:
    """Open whatever the user named.

    Args:
        source: an image file; a video file; a folder (searched with its subfolders, hidden files left out); a glob
            pattern (`**` goes into subfolders); a list (.txt, .lst) with one source a line; the address of a stream
            (http, https, rtsp, rtmp, udp); or the index of a camera such as "0", if no file has that name.
            A folder, pattern or list gives one source for all its images and one for each of its videos and streams;
            folders and patterns in natural order. These are looked at when their turn comes: one that cannot be read
            yields nothing and has its reason in `faults`. Names are unique (see `give_unique_names`).
        sequence: take the images as consecutive frames (`SEQUENCE_FPS` a second) instead of unrelated pictures. Each
            folder and pattern of a list is a sequence of its own, once; image files that it names are one together.
        leave_out: a folder below the source whose files are not read, such as that of the results.
        selection: which frames are wanted, and how large; default: all as they are.
        stream: how long to wait for streams.

    Raises:
        FileNotFoundError: if nothing has that name or matches the pattern.
        ValueError: if there is no image or video in it, or the video or stream named cannot be read, or the camera not
            opened.
    """
    found = _Opener(sequence, leave_out, selection or FrameSelection(), stream or StreamSettings()).open(source)
    has_pictures = not sequence and any(isinstance(each, ImagesSource) for each in found)
    if has_pictures and selection is not None and selection.has_span:
        warnings.warn(
            f"{_shown(source)}: start and duration have no effect on unrelated pictures, only on a --sequence.",
            stacklevel=2,
        )
    return found


@dataclass(frozen=True)
class _Opener:
    """Opens sources in one manner."""

    sequence: bool
    leave_out: Path | None
    selection: FrameSelection
    stream: StreamSettings

    def open(self, source: str) -> list[Source]:
        if not source:
            raise ValueError(
                "Source: expected a file, a folder, a pattern or the index of a camera, got an empty name."
            )
        path = Path(source)
        if path.is_file() and path.suffix.lower() in LIST_SUFFIXES:
            found, folder = self._open_list(path), str(path.parent)
        else:
            found, folder = self._open_entry(source, is_alone=True), source if path.is_dir() else fixed_part(source)
        give_unique_names(found, folder)
        return found

    def _open_entry(self, source: str, *, is_alone: bool) -> list[Source]:
        """One source named by the user, `is_alone`, or by a line of a list."""
        path = Path(source)
        if is_address(source):
            settings = self.stream
            return [StreamSource(source, selection=self.selection, settings=settings, lazy=not is_alone)]
        if path.is_file():
            return [self._open_file(source, is_alone)]
        if path.is_dir():
            files = without(list_folder(path), self.leave_out, path)
            return self._open_files(source, files, name=path.resolve().name or "images", folder=source)
        if source.isdecimal():
            return [CameraSource(int(source), selection=self.selection)]
        if glob.has_magic(source):
            files = without(list_pattern(source), self.leave_out, None)
            if not files:
                raise ValueError(
                    f"{source}: all that matches lies in the output folder {self.leave_out}; choose another --out."
                )
            return self._open_files(source, files, name="images")
        if path.exists():
            raise ValueError(f"{source}: neither a file nor a folder; a camera is named by its index, as 0.")
        raise FileNotFoundError(f"{source}: no such file or folder.")

    def _open_file(self, source: str, is_alone: bool) -> Source:
        path = Path(source)
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return ImagesSource([source], name=path.stem, sequence=self.sequence, selection=self.selection)
        if path.suffix.lower() in VIDEO_SUFFIXES:
            return VideoSource(source, selection=self.selection, lazy=not is_alone)
        raise ValueError(f"{source}: expected an image or a video, one of {known_suffixes()}.")

    def _open_files(self, source: str, files: Sequence[Path], *, name: str, folder: str | None = None) -> list[Source]:
        images = [str(file) for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
        videos = [str(file) for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
        if not images and not videos:
            raise ValueError(f"{source}: holds no image and no video, none of {known_suffixes()}.")
        sources = [self._images(images, name, folder)] if images else []
        return [*sources, *(VideoSource(video, selection=self.selection, lazy=True) for video in videos)]

    def _open_list(self, path: Path) -> list[Source]:
        """Everything that a list names; entries that cannot be opened stand there with their fault."""
        loose: list[str] = []
        series: dict[tuple[str, ...], tuple[str, Sequence[str]]] = {}  # the same files, named again, are no other drive
        others: list[Source] = []
        faults: list[str] = []
        for entry in read_source_list(path):
            try:
                found = self._open_entry(entry, is_alone=False)
            except (ValueError, OSError) as error:
                faults.append(f"{path}: {error}")
                place = None if is_address(entry) else entry
                name = pattern_name(place or "") or Path(_shown(entry)).stem or "source"
                others.append(UnreadableSource(faults[-1], name=name, place=place))
                continue
            for each in found:
                if not isinstance(each, ImagesSource):
                    others.append(each)
                elif self.sequence and not Path(entry).is_file():
                    series.setdefault(tuple(map(os.path.abspath, each.all_files)), (entry, each.all_files))
                else:
                    loose += each.all_files
        if not loose and not series and len(faults) == len(others):
            more = f" (and {len(faults) - 1} more such entries)" if len(faults) > 1 else ""
            raise ValueError(f"{faults[0]}{more}")
        return [*self._images_of_list(path, [(str(path), loose)] * bool(loose) + [*series.values()]), *others]

    def _images_of_list(self, path: Path, series: Sequence[tuple[str, Sequence[str]]]) -> list[Source]:
        """All images together, or several sequences: the place and the files of each."""
        if len(series) < 2:
            return [self._images(files, path.stem, None) for _, files in series]
        # As for one source, drawn copies go by their place below the folder of all; so no two are one file.
        folder = common_folder([file for _, files in series for file in files])
        sources: list[Source] = []
        for place, files in series:
            own_folder = place if Path(place).is_dir() else common_folder(files)
            name = path.stem if place == str(path) else pattern_name(place) or Path(own_folder).resolve().name
            sources.append(self._images(files, name or "images", folder, place))
        return sources

    def _images(self, files: Sequence[str], name: str, folder: str | None, place: str | None = None) -> Source:
        return ImagesSource(
            files, name=name, sequence=self.sequence, folder=folder, place=place, selection=self.selection
        )


def _shown(source: str) -> str:
    return show_address(source) if is_address(source) else source
