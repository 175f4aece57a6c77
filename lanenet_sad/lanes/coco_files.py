"""COCO's JSON files, read: areas, lines and run-length masks of many pictures."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lanenet_sad.lanes.centre_lines import centre_line, is_open_line
from lanenet_sad.lanes.curves import near_to_far
from lanenet_sad.lanes.json_files import read_json
from lanenet_sad.lanes.label_pictures import (
    LabelFile,
    LabelledLine,
    LabelledPicture,
    checked_points,
    drawn_line,
    picture_name,
    picture_size,
)
from lanenet_sad.lanes.lane import IntMask, Points

MOST_PIXELS = 1 << 27  # of a mask


def is_coco(content: object) -> bool:
    """Whether a JSON value is that of a COCO file."""
    return isinstance(content, dict) and isinstance(content.get("images"), list) and "annotations" in content


def read_coco(path: str | Path) -> LabelFile:
    """What a COCO file says: one lane for each annotation.

    `keypoints` that are labelled are a line. A polygon of `segmentation` gives its centre line, or is a line itself
    where its points run on without turning back; several of one annotation (dashes, parts behind a car) are joined
    near to far. A run-length mask, compressed or not, is taken as its outlines. Every picture of `images` was looked
    at; an annotation with neither (a box) is passed over.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no COCO JSON; the message names it. A picture with a broken annotation is among the
            `faults` instead.
    """
    what = f"COCO file {path}"
    content = read_json(Path(path), what, "Check the path.")
    if not is_coco(content) or not isinstance(content["annotations"], list):
        raise ValueError(f"{what}: expected an object with the lists `images` and `annotations`.")
    names = _category_names(content.get("categories"))
    by_image: defaultdict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    faults = []
    for number, annotation in enumerate(content["annotations"], 1):
        if isinstance(annotation, dict):
            by_image[_key(annotation.get("image_id"))].append((number, annotation))
        else:
            faults.append(f"{what}, annotation {number}: expected an object, got {type(annotation).__name__}.")
    pictures = []
    for number, image in enumerate(content["images"], 1):
        where = f"{what}, image {number}"
        if not isinstance(image, dict):
            faults.append(f"{where}: expected an object, got {type(image).__name__}.")
            continue
        annotations = by_image.pop(_key(image.get("id")), [])
        try:
            pictures.append(_picture(image, annotations, names, what, where))
        except ValueError as error:
            faults.append(str(error))
    if by_image:
        count = sum(map(len, by_image.values()))
        faults.append(f"{what}: {count} annotations name an image_id that is not among `images`.")
    return LabelFile(tuple(pictures), tuple(faults))


def _picture(
    image: dict[str, Any], annotations: list[tuple[int, dict[str, Any]]], names: dict[str, str], what: str, where: str
) -> LabelledPicture:
    name = picture_name(image.get("file_name"), f"{where}, file_name")
    size = picture_size(image.get("height"), image.get("width"), where)
    lines, passed_over = [], []
    for number, annotation in annotations:
        label = names.get(_key(annotation.get("category_id")), str(annotation.get("category_id")))
        line = _line(label, annotation, f"{what}, annotation {number}")
        if line is None:
            passed_over.append(f"{label} (no line or area)")
        else:
            lines.append(line)
    return LabelledPicture(name, tuple(lines), size, tuple(passed_over))


def _line(label: str, annotation: dict[str, Any], where: str) -> LabelledLine | None:
    keypoints, segmentation = annotation.get("keypoints"), annotation.get("segmentation")
    if keypoints:
        triples = _grouped(keypoints, 3, f"{where}, keypoints")
        return drawn_line(label, checked_points([row[:2] for row in triples if row[2]], f"{where}, keypoints"))
    if not segmentation:
        return None
    where = f"{where}, segmentation"
    if isinstance(segmentation, dict):
        parts = [centre_line(outline) for outline in _outlines(_mask(segmentation, where))]
    elif isinstance(segmentation, list):
        rings = segmentation if isinstance(segmentation[0], list) else [segmentation]
        outlines = [checked_points(_grouped(ring, 2, where), where) for ring in rings]
        parts = [outline if is_open_line(outline) else centre_line(outline) for outline in outlines]
    else:
        raise ValueError(f"{where}: expected a list of polygons or a run-length mask.")
    parts = [near_to_far(part) for part in parts if len(part)]
    parts.sort(key=lambda part: -float(part[0, 1]))
    return drawn_line(label, np.concatenate(parts)) if parts else None


def _mask(segmentation: dict[str, Any], where: str) -> IntMask:
    """The mask of run lengths down the columns, zeros first."""
    size, counts = segmentation.get("size"), segmentation.get("counts")
    shape = picture_size(size[0], size[1], where) if isinstance(size, list) and len(size) == 2 else None
    if shape is None or shape[0] * shape[1] > MOST_PIXELS:
        raise ValueError(f"{where}: expected the size of a mask, height and width, got {str(size)[:60]}.")
    runs = _uncompressed(counts, where) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and 0 <= run <= MOST_PIXELS for run in runs):
        raise ValueError(f"{where}: expected run lengths in `counts`.")
    if sum(runs) != shape[0] * shape[1]:
        raise ValueError(f"{where}: expected runs for {shape[0]}x{shape[1]} pixels, got {sum(runs)}.")
    values = np.arange(len(runs)) % 2
    return np.repeat(values.astype(np.uint8), runs).reshape(shape[::-1]).T.copy()


def _uncompressed(text: str, where: str) -> list[int]:
    """COCO's compressed run lengths: six bits a character, five of them the number, from the third on differences."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 30:
            raise ValueError(f"{where}: expected compressed run lengths, got the character {character!r}.")
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            if code & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def _outlines(mask: IntMask) -> list[Points]:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [contour.reshape(-1, 2).astype(np.float64) for contour in contours if len(contour) > 2]


def _grouped(values: object, number: int, where: str) -> list[list[Any]]:
    if not isinstance(values, list) or len(values) % number:
        raise ValueError(f"{where}: expected a list of numbers in groups of {number}.")
    return [values[start : start + number] for start in range(0, len(values), number)]


def _category_names(categories: object) -> dict[str, str]:
    rows = categories if isinstance(categories, list) else []
    return {_key(row.get("id")): str(row.get("name")) for row in rows if isinstance(row, dict)}


def _key(value: object) -> str:
    """Ids are numbers or text, and some programs mix the two."""
    return str(value)
