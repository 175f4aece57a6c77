"""CULane, and everything that is laid out like it."""

from __future__ import annotations

from pathlib import Path
from typing import final

from lanenet_sad.datasets.base import LaneDataset, LaneRecord, draw_lane_mask, load_record, with_slots
from lanenet_sad.lanes.files import CULaneListEntry, lines_path, read_culane_lines, read_culane_list, relative_name
from lanenet_sad.lanes.images import image_size, read_image, read_lane_mask
from lanenet_sad.lanes.lane import Image, IntMask, LanePrediction
from lanenet_sad.lanes.slots import slots_by_existence, slots_by_geometry


@final
class CULane(LaneDataset):
    """Pictures of a CULane list: images, their `*.lines.txt` beside them and, where there are any, lane masks.

    A list line has an image, or an image and a mask, or both and one existence flag per slot; names are relative
    to `root` with a leading slash. A mask file that the list names is the label; where none is named or there, the
    mask is drawn from the line labels. Their slots come from the existence flags if as many are set as there are
    lines, otherwise from geometry.

    Args:
        root: the dataset's folder.
        list_file: of the list, relative to `root`.
        num_lanes: L, the number of lane slots (CULane: far left, left, right, far right of the ego lane).

    Raises:
        FileNotFoundError: the list is missing.
        ValueError: the list is empty or one of its lines is not as described; the message says which.
    """

    def __init__(self, root: str | Path, list_file: str = "list/train_gt.txt", *, num_lanes: int = 4) -> None:
        self.root = Path(root)
        self.num_lanes = num_lanes
        self._entries = read_culane_list(self.root / list_file, num_lanes)

    def __len__(self) -> int:
        return len(self._entries)

    def name(self, index: int) -> str:
        """The picture's name as in the list, with its leading slash."""
        return self._entries[index].image

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the original picture, from its header."""
        return image_size(self._path(self._entries[index].image))

    def image_path(self, index: int) -> Path:
        """The picture's file, below `root`."""
        return self._path(self._entries[index].image)

    def image(self, index: int) -> Image:
        """The picture alone, see `LaneDataset.image`."""
        return read_image(self._path(self._entries[index].image))

    def label(self, index: int, image_size: tuple[int, int]) -> LanePrediction:
        """All labelled lanes in the file's order; a missing label file means none, as in the official evaluator."""
        entry, size = self._entries[index], image_size
        lanes = read_culane_lines(self._lines_path(entry))
        slots = slots_by_existence(lanes, size, entry.existence) if entry.existence else None
        if slots is None:
            slots = slots_by_geometry(lanes, size, self.num_lanes)
        return LanePrediction(with_slots(lanes, slots), size, entry.image)

    def load(self, index: int, *, min_size: tuple[int, int] | None = None) -> LaneRecord:
        """The picture with its lane mask and truth, see `LaneDataset.load`; a mask or line labels must be there."""
        entry = self._entries[index]
        truth = self.truth(index)
        return load_record(self._path(entry.image), self._lane_mask(entry, truth), truth, min_size)

    def _lane_mask(self, entry: CULaneListEntry, truth: LanePrediction) -> IntMask:
        mask_path = self._path(entry.mask) if entry.mask else None
        if mask_path is not None and mask_path.exists():
            return read_lane_mask(mask_path, truth.image_size, self.num_lanes)
        lines_path = self._lines_path(entry)
        if not lines_path.exists():
            mask = f"its mask {mask_path}" if mask_path else "a mask in the list"
            image = self._path(entry.image)
            raise FileNotFoundError(
                f"CULane image {image}: expected a label, but neither {mask} nor {lines_path} is there."
            )
        return draw_lane_mask(truth)

    def _path(self, name: str) -> Path:
        return self.root / relative_name(name)

    def _lines_path(self, entry: CULaneListEntry) -> Path:
        # As the official evaluator: the name up to its last dot, which need not be in the file name.
        return lines_path(self.root, relative_name(entry.image))
