"""BDD100K's lane labels, by the protocol of ENet-SAD."""

from __future__ import annotations

from collections.abc import Sequence
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
from lanenet_sad.lanes.bdd100k_files import LINE_KINDS, BDD100KLine, read_bdd100k
from lanenet_sad.lanes.files import relative_name
from lanenet_sad.lanes.images import image_size, read_image
from lanenet_sad.lanes.lane import Image, Lane, LanePrediction
from lanenet_sad.lanes.paint_edges import centre_lines
from lanenet_sad.lanes.slots import slots_by_geometry

#: Where the labels of a split may lie: those of 2020, those of 2018.
LABEL_FILES = ("labels/lane/polygons/lane_{split}.json", "labels/bdd100k_labels_images_{split}.json")
ALONG_KINDS = tuple(kind for kind in LINE_KINDS if kind != "crosswalk")
TRAIN_LINE_WIDTH, TEST_LINE_WIDTH = 8, 2


@final
class BDD100K(LaneDataset):
    """Pictures of BDD100K with lanes: `images/100k/<split>/` and a label file of 2020 or of 2018.

    The protocol is that of ENet-SAD (ICCV 2019, section 4.1, and the authors' answers in
    cardwing/Codes-for-Lane-Detection, issues 127, 273, 300 and 310): a painted line is labelled by its two edges, and
    the line midway between them is the target; it is drawn 8 px wide to train on and 2 px wide to be scored. Their
    script was never published. What is ours is which lines are edges of one stripe (see `centre_lines`; they must be
    of one kind, style and direction), and the choice of lines: those that `laneDirection` calls parallel to
    the way of traffic, kerbs included, crosswalks not. Whether the authors left crosswise lines out is not known.

    Slots are given by geometry. The protocol scores lane pixels and knows no slots; with 8 of them, four on each side,
    few lines find none.

    Args:
        root: the dataset's folder.
        split: train or val; the labels of test are not public.
        num_lanes: L, the number of lane slots.
        line_width: of the masks, in pixels of the picture; None: 8 for train, 2 otherwise.
        centre: replace the two edges of a stripe by the line between them.
        crosswise: keep lines across the way of traffic, such as stop lines, too.
        kinds: the kinds of lines to keep, see `LINE_KINDS`; files of 2018 may have others, which are kept.

    Raises:
        FileNotFoundError: there is no label file of the split.
        ValueError: it is no such file, or an argument has no meaning; the message says which.
    """

    usual_size = (720, 1280)

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        *,
        num_lanes: int = 8,
        line_width: int | None = None,
        centre: bool = True,
        crosswise: bool = False,
        kinds: Sequence[str] = ALONG_KINDS,
    ) -> None:
        check_line_width(line_width)
        if unknown := set(kinds) - set(LINE_KINDS):
            raise ValueError(f"BDD100K kinds: expected some of {', '.join(LINE_KINDS)}, got {sorted(unknown)}.")
        self.root = Path(root)
        self.split = split
        self.num_lanes = num_lanes
        self.line_width = line_width or (TRAIN_LINE_WIDTH if split == "train" else TEST_LINE_WIDTH)
        self.centre = centre
        self.crosswise = crosswise
        self.left_out = frozenset(LINE_KINDS) - set(kinds)
        self._frames = read_bdd100k(_label_file(self.root, split))

    def __len__(self) -> int:
        return len(self._frames)

    def name(self, index: int) -> str:
        """The picture's file name."""
        return self._frames[index].name

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the original picture, from its header."""
        return image_size(self.image_path(index))

    def image_path(self, index: int) -> Path:
        """The picture's file, below `images/100k/<split>/`."""
        return self.root / "images" / "100k" / self.split / relative_name(self.name(index))

    def image(self, index: int) -> Image:
        """The picture alone, see `LaneDataset.image`."""
        return read_image(self.image_path(index))

    def label(self, index: int, image_size: tuple[int, int]) -> LanePrediction:
        """All lines of the chosen kinds; a stripe stands where its first edge stands in the file."""
        frame = self._frames[index]
        if frame.fault:
            raise ValueError(frame.fault)
        lines = [line for line in frame.lines if self._is_kept(line)]
        points = [line.points for line in lines]
        if self.centre:
            groups = [(line.kind, line.dashed, line.crosswise) for line in lines]
            points = centre_lines(points, image_size[0], groups)
        lanes = [Lane(each) for each in points]
        slots = slots_by_geometry(lanes, image_size, self.num_lanes)
        return LanePrediction(with_slots(lanes, slots), image_size, frame.name)

    def load(self, index: int, *, min_size: tuple[int, int] | None = None) -> LaneRecord:
        """The picture with a mask drawn from its lanes, and its truth, see `LaneDataset.load`."""
        truth = self.truth(index)
        return load_record(self.image_path(index), draw_lane_mask(truth, self.line_width), truth, min_size)

    def _is_kept(self, line: BDD100KLine) -> bool:
        return line.kind not in self.left_out and (self.crosswise or not line.crosswise)


def _label_file(root: Path, split: str) -> Path:
    if split == "test":
        raise ValueError("BDD100K: the labels of the split test are not public; papers are scored on the split val.")
    names = [name.format(split=split) for name in LABEL_FILES]
    for name in names:
        if (root / name).is_file():
            return root / name
    raise wrong_root("BDD100K", root, names)
