"""Calibration files: OpenCV's YAML and JSON, ROS's camera_info YAML, and ours, which adds where the camera hangs."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from lanenet_sad.lanes.files import read_text, replacing
from lanenet_sad.lanes.perspective import CameraCalibration

SUFFIXES = (".yaml", ".yml", ".json")

_MATRIX = ("camera_matrix", "cameraMatrix", "K", "k")
_DISTORTION = ("distortion_coefficients", "distCoeffs", "dist_coeffs", "D", "d")
_MOUNTING = ("height", "pitch", "yaw", "roll", "pitch_error", "yaw_error")
_FISHEYE = ("equidistant", "fisheye")
_LARGEST_SKEW = 1e-3  # px: below that rounding left it
_FARTHEST_CENTRE = 0.25  # of the picture's size, by which an axis may miss its middle


_Loader: Any = type("_Loader", (yaml.SafeLoader,), {})  # reads OpenCV's matrices as mappings
_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", lambda loader, node: loader.construct_mapping(node, True))


def read_calibration(path: str | Path) -> CameraCalibration:
    """The camera of a calibration file.

    What has to be in it: `image_width`, `image_height` and `camera_matrix`, as OpenCV's `FileStorage` writes it in YAML
    or JSON, as ROS does (`rows`, `cols`, `data`) or as nested lists. What may be: `distortion_coefficients`; as plain
    numbers `height` (metres), `pitch`, `yaw`, `roll`, `pitch_error`, `yaw_error` (radians); `scale` (`calibration` or
    `assumed`) and `origin`. Other keys are not looked at; see docs/geometry.md.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is of another kind, or something is missing, no number, or impossible; the message says what.
    """
    path = Path(path)
    what = f"Camera calibration {path}"
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{what}: expected a file that ends in {', '.join(SUFFIXES)}, got {path.suffix or 'none'}.")
    content = _content(path, what)
    matrix = _matrix(content, what)
    if "width" in content and "image_width" not in content:  # a message on ROS's camera_info, whose height is in pixels
        sides = {"image_height": content.get("height"), "image_width": content["width"]}
        content = {key: value for key, value in content.items() if key != "height"} | sides
    rows, columns = (_image_side(content, key, what) for key in ("image_height", "image_width"))
    mounting = {key: _number(content, key, what) for key in _MOUNTING}
    scale = content.get("scale", "calibration")
    if scale not in ("calibration", "assumed"):
        raise ValueError(f"{what}, scale: expected calibration or assumed, got {scale!r}.")
    try:
        camera = CameraCalibration(
            (rows, columns),
            (float(matrix[0, 0]), float(matrix[1, 1])),
            (float(matrix[0, 2]), float(matrix[1, 2])),
            _distortion(content, what),
            height=mounting["height"],
            pitch=mounting["pitch"],
            yaw=mounting["yaw"] or 0.0,
            roll=mounting["roll"] or 0.0,
            pitch_error=mounting["pitch_error"],
            yaw_error=mounting["yaw_error"],
            scale=scale,
            origin=str(content.get("origin", path.name)),
        )
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
    _check_centre(camera, what)
    return camera


def write_calibration(path: str | Path, camera: CameraCalibration) -> None:
    """Writes a calibration file as OpenCV's `FileStorage` does, the inverse of `read_calibration`.

    What is unknown is left out.

    Args:
        path: ends in .yaml, .yml or .json.
        camera: to write.

    Raises:
        ValueError: the path ends in something else.
        OSError: the folder cannot be written to.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"Camera calibration {path}: expected a name that ends in {', '.join(SUFFIXES)}.")
    with replacing(path) as temporary:
        temporary.touch()  # where that is not possible it says why, which OpenCV does not
        storage = cv2.FileStorage(str(temporary), cv2.FILE_STORAGE_WRITE)
        storage.write("image_width", camera.image_size[1])
        storage.write("image_height", camera.image_size[0])
        storage.write("camera_matrix", camera.camera_matrix)
        storage.write("distortion_coefficients", np.array(camera.distortion or (0.0,) * 5).reshape(1, -1))
        for key in _MOUNTING:
            value = getattr(camera, key)
            if value is not None and not (key in ("yaw", "roll") and camera.pitch is None and value == 0):
                storage.write(key, float(value))
        storage.write("scale", camera.scale)
        storage.write("origin", camera.origin or "unknown")
        storage.release()


