"""Drawn lanes and how far they cover each other."""

from __future__ import annotations

import cv2

from lanenet_sad.lanes.raster import LanePatch


class DrawnLane:
    """One drawn lane and its number of pixels.

    Args:
        patch: the lane in its bounding box; all patches that are compared are of one canvas.
    """

    def __init__(self, patch: LanePatch) -> None:
        self.mask, self.top, self.left = patch
        self.bottom, self.right = self.top + self.mask.shape[0], self.left + self.mask.shape[1]
        self.area = cv2.countNonZero(self.mask) if self.mask.size else 0

    def iou(self, other: DrawnLane) -> float:
        """Shared pixels / pixels of either; NaN if there are none."""
        top, bottom = max(self.top, other.top), min(self.bottom, other.bottom)
        left, right = max(self.left, other.left), min(self.right, other.right)
        shared = 0
        if top < bottom and left < right:
            mine = self.mask[top - self.top : bottom - self.top, left - self.left : right - self.left]
            theirs = other.mask[top - other.top : bottom - other.top, left - other.left : right - other.left]
            shared = cv2.countNonZero(cv2.bitwise_and(mine, theirs))
        union = self.area + other.area - shared
        return shared / union if union else float("nan")
