"""What every lane dataset offers: names, labels without decoding images, and whole records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lanenet_sad.lanes.images import read_image, resize_mask
from lanenet_sad.lanes.lane import Image, IntMask, Lane, LanePrediction
from lanenet_sad.lanes.raster import draw_lanes, label_line_width


@dataclass(frozen=True, eq=False)
class LaneRecord:
    """One labelled picture of a dataset, before any transform.

    Attributes:
        image: (H, W, 3) RGB uint8; may be decoded at a fraction of the original size.
        lane_mask: (H, W) uint8 of the same size, 0 background, 1..L slots, `IGNORE_INDEX` where nothing is known.
        truth: all labelled lanes in pixels of the ORIGINAL image, whose size it has.
    """

    image: Image
    lane_mask: IntMask
    truth: LanePrediction


class LaneDataset(ABC):
    """Labelled pictures of roads, by index. Images of one dataset may differ in size.

    Attributes:
        num_lanes: L, the number of lane slots.
        usual_size: (height, width) that the benchmark's pictures have, for one that cannot be read.
    """

    num_lanes: int
    usual_size: tuple[int, int] = (590, 1640)

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def name(self, index: int) -> str:
        """The picture's name as its list or label file gives it."""

    @abstractmethod
    def image(self, index: int) -> Image:
        """The picture alone, in full, (H, W, 3) RGB uint8; what evaluation needs beside the truth.

        Raises:
            FileNotFoundError: the picture is missing.
            ValueError: the picture is broken; the message names the file.
        """

    @abstractmethod
    def label(self, index: int, image_size: tuple[int, int]) -> LanePrediction:
        """All labelled lanes of a picture of that (height, width), with slots where they are known.

        They come in the label file's order, on which the official CULane score depends. The picture is not touched.

        Raises:
            ValueError: the label is broken; the message names the file.
        """

    @abstractmethod
    def load(self, index: int, *, min_size: tuple[int, int] | None = None) -> LaneRecord:
        """The picture with its lane mask and truth.

        Args:
            index: 0 to len - 1.
            min_size: (height, width) that is enough: JPEGs may then be decoded at a half, a quarter or an eighth
                of their size, which is several times faster, as long as the result is no smaller. None decodes in full.

        Raises:
            FileNotFoundError: the picture or its label is missing.
            ValueError: the picture or its label is broken; the message names the file.
        """

    @abstractmethod
    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the original picture, from its header."""

    def image_path(self, index: int) -> Path | None:
        """The picture's file, which need not be there; None for a dataset without files."""
        return None

    def truth(self, index: int) -> LanePrediction:
        """All labelled lanes, in pixels of the original picture, which is not decoded; see `label`.

        Raises:
            FileNotFoundError: the picture is missing.
            ValueError: the picture or its label is broken; the message names the file.
        """
        return self.label(index, self.image_size(index))


def load_record(
    image_path: Path, lane_mask: IntMask, truth: LanePrediction, min_size: tuple[int, int] | None
) -> LaneRecord:
    """A record of an image file and a mask of the image's original size, see `LaneDataset.load`."""
    image = read_image(image_path, min_size=min_size)
    height, width = image.shape[:2]
    return LaneRecord(image, resize_mask(lane_mask, (height, width)), truth)


def draw_lane_mask(truth: LanePrediction, line_width: int | None = None) -> IntMask:
    """The mask of labelled lanes, for labels without mask files: those with slots.

    Args:
        truth: the lanes.
        line_width: in pixels; None: as wide as CULane draws them, 16 px at an image width of 1640 px, in proportion at
            others.
    """
    lanes = [lane for lane in truth.lanes if lane.slot is not None]
    return draw_lanes(lanes, truth.image_size, line_width=line_width or label_line_width(truth.image_size[1]))


def check_line_width(line_width: int | None) -> None:
    """ValueError for a width of drawn labels that is not positive."""
    if line_width is not None and line_width < 1:
        raise ValueError(f"line_width: expected at least 1 px, got {line_width}.")


def wrong_root(what: str, root: Path, expected: Sequence[str]) -> FileNotFoundError:
    """The error for a dataset's folder that lacks what it should have: what was expected, and what is there."""
    if not root.is_dir():
        found = "but there is no such folder"
    else:
        names = sorted(path.name + "/" * path.is_dir() for path in root.iterdir())
        shown = ", ".join(names[:8]) + f" and {len(names) - 8} more" * (len(names) > 8)
        found = f"but it has {shown}" if names else "but it is empty"
    return FileNotFoundError(f"{what} root {root}: expected {' or '.join(expected)} in it, {found}.")


def with_slots(lanes: list[Lane], slots: list[int | None]) -> tuple[Lane, ...]:
    """The lanes in their order, each with its slot."""
    return tuple(Lane(lane.points, slot, lane.confidence) for lane, slot in zip(lanes, slots, strict=True))
