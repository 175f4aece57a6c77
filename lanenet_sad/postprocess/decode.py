"""Network output -> lanes in image pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.lane import Lane, LanePrediction, Points
from lanenet_sad.lanes.view import Placement
from lanenet_sad.models.interface import LaneNetOutput
from lanenet_sad.postprocess.refine import run_to_bottom, run_to_horizon, seen_on_a_line

Map = NDArray[np.float32]
Rows = NDArray[np.float64]
_Traced: TypeAlias = tuple[Points, NDArray[np.float64]]  # (N, 2) of one line, near to far, and confidences (N,)
ROW_SPACING = 10 / 590  # of the view's height: every 10 px on a CULane frame
_DRAWN_ON = 0.5  # confidence of a point drawn on from the end of a line, against that of the end


@dataclass(frozen=True)
class LaneDecoder:
    """Reads one point per row anchor out of every lane slot's probability map.

    Probabilities are smoothed by a square mean filter; a slot whose existence is above its threshold gives, in
    each anchor row, the column of its highest probability, if that is above `threshold`. This is the
    post-processing of SCNN and ENet-SAD (`getLane.m`, `prob2lines`). Where we depart: the column is by
    default the probability-weighted mean around the peak (sub-pixel), rows between two map rows are
    interpolated, and the filter's size follows the input width. `LaneDecoder.published()` is the original.

    Attributes:
        threshold: lowest smoothed probability of a point (published: 0.3; TuSimple: 0.2).
        existence_threshold: lowest existence probability of a lane.
        smoothing: side of the mean filter in network pixels at an input 800 px wide; odd.
        scale_smoothing: scale that side with the input width (kept odd).
        column: "soft_argmax" (sub-pixel) or "argmax" (published).
        window: half width, in network pixels, of the soft-argmax window around the peak.
        min_points: lanes with fewer points are dropped.
        refine: leave out points that jump away from their line, and draw lines on to the bottom of the picture and,
            where the view cuts them, to the horizon.
    """

    threshold: float = 0.3
    existence_threshold: float = 0.5
    smoothing: int = 9
    scale_smoothing: bool = True
    column: Literal["soft_argmax", "argmax"] = "soft_argmax"
    window: int = 8
    min_points: int = 2
    refine: bool = True

    def __post_init__(self) -> None:
        for name in ("threshold", "existence_threshold"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name}: expected a probability between 0 and 1, got {value}.")
        if self.smoothing < 1 or self.smoothing % 2 == 0:
            raise ValueError(f"smoothing: expected an odd filter size of at least 1, got {self.smoothing}.")

    @classmethod
    def published(cls, threshold: float = 0.3) -> LaneDecoder:
        """The decoding of the official code: fixed 9x9 filter, whole-pixel argmax, nearest map row."""
        return cls(threshold=threshold, scale_smoothing=False, column="argmax", refine=False)

    def __call__(
        self,
        output: LaneNetOutput,
        placements: Sequence[Placement],
        image_sizes: Sequence[tuple[int, int]],
        row_anchors: Sequence[Rows | None] | None = None,
    ) -> list[LanePrediction]:
        """Decode a batch.

        Args:
            output: the network's output for B images.
            placements: where each image's rectangle lies; B of them.
            image_sizes: (height, width) of each original image.
            row_anchors: image rows to sample, one array (R,) per image; None: every 10 px at CULane scale.

        Returns:
            B predictions, lanes left to right, points near to far in pixels of the original image.
        """
        probabilities = output.segmentation_logits.detach().float().softmax(dim=1)[:, 1:].cpu().numpy()
        existence = output.existence_logits.detach().float().sigmoid().cpu().numpy()
        anchors = row_anchors or [None] * len(placements)
        return [
            self._decode_image(probabilities[i], existence[i], placements[i], image_sizes[i], anchors[i])
            for i in range(len(placements))
        ]

    def _decode_image(
        self,
        maps: Map,  # (L, H, W)
        existence: NDArray[np.float32],
        placement: Placement,
        image_size: tuple[int, int],
        row_anchors: Rows | None,
    ) -> LanePrediction:
        rows = default_row_anchors(placement) if row_anchors is None else row_anchors
        near_to_far = np.sort(np.asarray(rows, dtype=np.float64))[::-1]
        present = [index for index, confidence in enumerate(existence) if confidence > self.existence_threshold]
        traced = [self._trace(self._smooth(maps[index]), near_to_far, placement) for index in present]
        if self.refine:
            above = near_to_far if row_anchors is not None else default_row_anchors(placement, whole=True)
            traced = _refined(traced, near_to_far, above[above < placement.top], image_size, placement)
        lanes = [
            Lane(points, slot=index + 1, confidence=float(existence[index]), point_confidences=sure)
            for index, (points, sure) in zip(present, traced, strict=True)
            if len(points) >= self.min_points
        ]
        return LanePrediction(tuple(lanes), image_size, row_anchors=row_anchors)

    def _smooth(self, probability: Map) -> Map:
        side = self.smoothing
        if self.scale_smoothing:
            side = max(1, 2 * round((side * probability.shape[1] / 800 - 1) / 2) + 1)
        blurred = cv2.blur(probability, (side, side), borderType=cv2.BORDER_CONSTANT)
        return np.asarray(blurred, dtype=np.float32)

    def _trace(self, probability: Map, rows: Rows, placement: Placement) -> _Traced:
        """(H, W) and image rows -> (N, 2) image points in rows where the lane is seen, and their probabilities (N,)."""
        inside = (rows >= placement.top) & (rows < placement.top + placement.height) & (rows >= 0)
        rows = rows[inside]
        profiles = self._profiles(probability, rows, placement)  # (R, W)
        peaks = profiles.argmax(axis=1) if len(rows) else np.zeros(0, dtype=np.intp)
        highest = profiles[np.arange(len(rows)), peaks]
        seen = highest > self.threshold
        columns = peaks.astype(np.float64)
        if self.column == "soft_argmax":
            columns = _weighted_columns(profiles, peaks, self.window)
            margin = min(
                self.window, probability.shape[1] // 8
            )  # so close to the border it is the blur of a lane outside
            seen &= (peaks >= margin) & (peaks < probability.shape[1] - margin)
        points = placement.to_image(np.stack([columns, np.zeros_like(columns)], axis=1))
        points[:, 1] = rows
        return points[seen], highest[seen].astype(np.float64).clip(0, 1)  # a mean of ones rounds to more than 1

    def _profiles(self, probability: Map, rows: Rows, placement: Placement) -> Map:
        """The map along each anchor row, (R, W)."""
        last = probability.shape[0] - 1
        if self.column == "argmax":
            return probability[published_rows(rows, placement)]
        height = placement.to_input(np.stack([np.zeros_like(rows), rows], axis=1))[:, 1].clip(0, last)
        below = np.floor(height).astype(np.intp)
        share = (height - below).astype(np.float32)[:, None]
        above = np.minimum(below + 1, last)
        mixed: Map = probability[below] * (1 - share) + probability[above] * share
        return mixed


def default_row_anchors(placement: Placement, *, whole: bool = False) -> Rows:
    """Image rows from the bottom of the view up, every 10 px at the scale of a CULane frame; (R,).

    They end at the view's upper border, or at that of the whole picture.
    """
    spacing = max(1.0, placement.height * ROW_SPACING)
    bottom = placement.top + placement.height - 1
    rows: Rows = np.arange(bottom, (0 if whole else max(placement.top, 0)) - 1e-9, -spacing)
    return rows


def published_rows(rows: Rows, placement: Placement) -> NDArray[np.intp]:
    """0-based map row of each image row as the official MATLAB and Python tools round it, (R,) -> (R,)."""
    height = placement.input_size[0]
    from_bottom = placement.top + placement.height - 1 - np.asarray(rows)
    one_based = np.floor(height - from_bottom * height / placement.height + 0.5)
    clipped: NDArray[np.intp] = (one_based.astype(np.intp) - 1).clip(0, height - 1)
    return clipped


def _refined(
    traced: Sequence[_Traced], rows: Rows, above: Rows, image_size: tuple[int, int], placement: Placement
) -> list[_Traced]:
    """Lines without strays, and drawn on: with rows `above` the view, and with `rows` near to far below them."""
    kept = seen_on_a_line([points for points, _ in traced], image_size[1])
    seen = [(points[on_line], sure[on_line]) for (points, sure), on_line in zip(traced, kept, strict=True)]
    lines = run_to_horizon([points for points, _ in seen], above, image_size, placement.top)
    refined = []
    for points, (there, sure) in zip(lines, seen, strict=True):
        longer = run_to_bottom(points, rows, image_size, placement.height)
        if len(longer) > len(there):
            nearer, farther = len(longer) - len(points), len(points) - len(there)
            drawn = [_DRAWN_ON * end * np.ones(n) for end, n in ((sure[0], nearer), (sure[-1], farther))]
            sure = np.concatenate([drawn[0], sure, drawn[1]])
        refined.append((longer, sure))
    return refined


def _weighted_columns(profiles: Map, peaks: NDArray[np.intp], window: int) -> NDArray[np.float64]:
    """Mean column, weighted by probability, within `window` px of each row's peak.

    Near the border the window shrinks on both sides, or the mean would be drawn inwards.
    """
    offsets = np.arange(-window, window + 1)
    reach = np.minimum(window, np.minimum(peaks, profiles.shape[1] - 1 - peaks))
    columns = (peaks[:, None] + offsets).clip(0, profiles.shape[1] - 1)  # (R, 2 * window + 1)
    near = np.abs(offsets) <= reach[:, None]
    weights = np.where(near, np.take_along_axis(profiles, columns, axis=1), 0).astype(np.float64)
    total = weights.sum(axis=1)
    mean: NDArray[np.float64] = np.where(total > 0, (weights * columns).sum(axis=1) / np.maximum(total, 1e-12), peaks)
    return mean
