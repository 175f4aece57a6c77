"""Rendered pictures as files in the layouts of CULane and TuSimple."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from lanenet_sad.datasets.base import draw_lane_mask
from lanenet_sad.datasets.synthetic.cross_sections import Difficulty
from lanenet_sad.datasets.synthetic.draws import scene_rng
from lanenet_sad.datasets.synthetic.render import render_scene
from lanenet_sad.datasets.synthetic.scene import draw_scene
from lanenet_sad.lanes.files import (
    CULaneListEntry,
    replacing,
    write_culane_lines,
    write_culane_list,
)
from lanenet_sad.lanes.lane import Image, IntMask, Lane, LanePrediction, LaneType
from lanenet_sad.lanes.tusimple_files import tusimple_rows, write_tusimple

Layout = Literal["culane", "tusimple"]
Split = Literal["train", "val", "test"]

# Every split has its own range of scenes, so that a larger training set leaves the test set as it is.
FIRST_INDEX: dict[Split, int] = {"train": 0, "val": 10_000_000, "test": 20_000_000}
JPEG_QUALITY = 92
LANE_TYPES = "lane_types.jsonl"

_CULANE_CATEGORIES = {
    "normal": "test0_normal",
    "crowd": "test1_crowd",
    "dazzle": "test2_hlight",
    "shadow": "test3_shadow",
    "noline": "test4_noline",
    "arrow": "test5_arrow",
    "curve": "test6_curve",
    "night": "test8_night",
}
_TUSIMPLE_FILES: dict[Split, tuple[str, ...]] = {
    "train": ("label_data_0313.json", "label_data_0601.json"),
    "val": ("label_data_0531.json",),
    "test": ("test_label.json",),
}
_TUSIMPLE_DAYS: dict[Split, str] = {"train": "0313-1", "val": "0531", "test": "0530"}


@dataclass(frozen=True)
class ImageJob:
    """One picture to be written.

    Attributes:
        root: folder of the benchmark.
        layout: whose layout.
        split: which split.
        number: of the picture in its split.
        seed: of the set.
        image_size: (height, width) in pixels.
        difficulty: `easy` or `mixed`.
        num_lanes: lane slots.
        masks: whether to write a lane mask (CULane's layout alone has them).
        keep: leave files alone that are there.
    """

    root: Path
    layout: Layout
    split: Split
    number: int
    seed: int
    image_size: tuple[int, int]
    difficulty: Difficulty
    num_lanes: int
    masks: bool
    keep: bool

    @property
    def name(self) -> str:
        """The picture's name in lists and label files."""
        if self.layout == "tusimple":
            return f"clips/{_TUSIMPLE_DAYS[self.split]}/{self.number:05d}/20.jpg"
        return f"/synthetic/seed{self.seed:04d}_{self.split}/{self.number:05d}.jpg"

    @property
    def image_path(self) -> Path:
        """The picture's file."""
        return self.root / self.name.lstrip("/")

    @property
    def mask_name(self) -> str:
        """The lane mask's name in CULane's lists."""
        return f"/laneseg_label_w16{self.name.removesuffix('.jpg')}.png"


@dataclass(frozen=True, eq=False)
class WrittenImage:
    """What the lists say about a picture that is on disk.

    Attributes:
        job: what was asked for.
        truth: the labelled lanes that have a slot.
        lane_types: what kind of line each lane of `truth` is, in the same order.
        category: of the scene, see `Scene.category`.
        was_there: whether the files were there already.
    """

    job: ImageJob
    truth: LanePrediction
    lane_types: tuple[LaneType, ...]
    category: str
    was_there: bool


def write_image(job: ImageJob) -> WrittenImage:
    """Renders one picture and writes it with its labels; the picture comes last, so that it vouches for them.

    Raises:
        OSError: a folder cannot be written to.
    """
    index = FIRST_INDEX[job.split] + job.number
    size, difficulty, num_lanes = job.image_size, job.difficulty, job.num_lanes
    if job.keep and job.image_path.exists():
        drawn = draw_scene(scene_rng(job.seed, index), size, difficulty)
        labels = drawn.labels(drawn.view(), num_lanes)
        truth, types = _truth(job, labels.lanes), _kept_types(labels.lanes, labels.types)
        return WrittenImage(job, truth, types, drawn.category(labels), was_there=True)
    scene = render_scene(job.seed, index, image_size=size, difficulty=difficulty, num_lanes=num_lanes)
    truth, types = _truth(job, scene.lanes), _kept_types(scene.lanes, scene.lane_types)
    if job.layout == "culane":
        if job.masks:
            write_picture(job.root / job.mask_name.lstrip("/"), draw_lane_mask(truth))
        write_culane_lines(job.image_path.with_suffix(".lines.txt"), truth.lanes)
    write_picture(job.image_path, scene.image)
    return WrittenImage(job, truth, types, scene.category, was_there=False)


def write_picture(path: Path, picture: Image | IntMask) -> None:
    """Writes an RGB picture or a mask, whole or not at all.

    Raises:
        OSError: the folder cannot be written to.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(encoded(picture, path.suffix))


def encoded(picture: Image | IntMask, suffix: str) -> bytes:
    """The content of a picture's or a mask's file, `.jpg` or `.png`."""
    pixels = picture[..., ::-1] if picture.ndim == 3 else picture
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 6]
    _, code = cv2.imencode(suffix, np.ascontiguousarray(pixels), options)
    return code.tobytes()


def write_culane_index(root: Path, images: Sequence[WrittenImage]) -> None:
    """Writes `list/`: all splits with and without labels, and the test split by category."""
    folder = root / "list"
    for split in FIRST_INDEX:
        members = [image for image in images if image.job.split == split]
        if split != "test":
            _write_list(folder / f"{split}_gt.txt", [_entry(image) for image in members])
        _write_list(folder / f"{split}.txt", _names(members))
    tests = [image for image in images if image.job.split == "test"]
    for category, name in _CULANE_CATEGORIES.items():
        members = [image for image in tests if image.category == category]
        _write_list(folder / "test_split" / f"{name}.txt", _names(members))
    _write_lane_types(root, images)


def write_tusimple_index(root: Path, images: Sequence[WrittenImage]) -> None:
    """Writes TuSimple's label files: JSON lines with x at rows 160, 170, ... 710 of 720, in proportion at others."""
    for split, files in _TUSIMPLE_FILES.items():
        members = [image.truth for image in images if image.job.split == split]
        half = -(-len(members) // len(files))
        for number, file in enumerate(files):
            part = members[number * half : (number + 1) * half]
            if part:
                write_tusimple(root / file, part)
            else:
                (root / file).unlink(missing_ok=True)
    _write_lane_types(root, images)


def _write_lane_types(root: Path, images: Sequence[WrittenImage]) -> None:
    """Writes `lane_types.jsonl`, which no benchmark asks for: per picture its lanes' slots, styles and colours."""
    with replacing(root / LANE_TYPES) as temporary, temporary.open("w", encoding="utf-8") as file:
        for image in images:
            lanes = [
                {"slot": lane.slot, "style": lane_type.style, "colour": lane_type.colour}
                for lane, lane_type in zip(image.truth.lanes, image.lane_types, strict=True)
            ]
            file.write(json.dumps({"image": image.job.name, "lanes": lanes}) + "\n")


def _write_list(path: Path, entries: Sequence[CULaneListEntry]) -> None:
    """Writes a list; an empty one is no list, and one of an earlier, larger set goes."""
    if entries:
        write_culane_list(path, entries)
    else:
        path.unlink(missing_ok=True)


def _names(images: Iterable[WrittenImage]) -> list[CULaneListEntry]:
    return [CULaneListEntry(image.job.name) for image in images]


def _entry(image: WrittenImage) -> CULaneListEntry:
    present = {lane.slot for lane in image.truth.lanes}
    flags = tuple(int(slot in present) for slot in range(1, image.job.num_lanes + 1))
    return CULaneListEntry(image.job.name, image.job.mask_name, flags)


def _truth(job: ImageJob, lanes: Sequence[Lane]) -> LanePrediction:
    """The lanes that the layout can hold: those with a slot."""
    rows = None
    if job.layout == "tusimple":
        rows = tusimple_rows(job.image_size[0])
    kept = tuple(lane for lane in lanes if lane.slot is not None)
    return LanePrediction(kept, job.image_size, job.name, row_anchors=rows)


def _kept_types(lanes: Sequence[Lane], types: Sequence[LaneType]) -> tuple[LaneType, ...]:
    """The types of the lanes that `_truth` keeps."""
    return tuple(kind for lane, kind in zip(lanes, types, strict=True) if lane.slot is not None)
