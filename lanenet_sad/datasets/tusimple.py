"""TuSimple's lane detection challenge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import final

from lanenet_sad.datasets.base import LaneDataset, LaneRecord, draw_lane_mask, load_record, with_slots
from lanenet_sad.lanes.files import relative_name
from lanenet_sad.lanes.images import image_size, read_image
from lanenet_sad.lanes.lane import Image, LanePrediction
from lanenet_sad.lanes.slots import slots_by_geometry
from lanenet_sad.lanes.tusimple_files import read_tusimple

TRAIN_FILES = ("label_data_0313.json", "label_data_0601.json")
VAL_FILES = ("label_data_0531.json",)
TEST_FILES = ("test_label.json",)


@final
class TuSimple(LaneDataset):
    """Pictures of TuSimple label files: JSON lines with one x per lane and image row.

    Lane masks are drawn from the lines, 12 px wide at 1280 px (CULane's proportion), slots given by geometry
    (6 slots: three lines left and three right of the car).

    The SAD paper trains on 3,268 of the 3,626 labelled frames and validates on 358, as `list6` of the official code
    has them. `TRAIN_FILES` and `VAL_FILES` follow the PyTorch port instead, which keeps whole recording days apart:
    the 358 frames of May 31 validate.

    Args:
        root: the dataset's folder.
        label_files: relative to `root`; the images that they name lie beside them or relative to `root`.
        num_lanes: L, the number of lane slots.

    Raises:
        FileNotFoundError: a label file is missing.
        ValueError: no label file is given, or a line of one is no label; the message says which.
    """

    usual_size = (720, 1280)

    def __init__(self, root: str | Path, label_files: Sequence[str] = TRAIN_FILES, *, num_lanes: int = 6) -> None:
        if isinstance(label_files, str) or not label_files:
            raise ValueError(f"TuSimple label files: expected a list of file names, got {label_files!r}.")
        self.root = Path(root)
        self.num_lanes = num_lanes
        self._labels = [
            ((self.root / file).parent, label) for file in label_files for label in read_tusimple(self.root / file)
        ]

    def __len__(self) -> int:
        return len(self._labels)

    def name(self, index: int) -> str:
        """The picture's `raw_file`."""
        return self._labels[index][1].name

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the original picture, from its header."""
        return image_size(self._path(index))

    def image_path(self, index: int) -> Path:
        """The picture's file, beside its label file or below `root`."""
        return self._path(index)

    def image(self, index: int) -> Image:
        """The picture alone, see `LaneDataset.image`."""
        return read_image(self._path(index))

    def label(self, index: int, image_size: tuple[int, int]) -> LanePrediction:
        """All labelled lanes in the file's order, with the label's rows as `row_anchors`."""
        label = self._labels[index][1]
        lanes = list(label.lanes)
        slots = slots_by_geometry(lanes, image_size, self.num_lanes)
        return replace(label, lanes=with_slots(lanes, slots), image_size=image_size)

    def load(self, index: int, *, min_size: tuple[int, int] | None = None) -> LaneRecord:
        """The picture with a mask drawn from its lanes, and its truth, see `LaneDataset.load`."""
        truth = self.truth(index)
        return load_record(self._path(index), draw_lane_mask(truth), truth, min_size)

    def _path(self, index: int) -> Path:
        folder, label = self._labels[index]
        name = relative_name(label.name)
        beside = folder / name
        return beside if beside.exists() else self.root / name
