"""Labelme's JSON files, read: one for each picture."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from lanenet_sad.lanes.json_files import read_json
from lanenet_sad.lanes.label_pictures import (
    LabelledLine,
    LabelledPicture,
    checked_points,
    drawn_line,
    picture_name,
    picture_size,
)


def is_labelme(content: object) -> bool:
    """Whether a JSON value is that of a labelme file."""
    return isinstance(content, dict) and "shapes" in content and ("imagePath" in content or "version" in content)


def read_labelme(path: str | Path) -> LabelledPicture:
    """What a labelme file says: `linestrip` and `line` as they are, of a `polygon` its centre line.

    Other shapes and those of a single point are passed over. A file without shapes is a picture without lanes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is none of labelme's, or one of its shapes is broken; the message names it.
    """
    what = f"Labelme file {path}"
    content = read_json(Path(path), what, "Check the path.")
    if not is_labelme(content) or not isinstance(content["shapes"], list):
        raise ValueError(f"{what}: expected an object with a list of `shapes`, as labelme writes it.")
    lines: list[LabelledLine] = []
    passed_over: list[str] = []
    for number, shape in enumerate(content["shapes"], 1):
        where = f"{what}, shape {number}"
        if not isinstance(shape, dict):
            raise ValueError(f"{where}: expected an object, got {type(shape).__name__}.")
        label, kind = str(shape.get("label")), shape.get("shape_type") or "polygon"
        if kind not in ("linestrip", "line", "polygon"):
            passed_over.append(f"{label} ({kind})")
            continue
        line = drawn_line(label, checked_points(shape.get("points"), where), closed=kind == "polygon")
        if line is None:
            passed_over.append(f"{label} ({kind} of a single point)")
        else:
            lines.append(line)
    name = picture_name(content.get("imagePath") or f"{Path(path).stem}.jpg", f"{what}, imagePath")
    size = picture_size(content.get("imageHeight"), content.get("imageWidth"), f"{what}, imageHeight and imageWidth")
    return LabelledPicture(name, tuple(lines), size, tuple(passed_over), _embedded(content.get("imageData"), what))


def _embedded(data: object, what: str) -> bytes | None:
    if not data:
        return None
    try:
        return base64.b64decode(str(data), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{what}, imageData: expected a picture in base64; it cannot be decoded: {error}.") from error
