"""Picture files as a source: unrelated pictures, or the frames of a drive."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import final

import cv2
import numpy as np

from lanenet_sad.inference.source import FrameSelection, Source
from lanenet_sad.lanes.images import read_image
from lanenet_sad.lanes.lane import Frame, Image

SEQUENCE_FPS = 25.0
"""Frames per second that a folder of pictures is taken to have when it is read as a sequence."""


@final
class ImagesSource(Source):
    """Picture files, in the order given; a corrupt one is skipped and becomes a fault.

    Read as a sequence, frame n has index n and time n / `SEQUENCE_FPS`, and a skipped picture leaves a gap; otherwise
    every picture is frame 0 of its own, without a time to select by. Pictures may differ in size.

    Attributes:
        folder: the folder that the user named, or else the deepest one that holds all files.
        all_files: also those that the selection leaves out.
        named: the files of this run, also those that another process does.
        place: of one of several sequences, the folder, pattern or list that it is named after; its lanes go by its name
            too.
    """

    kind = "images"

    def __init__(
        self,
        files: Sequence[str],
        *,
        name: str = "images",
        sequence: bool = False,
        folder: str | None = None,
        place: str | None = None,
        selection: FrameSelection | None = None,
    ) -> None:
        super().__init__(name)
        self.place = place
        self.selection = selection or FrameSelection()
        self.sequence = sequence
        self.all_files = tuple(files)
        self._numbers = self._select(len(files))
        self.files = tuple(files[number] for number in self._numbers)
        self.named = self.files
        self.folder = folder or common_folder(files)
        self.num_frames = len(self.files)
        self.fps = SEQUENCE_FPS / self.selection.every if sequence else None

    @property
    def is_drive(self) -> bool:
        """Whether the pictures are the frames of a sequence."""
        return self.sequence

    def restricted(self, files: Sequence[str]) -> ImagesSource:
        """A source of some of these unrelated pictures, which go by the same names below the output folder."""
        selection = FrameSelection(max_height=self.selection.max_height)
        source = ImagesSource(files, name=self.name, folder=self.folder, selection=selection)
        source.named = self.named
        return source

    def _select(self, num_files: int) -> list[int]:
        """The numbers of the wanted files."""
        selection = self.selection
        numbers = list(range(num_files))
        if self.sequence:
            times = [number / SEQUENCE_FPS for number in numbers]
            numbers = [n for n in numbers if not (selection.is_before(times[n]) or selection.is_over(times[n]))]
        return numbers[:: selection.every]

    def __iter__(self) -> Iterator[Frame]:
        self.faults.clear()
        for number, file in zip(self._numbers, self.files, strict=True):
            try:
                image = read_image(file, upright=True)
            except (ValueError, FileNotFoundError) as error:
                self.faults.append(str(error))
                continue
            index = number if self.sequence else 0
            yield Frame(fit_image(image, self.selection), file, index, index / SEQUENCE_FPS)


def fit_image(image: Image, selection: FrameSelection) -> Image:
    """A picture made as small as the selection wants it."""
    height, width = selection.fit((image.shape[0], image.shape[1]))
    if (height, width) == image.shape[:2]:
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def common_folder(files: Sequence[str]) -> str:
    """The deepest folder that holds all files; absolute where they lie in several, which may be named in both ways."""
    folders = {str(Path(file).parent) for file in files} or {"."}
    return os.path.commonpath(list(map(os.path.abspath, folders))) if len(folders) > 1 else folders.pop()
