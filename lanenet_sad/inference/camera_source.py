"""A camera at the computer as a source."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple, final

import cv2
import numpy as np

from lanenet_sad.inference.image_source import fit_image
from lanenet_sad.inference.live import BackgroundReader
from lanenet_sad.inference.source import FrameSelection, Source
from lanenet_sad.lanes.lane import Frame, Image

# A picture that cannot be read now and then is a loose plug; more of them in a row, and the camera is gone.
_MAX_FAILURES = 5
_FAILURE_PAUSE = 0.05  # seconds
_PATIENCE = 30.0  # seconds in which a driver that hangs has to give a picture


class _Shot(NamedTuple):
    number: int
    time: float
    bgr: Image


@final
class CameraSource(Source):
    """A camera at the computer; it yields until the loop is left or the camera stops.

    Pictures are read as fast as the camera gives them. Where they are not fetched as fast, old ones are
    `dropped`, so that what is shown does not fall behind.

    Raises:
        ValueError: if the camera cannot be opened.
    """

    kind = "camera"

    def __init__(self, index: int, *, selection: FrameSelection | None = None) -> None:
        super().__init__(f"camera{index}")
        self.index = index
        self.selection = selection or FrameSelection()
        cv2.setLogLevel(0)  # what is wrong with a camera is said below, in one sentence
        self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened():
            raise ValueError(f"Camera {index} cannot be opened. Is it plugged in, and is no other program using it?")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = rate / self.selection.every if rate > 0 else None
        height, width = (round(self._capture.get(p)) for p in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
        self.size = self.selection.fit((height, width))
        self._can_release = True

    def __iter__(self) -> Iterator[Frame]:
        self.faults.clear()
        self.dropped = 0
        reader = BackgroundReader(self._shoot)
        try:
            for shot in reader.fetch(_PATIENCE):
                image = np.asarray(cv2.cvtColor(shot.bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
                self.dropped = reader.dropped
                yield Frame(fit_image(image, self.selection), str(self.index), shot.number, shot.time)
        except TimeoutError:
            self.faults.append(f"Camera {self.index} hangs: no picture came for {_PATIENCE:g} s.")
        finally:
            self._can_release = reader.stop()

    def _shoot(self, stopping: threading.Event) -> Iterator[_Shot]:
        """The wanted pictures, as long as the camera gives any; runs in the reader's thread."""
        start, index, first, failures, failures_in_row = 0.0, 0, -1, 0, 0
        while not stopping.is_set() and failures_in_row < _MAX_FAILURES:
            is_read, bgr = self._capture.read()
            if not is_read:
                failures, failures_in_row = failures + 1, failures_in_row + 1
                stopping.wait(_FAILURE_PAUSE)
                continue
            now, failures_in_row = time.monotonic(), 0
            start = now if index == 0 else start
            if self.selection.is_over(now - start):
                break
            if not self.selection.is_before(now - start):
                first = index if first < 0 else first
                if (index - first) % self.selection.every == 0:
                    yield _Shot(index, now - start, np.asarray(bgr, dtype=np.uint8))
            index += 1
        if failures > failures_in_row:
            self.faults.append(f"Camera {self.index}: {failures - failures_in_row} pictures could not be read.")
        if failures_in_row == _MAX_FAILURES:
            self.faults.append(f"Camera {self.index} gave no more pictures after {index} frames.")

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let other programs have the camera."""
        if self._can_release:  # taken away from a driver that is still reading, it would bring the process down
            self._capture.release()
