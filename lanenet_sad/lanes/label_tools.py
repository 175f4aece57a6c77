"""First labels for labelling programs: predicted lanes as lines that a person corrects in labelme or CVAT."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lanenet_sad.lanes.curves import thin
from lanenet_sad.lanes.files import replacing
from lanenet_sad.lanes.lane import Lane, LanePrediction, Points

LABELME_VERSION = "5.5.0"
"""The version whose file form is written; labelme 5 reads every other 5.x without a word."""


def write_labelme(path: str | Path, prediction: LanePrediction, image: str | Path) -> None:
    """Writes a picture's lanes as labelme keeps them: a `linestrip` for each, labelled `lane_<slot>`.

    Points are thinned (see `thin`) to a number that a person can drag, in pixels with two decimals. The confidence
    stands in the description. A picture without lanes gets a file without shapes.

    Args:
        path: of the JSON file.
        prediction: its lanes and size; lanes of fewer than two points are left out.
        image: the original picture; the JSON names it relative to its own folder, so labelme opens that one.

    Raises:
        OSError: the folder cannot be written to.
    """
    height, width = prediction.image_size
    content: dict[str, object] = {
        "version": LABELME_VERSION,
        "flags": {},
        "shapes": [
            {
                "label": "lane" if lane.slot is None else f"lane_{lane.slot}",
                "points": points.tolist(),
                "group_id": None,
                "description": f"confidence {lane.confidence:.2f}",
                "shape_type": "linestrip",
                "flags": {},
            }
            for lane, points in _drawn(prediction)
        ],
        "imagePath": _path_from(Path(path).parent, Path(image)),
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    with replacing(path) as temporary:
        # labelme reads in the encoding of the computer's language, so any letters are written in ASCII
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="ascii")


def write_cvat(path: str | Path, predictions: Iterable[LanePrediction]) -> None:
    """Writes the lanes of pictures as "CVAT for images 1.1": a `polyline` labelled `lane` for each.

    Points as in `write_labelme`. Slot and confidence are attributes, which CVAT leaves out where a task's label has
    none of these names.

    Args:
        path: of the XML file.
        predictions: in the order of the task's pictures, under the names that these have in CVAT: paths below the
            uploaded folder; `frame_000007` for frames of a video.

    Raises:
        OSError: the folder cannot be written to.
    """
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    for number, prediction in enumerate(predictions):
        height, width = prediction.image_size
        where = {"id": str(number), "name": prediction.name, "width": str(width), "height": str(height)}
        image = ET.SubElement(root, "image", where)
        for lane, points in _drawn(prediction):
            drawn = ";".join(f"{x:.2f},{y:.2f}" for x, y in points.tolist())
            form = {"label": "lane", "source": "auto", "occluded": "0", "points": drawn, "z_order": "0"}
            line = ET.SubElement(image, "polyline", form)
            if lane.slot is not None:
                ET.SubElement(line, "attribute", name="slot").text = str(lane.slot)
            ET.SubElement(line, "attribute", name="confidence").text = f"{lane.confidence:.2f}"
    ET.indent(root)
    with replacing(path) as temporary:
        ET.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)


def _drawn(prediction: LanePrediction) -> list[tuple[Lane, Points]]:
    """The lanes that make a line, with the points to draw."""
    lines = [(lane, np.round(thin(lane.points), 2)) for lane in prediction.lanes]
    return [(lane, points) for lane, points in lines if len(points) >= 2]


def _path_from(folder: Path, file: Path) -> str:
    """A file as seen from a folder, with slashes; its whole path where there is no way, as between two drives."""
    target = file.parent.resolve() / file.name
    try:
        return Path(os.path.relpath(target, folder.resolve())).as_posix()
    except ValueError:
        return target.as_posix()
