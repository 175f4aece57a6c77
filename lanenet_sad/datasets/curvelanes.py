"""CurveLanes: curves, forks and often more than four lines, in pictures of mixed sizes."""

from __future__ import annotations

from pathlib import Path
from typing import final

from lanenet_sad.datasets.base import (
    LaneDataset,
    LaneRecord,
    check_line_width,
    draw_lane_mask,
    load_record,
    with_slots,
    wrong_root,
)
from lanenet_sad.lanes.curvelanes_files import curvelanes_label_path, read_curvelanes, read_curvelanes_list
from lanenet_sad.lanes.files import relative_name
from lanenet_sad.lanes.images import image_size, read_image
from lanenet_sad.lanes.lane import Image, LanePrediction
from lanenet_sad.lanes.slots import slots_by_geometry


@final
class CurveLanes(LaneDataset):
    """Pictures of CurveLanes: `<split>/<split>.txt`, `<split>/images/*.jpg`, `<split>/labels/*.lines.json`.

    Slots are given by geometry. Pictures with more than four lines are what the dataset was made for (its README says
    so); there are 10 slots by default, five on each side, as in the configuration of Ultra Fast Lane Detection v2
    for it. Masks are drawn from the lines, in CULane's proportion to the width of the picture.

    Args:
        root: the dataset's folder.
        split: train or valid; the labels of test are not public.
        num_lanes: L, the number of lane slots.
        line_width: of the masks, in pixels of the picture; None: CULane's proportion.

    Raises:
        FileNotFoundError: there is no list of the split.
        ValueError: the list is empty or names a file outside the folder, or an argument has no meaning.
    """

    usual_size = (1440, 2560)

    def __init__(
        self, root: str | Path, split: str = "train", *, num_lanes: int = 10, line_width: int | None = None
    ) -> None:
        check_line_width(line_width)
        if split == "test":
            raise ValueError("CurveLanes: the labels of the split test are not public; use the split valid.")
        self.root = Path(root)
        self.num_lanes = num_lanes
        self.line_width = line_width
        self.folder = self.root / split
        if not (self.folder / f"{split}.txt").is_file():
            raise wrong_root("CurveLanes", self.root, [f"{split}/{split}.txt"])
        self._names = read_curvelanes_list(self.folder / f"{split}.txt")

    def __len__(self) -> int:
        return len(self._names)

    def name(self, index: int) -> str:
        """The picture's name as in the list, such as `images/a.jpg`."""
        return self._names[index]

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the original picture, from its header."""
        return image_size(self.image_path(index))

    def image_path(self, index: int) -> Path:
        """The picture's file."""
        return self.folder / relative_name(self._names[index])

    def image(self, index: int) -> Image:
        """The picture alone, see `LaneDataset.image`."""
        return read_image(self.image_path(index))

    def label(self, index: int, image_size: tuple[int, int]) -> LanePrediction:
        """All labelled lanes in the file's order."""
        lanes = read_curvelanes(curvelanes_label_path(self.folder, self._names[index]))
        slots = slots_by_geometry(lanes, image_size, self.num_lanes)
        return LanePrediction(with_slots(lanes, slots), image_size, self._names[index])

    def load(self, index: int, *, min_size: tuple[int, int] | None = None) -> LaneRecord:
        """The picture with a mask drawn from its lanes, and its truth, see `LaneDataset.load`."""
        truth = self.truth(index)
        return load_record(self.image_path(index), draw_lane_mask(truth, self.line_width), truth, min_size)
