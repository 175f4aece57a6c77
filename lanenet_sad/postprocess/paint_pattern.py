"""Figures that tell kinds of lines apart: how paint is spread along and across an unwrapped strip, and its colour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lanenet_sad.postprocess.paint_strip import Array, PaintStrips

FEATURES = (
    "painted share", "half painted share", "bare share", "painted rows near by", "bare rows near by", "unrest",
    "changes", "longest gap", "longest run", "clarity", "contrast", "length", "valley", "likeness of ridges",
    "painted share of weaker ridge", "painted share of stronger ridge", "two ridges", "one ridge of two broken",
)  # fmt: skip

_REACH = 13  # rows before and behind: dashes are compared with the paint that near, for it fades with the distance
_ENVELOPE = np.ones((1, 2 * _REACH + 1), np.uint8)


def describe(strips: PaintStrips) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a classifier of lines looks at: (L, len(FEATURES)) for the style, and (L, 2) for the colour.

    Rows where something else than the ground around the line shows, such as the bonnet, a shadow's edge or a car, do
    not count. How painted a row is, 0..1, is measured between the strip's own noise and the paint before and behind.
    Of the colour's figures the first is the difference red - blue of paint less ground as a share of the largest
    difference in any channel, which neither a coloured light nor worn paint changes much: near 0 for white paint. The
    second is log(red / blue) of the paint itself.
    """
    ridges = _Ridges(strips)
    share, painted, level, counted = ridges.share, ridges.painted, ridges.level, ridges.counted
    half = slice(0, painted.shape[1] * 2 // 3)
    near = counted[:, half].sum(axis=1) + 1e-3
    walked = np.cumsum(ridges.step, axis=1)
    gap = (walked - np.maximum.accumulate(np.where(painted, walked, 0), axis=1)).max(axis=1)
    run = (walked - np.maximum.accumulate(np.where(painted, 0, walked), axis=1)).max(axis=1)
    changes = (painted[:, 1:] != painted[:, :-1]) & counted[:, 1:] & counted[:, :-1]
    noise, peak = ridges.noise[:, 0], ridges.peak[:, 0]
    columns = (
        (share * painted).sum(axis=1),
        (share * ((level > 0.2) & (level < 0.7))).sum(axis=1),
        (share * (level < 0.15)).sum(axis=1),
        (painted & counted)[:, half].sum(axis=1) / near,
        ((level < 0.2) & counted)[:, half].sum(axis=1) / near,
        np.abs(np.diff(level[:, half], axis=1)).mean(axis=1),
        np.log1p(changes.sum(axis=1)),
        np.log1p(gap),
        np.log1p(run),
        np.log((peak + 0.01) / (noise + 0.01)),
        np.log(peak + 0.02),
        np.log(np.maximum(walked[:, -1], 1)),
        *_across(strips, ridges),
    )
    return np.stack(columns, axis=1).astype(np.float64), _hues(strips, ridges)


def _hues(strips: PaintStrips, ridges: _Ridges) -> NDArray[np.float64]:
    """How the paint differs in colour from the ground, (L, 2)."""
    weight = np.clip(ridges.level - 0.4, 0, 1) * ridges.counted
    weight = weight / (weight.sum(axis=1, keepdims=True) + 1e-6)
    colour = (weight[:, None] @ strips.colour)[:, 0]  # (L, 3)
    difference = colour - (weight[:, None] @ strips.ground)[:, 0]
    largest = np.abs(difference).max(axis=1) + 4
    warmth = (difference[:, 0] - difference[:, 2]) / largest
    return np.stack([warmth, np.log((colour[:, 0] + 5) / (colour[:, 2] + 5))], axis=1).astype(np.float64)


class _Ridges:
    """How painted every row of every strip is.

    Attributes:
        counted: (L, R) rows that show the ground.
        step: (L, R) metres that a row stands for, 0 where it does not count.
        share: (L, R) the same as a share of the strip.
        noise: (L, 1) what looks like paint beside the line.
        peak: (L, 1) the strip's clearest paint.
        span: (L, R) between noise and the paint before and behind.
        level: (L, R) how painted, 0..1.
        painted: (L, R) whether.
    """

    def __init__(self, strips: PaintStrips) -> None:
        middle = strips.paint.shape[2] // 2
        ridge = strips.paint[..., middle - 4 : middle + 5].max(axis=2)
        brightness = np.log(strips.ground.sum(axis=2) + 15)
        usual = np.median(brightness, axis=1, keepdims=True)
        self.noise = np.median(strips.beside, axis=1, keepdims=True)
        self.counted = (np.abs(brightness - usual) < 0.9) & (strips.beside < 3 * self.noise + 0.06)
        self.step = np.diff(strips.metres, axis=1, append=2 * strips.metres[:, -1:] - strips.metres[:, -2:-1])
        self.step *= self.counted
        self.share = self.step / np.maximum(self.step.sum(axis=1, keepdims=True), 1e-3)
        clean: Array = np.where(self.counted, ridge, 0).astype(np.float32)
        tenth = int(0.9 * ridge.shape[1])
        self.peak = np.partition(clean, tenth, axis=1)[:, tenth, None]
        around = cv2.dilate(np.minimum(clean, 1.5 * self.peak), _ENVELOPE)
        self.span = np.maximum(np.maximum(around, 0.35 * self.peak) - self.noise, 0.02)
        self.level = np.clip((ridge - self.noise) / self.span, 0, 1)
        self.painted = self.level > 0.5


def _across(strips: PaintStrips, ridges: _Ridges) -> tuple[Array, ...]:
    """What tells two lines side by side from one."""
    paint, middle = strips.paint, strips.paint.shape[2] // 2
    weight = (ridges.painted & ridges.counted).astype(np.float32)
    weight[:, paint.shape[1] * 7 // 10 :] = 0  # farther off two ridges become one
    profile = (weight[:, None] @ paint)[:, 0] / np.maximum(weight.sum(axis=1), 1)[:, None]  # (L, C)
    left_part, right_part = slice(middle - 8, middle - 1), slice(middle + 2, middle + 9)
    left, right = profile[:, left_part].max(axis=1), profile[:, right_part].max(axis=1)
    lower, higher = np.minimum(left, right), np.maximum(left, right)
    bottom = profile[:, middle - 1 : middle + 2].min(axis=1)
    valley = np.clip(1 - bottom / np.maximum(lower, 0.02), 0, 1)
    likeness = lower / np.maximum(higher, 0.02)
    enough = 0.4 * ridges.span + ridges.noise
    on_left, on_right = (
        (ridges.share * (paint[..., part].max(axis=2) > enough)).sum(axis=1) for part in (left_part, right_part)
    )
    weaker, stronger = np.minimum(on_left, on_right), np.maximum(on_left, on_right)
    return valley, likeness, weaker, stronger, valley * likeness, valley * (stronger - weaker)