def _content(path: Path, what: str) -> Mapping[str, Any]:
    text = read_text(path, what, "`lanenet-sad calibrate` writes one.")
    if path.suffix.lower() == ".json":
        try:
            content = json.loads(re.sub(r"(\d)\.(?=[\s,\]}])", r"\1.0", text))  # OpenCV writes 0. for 0.0
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{what}: expected JSON, got {text[:40]!r} ({error}).") from error
    else:
        try:
            content = yaml.load(re.sub(r"\A%YAML.*", "", text), Loader=_Loader)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            problem = str(getattr(error, "problem", None) or error)
            raise ValueError(f"{what}: expected YAML, got {text[:40]!r} ({problem}).") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{what}: expected keys such as camera_matrix and image_width, got {str(content)[:40]!r}.")
    return content


def _matrix(content: Mapping[str, Any], what: str) -> NDArray[np.float64]:
    value = _first(content, _MATRIX)
    if value is None:
        keys = ", ".join(map(str, content)) or "none"
        raise ValueError(f"{what}: expected a camera_matrix (3x3), got the keys {keys:.200}.")
    numbers = _numbers(value, f"{what}, camera_matrix")
    if len(numbers) != 9:
        raise ValueError(f"{what}, camera_matrix: expected 3x3 numbers, got {len(numbers)}.")
    matrix = np.array(numbers).reshape(3, 3)
    if not np.allclose(matrix[[1, 2, 2, 2], [0, 0, 1, 2]], [0, 0, 0, 1], atol=1e-6):
        raise ValueError(f"{what}, camera_matrix: expected [[fx 0 cx] [0 fy cy] [0 0 1]], got {matrix.tolist()}.")
    if abs(matrix[0, 1]) > _LARGEST_SKEW:
        raise ValueError(
            f"{what}, camera_matrix: expected [[fx 0 cx] [0 fy cy] [0 0 1]], got a skew of {matrix[0, 1]:g} in its "
            f"first row; calibrate without one, as `lanenet-sad calibrate` does."
        )
    return matrix


def _distortion(content: Mapping[str, Any], what: str) -> tuple[float, ...]:
    model = str(content.get("distortion_model", ""))
    if model.lower() in _FISHEYE:
        raise ValueError(
            f"{what}: expected OpenCV's standard or rational lens model (plumb_bob, rational_polynomial), got "
            f"{model}, that of a fisheye; calibrate with `lanenet-sad calibrate --lens rational`."
        )
    value = _first(content, _DISTORTION)
    return () if value is None else tuple(_numbers(value, f"{what}, distortion_coefficients"))


def _image_side(content: Mapping[str, Any], key: str, what: str) -> int:
    value = content.get(key)
    if value is None:
        raise ValueError(
            f"{what}: expected image_width and image_height, the size in pixels of the pictures that it was made with, "
            f"but {key} is missing; add it."
        )
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1 or value != int(value):
        raise ValueError(f"{what}, {key}: expected a number of pixels, got {value!r}.")
    return int(value)


def _number(content: Mapping[str, Any], key: str, what: str) -> float | None:
    value = content.get(key)
    return None if value is None else _numbers([value], f"{what}, {key}")[0]


def _numbers(value: Any, where: str) -> list[float]:
    """The finite numbers of a matrix, however it is nested."""
    if isinstance(value, Mapping):
        value = value.get("data")
    flat: list[Any] = [value]
    while any(isinstance(one, list | tuple) for one in flat):
        flat = [one for each in flat for one in (each if isinstance(each, list | tuple) else [each])]
    try:
        numbers = [math.nan if isinstance(one, bool) else float(one) for one in flat]
    except (TypeError, ValueError):
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{where}: expected finite numbers, got {str(value)[:60]}.")
    return numbers


def _first(content: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((content[key] for key in keys if content.get(key) is not None), None)


def _check_centre(camera: CameraCalibration, what: str) -> None:
    """Refuse numbers that are for pictures of another size, the usual mistake in a file made by hand."""
    size = np.array(camera.image_size[::-1])
    off = np.abs((np.array(camera.centre) - (size - 1) / 2) / size).max()
    if off > _FARTHEST_CENTRE:
        raise ValueError(
            f"{what}: expected an optical axis near the middle of {size[0]}x{size[1]} pixels, got {camera.centre}; "
            f"image_width and image_height have to be those of the pictures that camera_matrix was made with."
        )
