"""A window on the screen, for those who want to see results while they come."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from contextlib import suppress
from types import TracebackType

import cv2

from lanenet_sad.lanes.lane import Image


class Window:
    """A window that shows pictures while they come, for `--show`. A context manager; the window closes at its end.

    Raises:
        ValueError: where no window can open: the headless build of OpenCV, or no screen. It says what to do.
    """

    def __init__(self, title: str) -> None:
        _require_display()
        self.title = title
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error as error:
            raise ValueError(
                f"--show cannot open a window: {error}. Leave --show out; the results are files."
            ) from error
        self._is_sized = False

    def __enter__(self) -> Window:
        return self

    def show(self, image: Image) -> bool:
        """Show an RGB picture; False when the user pressed q or Escape, or closed the window."""
        if not self._is_sized:
            height, width = image.shape[:2]
            scale = min(1.0, 1280 / width, 720 / height)
            cv2.resizeWindow(self.title, max(1, round(width * scale)), max(1, round(height * scale)))
            self._is_sized = True
        cv2.imshow(self.title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        key = cv2.waitKey(1) & 0xFF
        if key in (ord("q"), 27):
            return False
        return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(cv2.error):  # the user may have closed it
            cv2.destroyWindow(self.title)


def _require_display() -> None:
    """Refuse before OpenCV is asked: its Qt build does not raise without a screen, it ends the process."""
    if any(line.split() == ["GUI:", "NONE"] for line in cv2.getBuildInformation().splitlines()):
        raise ValueError(
            "--show needs an OpenCV with windows, and this is its headless build. Replace it by the same version:\n"
            f"  pip install --force-reinstall --no-deps opencv-python=={_opencv_release()}"
        )
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ValueError(
            "--show needs a screen, and neither DISPLAY nor WAYLAND_DISPLAY is set. Leave --show out; the results are "
            "files. On another machine's screen: ssh -X. (It also needs a display build of OpenCV: "
            f"pip install --force-reinstall --no-deps opencv-python=={_opencv_release()})"
        )


def _opencv_release() -> str:
    """The release that pip knows (4.11.0.86); cv2 itself leaves the last number out."""
    for package in ("opencv-python-headless", "opencv-python"):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return cv2.__version__
