"""Writes pictures and their lanes as a dataset in CULane's layout."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from lanenet_sad.lanes.files import (
    CULaneListEntry,
    lines_path,
    read_text,
    relative_name,
    replacing,
    write_culane_lines,
    write_culane_list,
)
from lanenet_sad.lanes.images import image_size, read_image
from lanenet_sad.lanes.lane import Image, IntMask, Lane
from lanenet_sad.lanes.raster import draw_lanes, label_line_width
from lanenet_sad.lanes.slots import bottom_crossing, slots_by_geometry

RECORD = "convert.json"
MASKS = "laneseg_label_w16"


class CULaneWriter:
    """The folder of a dataset that is being written: pictures, `*.lines.txt`, masks, and at the end the lists.

    A file `convert.json` keeps a digest of every label file that was written. So a second run replaces what the first
    one wrote, but never a label, mask or list that somebody has changed since, nor a folder of other origin.

    Args:
        root: the folder; made when the first picture is written.
        num_lanes: L, the number of lane slots.
        masks: draw the masks of the lanes and name them in the lists, with existence flags.
        line_width: of the masks, in pixels at a picture's width of 1640.
        copy: copy the pictures; otherwise symbolic links to them are made.

    Raises:
        ValueError: the folder has other files, or an argument has no meaning.
    """

    def __init__(
        self, root: Path, *, num_lanes: int = 4, masks: bool = True, line_width: int = 16, copy: bool = True
    ) -> None:
        if not 1 <= num_lanes < 255 or line_width < 1:
            raise ValueError(
                f"CULane layout: expected 1 to 254 lane slots and a line at least 1 px wide, got {num_lanes} slots and "
                f"{line_width} px."
            )
        self.root = root
        self.num_lanes = num_lanes
        self.masks = masks
        self.line_width = line_width
        self.copy = copy
        self._digests = _read_record(root)
        self._entries: dict[str, list[CULaneListEntry]] = {}

    def __enter__(self) -> CULaneWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        """Keeps the digests of what was written, also when it was interrupted."""
        if self._digests:
            self._write_record()

    def add(
        self,
        split: str,
        name: str,
        picture: Path | bytes | Image,
        lanes: Sequence[Lane],
        *,
        label_size: tuple[int, int] | None = None,
        drawn_upright: bool = False,
    ) -> list[Lane]:
        """Writes one picture with its lanes.

        Args:
            split: train, val, ..., the stem of the list that it goes into.
            name: below the root, with slashes, without spaces.
            picture: its file, the bytes of its file, or the pixels.
            lanes: in any order; if none of them has a slot, slots are given by geometry.
            label_size: (height, width) of the picture that the lanes were drawn on. If only the picture as turned by
                its EXIF orientation has that size, it is written turned.
            drawn_upright: the program that they were drawn with turns pictures by their EXIF orientation: decides
                where both ways have that size, or no size is given.

        Returns:
            The lanes from left to right, each with its slot or None.

        Raises:
            FileNotFoundError: there is no such picture.
            ValueError: the picture is broken or of another size than the label says, slots do not run from left to
                right, or a file that was changed since would be replaced.
        """
        below = relative_name(name)
        turned, size = self._check_picture(picture, label_size, drawn_upright)
        placed = _left_to_right(lanes, size, self.num_lanes)
        slotted = [lane for lane in placed if lane.slot is not None]
        _check_order(slotted, below)
        lines = lines_path(self.root, below)
        self._place(lines, lambda path: write_culane_lines(path, placed))
        entry = CULaneListEntry(f"/{below}")
        if self.masks:
            mask = f"{MASKS}/{Path(below).with_suffix('.png').as_posix()}"
            width = label_line_width(size[1], self.line_width)
            self._place(self.root / mask, lambda path: _write_png(path, draw_lanes(slotted, size, line_width=width)))
            flags = tuple(int(slot in {lane.slot for lane in slotted}) for slot in range(1, self.num_lanes + 1))
            entry = CULaneListEntry(f"/{below}", f"/{mask}", flags)
        self._write_picture(self.root / below, picture if turned is None else turned)
        self._entries.setdefault(split, []).append(entry)
        return placed

    def write_lists(self) -> list[str]:
        """Writes `list/<split>_gt.txt` (with masks) and `list/<split>.txt`; returns a sentence for each one kept."""
        faults = []
        for split, entries in self._entries.items():
            for name, rows in (
                (f"{split}_gt", entries),
                (split, [CULaneListEntry(entry.image) for entry in entries]),
            ):
                try:
                    self._place(self.root / "list" / f"{name}.txt", partial(write_culane_list, entries=rows))
                except ValueError as error:
                    faults.append(str(error))
        return faults

    def _check_picture(
        self, picture: Path | bytes | Image, label_size: tuple[int, int] | None, drawn_upright: bool
    ) -> tuple[Image | None, tuple[int, int]]:
        """The picture to write in the place of the given one, if any, and the size of what is written."""
        if isinstance(picture, np.ndarray):
            return None, (int(picture.shape[0]), int(picture.shape[1]))
        with _as_file(picture) as path:
            size = image_size(path)
            stored = read_image(path, min_size=(1, 1))  # a broken picture is better found now than in training
            turned = read_image(path, min_size=(1, 1), upright=True)
            upright = None if np.array_equal(stored, turned) else read_image(path, upright=True)
        if upright is not None:
            upright_size = (int(upright.shape[0]), int(upright.shape[1]))
            fits = label_size is None or label_size == upright_size
            if fits and (drawn_upright or (label_size is not None and label_size != size)):
                return upright, upright_size
        if label_size is None or label_size == size:
            return None, size
        expected, got = (f"{height}x{width}" for height, width in (label_size, size))
        where = picture if isinstance(picture, Path) else "inside the label file"
        raise ValueError(
            f"Picture {where}: its label was drawn on {expected} pixels (height x width), but it has {got}. "
            f"Give the pictures that were labelled."
        )

    def _write_picture(self, target: Path, picture: Path | bytes | Image) -> None:
        if isinstance(picture, np.ndarray):
            _write_image(target, picture)
        elif isinstance(picture, bytes):
            with replacing(target) as temporary:
                temporary.write_bytes(picture)
        elif not self.copy:
            with replacing(target) as temporary:
                temporary.symlink_to(picture.resolve())
        elif not _is_same(target, picture):
            with replacing(target) as temporary:
                shutil.copy2(picture, temporary)

    def _place(self, path: Path, write: Callable[[Path], None]) -> None:
        """Writes a label file, unless somebody has changed the one that is there."""
        key = path.relative_to(self.root).as_posix()
        if not (self.root / RECORD).exists():
            self._write_record()  # first of all, so that a run that is cut off can be repeated
        with replacing(path) as temporary:
            write(temporary)
            data = temporary.read_bytes()
            if path.exists():
                there = path.read_bytes()
                if there != data and _digest(there) != self._digests.get(key):
                    raise ValueError(
                        f"{path} was changed after it was written, and is kept as it is; remove it to have it written "
                        f"anew, or choose another --out."
                    )
        self._digests[key] = _digest(data)

    def _write_record(self) -> None:
        with replacing(self.root / RECORD) as temporary:
            record = {"written_by": "lanenet-sad convert", "digests": dict(sorted(self._digests.items()))}
            temporary.write_text(json.dumps(record, indent=0) + "\n", encoding="utf-8")


@contextmanager
def _as_file(picture: Path | bytes) -> Iterator[Path]:
    """The file of a picture; a passing one for the bytes of a file."""
    if isinstance(picture, Path):
        yield picture
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        path.write_bytes(picture)
        yield path


def _read_record(root: Path) -> dict[str, str]:
    """Digests of an earlier run; ValueError for a folder with anything in it that no earlier run made."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return {}
    record = root / RECORD
    if not record.is_file():
        raise ValueError(
            f"--out {root}: this is no empty folder, and `convert` did not write it, so labels in it could be lost; "
            f"choose a new folder."
        )
    try:
        digests = json.loads(read_text(record, f"Record {record}", ""))["digests"]
        return {str(name): str(digest) for name, digest in digests.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{record}: expected what `convert` wrote there; choose a new folder for --out.") from error


def _left_to_right(lanes: Sequence[Lane], size: tuple[int, int], num_lanes: int) -> list[Lane]:
    """Lanes by their bottom crossing, with their own slots if any has one, otherwise with those of geometry."""
    ordered = sorted((lane for lane in lanes if len(lane.points)), key=lambda lane: bottom_crossing(lane, size[0]))
    if any(lane.slot is not None for lane in ordered):
        slots = [lane.slot if lane.slot and 1 <= lane.slot <= num_lanes else None for lane in ordered]
    else:
        slots = slots_by_geometry(ordered, size, num_lanes)
    return [Lane(lane.points, slot) for lane, slot in zip(ordered, slots, strict=True)]


def _check_order(lanes: Sequence[Lane], name: str) -> None:
    slots = [lane.slot or 0 for lane in lanes]
    if slots != sorted(set(slots)):
        raise ValueError(
            f"Picture {name}: expected lane numbers that rise from left to right, each once, got {slots}; correct the "
            f"labels, or convert without --label-slots."
        )


def _write_png(path: Path, mask: IntMask) -> None:
    _write_encoded(path, cv2.imencode(".png", mask)[1].tobytes())


def _write_image(path: Path, image: Image) -> None:
    """A picture as the kind of file that its name says, JPEG at quality 95."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    suffix = path.suffix.lower() or ".jpg"
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix in (".jpg", ".jpeg") else []
    try:
        _write_encoded(path, cv2.imencode(suffix, bgr, quality)[1].tobytes())
    except cv2.error as error:
        raise ValueError(f"Picture {path}: expected the name of a JPEG or PNG file ({error.err}).") from error


def _write_encoded(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _is_same(target: Path, picture: Path) -> bool:
    """Whether a copy of an earlier run is there, by size and time."""
    if not target.is_file() or target.is_symlink():
        return False
    one, other = target.stat(), picture.stat()
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
