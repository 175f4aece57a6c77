"""Several datasets in one training run, each with its share of the samples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import final

from lanenet_sad.datasets.base import LaneDataset, LaneRecord
from lanenet_sad.lanes.lane import Image, LanePrediction


@final
class Mixture(LaneDataset):
    """Datasets one behind the other; how often each is drawn is the business of `StepBatches`.

    Args:
        parts: datasets with the same number of lane slots.
        shares: of each part in the samples drawn, in any unit; None: in proportion to the sizes.

    Attributes:
        parts: as given.
        sizes: number of pictures of each part.
        shares: of each part, summing to 1.

    Raises:
        ValueError: there is no part, the parts differ in lane slots, or a share is not positive.
    """

    def __init__(self, parts: Sequence[LaneDataset], shares: Sequence[float] | None = None) -> None:
        slots = sorted({part.num_lanes for part in parts})
        if len(slots) != 1:
            raise ValueError(f"Mixture: expected datasets with the same number of lane slots, got {slots}.")
        self.parts = tuple(parts)
        self.num_lanes = slots[0]
        self.usual_size = parts[0].usual_size
        self.sizes = tuple(len(part) for part in parts)
        chosen = self.sizes if shares is None else tuple(shares)
        if len(chosen) != len(parts) or min(chosen) <= 0:
            raise ValueError(f"Mixture: expected {len(parts)} positive shares, got {list(chosen)}.")
        self.shares = tuple(share / sum(chosen) for share in chosen)
        self._starts = [0, *accumulate(self.sizes)]

    def __len__(self) -> int:
        return self._starts[-1]

    def name(self, index: int) -> str:
        """The picture's name in its part."""
        part, local = self._locate(index)
        return part.name(local)

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the original picture."""
        part, local = self._locate(index)
        return part.image_size(local)

    def image_path(self, index: int) -> Path | None:
        """The picture's file, if its part has files."""
        part, local = self._locate(index)
        return part.image_path(local)

    def image(self, index: int) -> Image:
        """The picture alone, see `LaneDataset.image`."""
        part, local = self._locate(index)
        return part.image(local)

    def label(self, index: int, image_size: tuple[int, int]) -> LanePrediction:
        """All labelled lanes, see `LaneDataset.label`."""
        part, local = self._locate(index)
        return part.label(local, image_size)

    def load(self, index: int, *, min_size: tuple[int, int] | None = None) -> LaneRecord:
        """The picture with its lane mask and truth, see `LaneDataset.load`."""
        part, local = self._locate(index)
        return part.load(local, min_size=min_size)

    def _locate(self, index: int) -> tuple[LaneDataset, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"Mixture: expected an index from 0 to {len(self) - 1}, got {index}.")
        number = next(n for n, end in enumerate(self._starts[1:]) if index < end)
        return self.parts[number], index - self._starts[number]


def mixed(own: LaneDataset, others: Sequence[LaneDataset], shares: Sequence[float]) -> LaneDataset:
    """The benchmark's own pictures with others beside them.

    Args:
        own: the benchmark's split; gets what the shares leave.
        others: further datasets; none: the result is `own`.
        shares: of each of them in the samples drawn, 0..1.

    Raises:
        ValueError: there is not one share for each, or the shares leave nothing for the benchmark.
    """
    if len(shares) != len(others):
        raise ValueError(f"mix_shares: expected one share for each of the {len(others)} datasets of mix, got {shares}.")
    if not others:
        return own
    if min(shares) <= 0 or sum(shares) >= 1:
        raise ValueError(
            f"mix_shares: expected positive shares that add up to less than 1, got {list(shares)}; "
            "the benchmark's own pictures get the rest."
        )
    return Mixture([own, *others], [1 - sum(shares), *shares])
