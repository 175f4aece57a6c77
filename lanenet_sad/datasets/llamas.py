"""The Unsupervised LLAMAS dataset: highways labelled by a map of their lane markers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.datasets.base import (
    LaneDataset,
    LaneRecord,
    check_line_width,
    draw_lane_mask,
    load_record,
    wrong_root,
)
from lanenet_sad.lanes.images import image_size, read_image
from lanenet_sad.lanes.lane import Image, Lane, LanePrediction, Points
from lanenet_sad.lanes.llamas_markers import LLAMAS_LANES, LLAMAS_SIZE, read_llamas_label
from lanenet_sad.lanes.slots import slot_origins

#: Folder and ending of the two kinds of pictures.
IMAGE_FILES = {"color": ("color_images", "_color_rect.png"), "gray": ("grayscale_images", "_gray_rect.png")}


@final
class LLAMAS(LaneDataset):
    """Pictures of LLAMAS with the four lines next to the car, as the official scripts make them from the markers.

    The lines l1, l0, r0, r1 are the slots 1 to 4; with another number of slots they stay next to the car. Masks are
    drawn from the lines, 12 px wide (CULane's proportion).

    Args:
        root: the dataset's folder, with `labels/` and `color_images/` (or `grayscale_images/`) unpacked in it.
        split: train or valid; the labels of test are not public.
        num_lanes: L, the number of lane slots.
        line_width: of the masks, in pixels; None: CULane's proportion.
        images: the colour pictures or the grey ones.

    Raises:
        FileNotFoundError: there are no labels of the split.
        ValueError: an argument has no meaning.
    """

    usual_size = LLAMAS_SIZE

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        *,
        num_lanes: int = 4,
        line_width: int | None = None,
        images: Literal["color", "gray"] = "color",
    ) -> None:
        check_line_width(line_width)
        if images not in IMAGE_FILES:
            raise ValueError(f"LLAMAS images: expected one of {', '.join(IMAGE_FILES)}, got {images!r}.")
        if split == "test":
            raise ValueError("LLAMAS: the labels of the split test are not public; use the split valid.")
        self.root = Path(root)
        self.split = split
        self.num_lanes = num_lanes
        self.line_width = line_width
        self._folder, self._ending = IMAGE_FILES[images]
        labels = self.root / "labels" / split
        self._stems = sorted(path.relative_to(labels).with_suffix("").as_posix() for path in labels.glob("*/*.json"))
        if not self._stems:
            raise wrong_root("LLAMAS", self.root, [f"labels/{split}/<sequence>/*.json"])

    def __len__(self) -> int:
        return len(self._stems)

    def name(self, index: int) -> str:
        """The picture below its split, `<sequence>/<stamp>_color_rect.png`."""
        return f"{self._stems[index]}{self._ending}"

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the original picture, from its header."""
        return image_size(self.image_path(index))

    def image_path(self, index: int) -> Path:
        """The picture's file."""
        return self.root / self._folder / self.split / self.name(index)

    def image(self, index: int) -> Image:
        """The picture alone, see `LaneDataset.image`."""
        return read_image(self.image_path(index))

    def label(self, index: int, image_size: tuple[int, int]) -> LanePrediction:
        """The lines next to the car, left to right, a point in each row."""
        rows = read_llamas_label(self.root / "labels" / self.split / f"{self._stems[index]}.json")
        slots = slot_origins(len(LLAMAS_LANES), self.num_lanes)
        lanes = [Lane(row_points(x), slots.get(number)) for number, x in enumerate(rows, 1)]
        return LanePrediction(tuple(lane for lane in lanes if len(lane.points)), image_size, self.name(index))

    def load(self, index: int, *, min_size: tuple[int, int] | None = None) -> LaneRecord:
        """The picture with a mask drawn from its lanes, and its truth, see `LaneDataset.load`."""
        truth = self.truth(index)
        return load_record(self.image_path(index), draw_lane_mask(truth, self.line_width), truth, min_size)


def row_points(x: NDArray[np.float64]) -> Points:
    """The points of one line from its x in each row, near to far, (717,) -> (N, 2).

    As in the official scripts what lies left of the picture is no point, and a single point is no line.
    """
    rows = np.nonzero(np.nan_to_num(x, nan=-1.0) >= 0)[0][::-1]
    rows = rows if len(rows) > 1 else rows[:0]
    return np.stack([x[rows], rows.astype(np.float64)], axis=1)
