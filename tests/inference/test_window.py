import cv2
import numpy as np
import pytest

from lanenet_sad.inference import window
from lanenet_sad.inference.window import Window


def test_headless_opencv_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           NONE\n")
    with pytest.raises(ValueError, match=r"pip install --force-reinstall --no-deps opencv-python==\d+\.\d+\.\d+"):
        Window("lanes")


def test_missing_screen_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:   QT5\n")
    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(ValueError, match="neither DISPLAY nor WAYLAND_DISPLAY is set"):
        Window("lanes")


def test_window_that_will_not_open_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise cv2.error("no backend")

    monkeypatch.setattr(window, "_require_display", lambda: None)
    monkeypatch.setattr(cv2, "namedWindow", refuse)
    with pytest.raises(ValueError, match="cannot open a window: no backend"):
        Window("lanes")


@pytest.mark.parametrize(
    ("key", "visible", "goes_on"),
    [(-1, 1.0, True), (ord("x"), 1.0, True), (ord("q"), 1.0, False), (27, 1.0, False), (-1, 0.0, False)],
    ids=["no-key", "other-key", "q", "escape", "closed"],
)
def test_window_shows_until_the_user_quits(
    monkeypatch: pytest.MonkeyPatch, key: int, visible: float, goes_on: bool
) -> None:
    shown, sizes, closed = [], [], []
    monkeypatch.setattr(window, "_require_display", lambda: None)
    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "resizeWindow", lambda _, *size: sizes.append(size))
    monkeypatch.setattr(cv2, "imshow", lambda _, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda _: key)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: visible)
    monkeypatch.setattr(cv2, "destroyWindow", closed.append)
    with Window("lanes") as screen:
        assert screen.show(np.full((1440, 2560, 3), (220, 30, 60), np.uint8)) is goes_on
    assert tuple(shown[0][0, 0]) == (60, 30, 220)  # OpenCV shows BGR
    assert sizes == [(1280, 720)]
    assert closed == ["lanes"]
