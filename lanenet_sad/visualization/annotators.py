"""Draw lanes into pictures.

An annotator's style is fixed when it is made; it never shows or saves, and never changes the picture it is given.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import final

import cv2
import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.curves import resample, sample_at_rows
from lanenet_sad.lanes.lane import Image, Lane, LanePrediction, Points
from lanenet_sad.lanes.slots import ego_slots
from lanenet_sad.visualization.palette import EGO_AREA, Color, slot_color

# OpenCV takes polygon corners as whole numbers; this many bits of them are the fraction of a pixel.
_SHIFT = 4
_BAND = 4  # image rows of one opacity: fewer than the eye can tell, and whole numbers are much faster to mix
_FONT = cv2.FONT_HERSHEY_DUPLEX


class Annotator(ABC):
    """Something that draws a prediction into a picture."""

    def annotate(self, image: Image, prediction: LanePrediction) -> Image:
        """A new picture with the prediction in it; (H, W, 3) RGB uint8, as the one that comes in."""
        drawn = image.copy()
        self.draw(drawn, prediction)
        return drawn

    @abstractmethod
    def draw(self, image: Image, prediction: LanePrediction) -> None:
        """Draw the prediction into a picture, (H, W, 3) RGB uint8, in place."""


def annotate_all(image: Image, prediction: LanePrediction, annotators: Sequence[Annotator]) -> Image:
    """Let several annotators draw, the first one lowest; a new picture even without any."""
    drawn = image.copy()
    for annotator in annotators:
        annotator.draw(drawn, prediction)
    return drawn


@final
class LaneAnnotator(Annotator):
    """Draws every lane as a smooth coloured line that narrows with distance, as a line on the road does.

    Lanes without two different points have no direction and are left out.
    """

    def __init__(
        self,
        *,
        num_lanes: int = 4,
        line_width: float | None = None,
        show_confidence: bool = False,
        opacity: float = 0.9,
    ) -> None:
        """Fix the style.

        Args:
            num_lanes: L of the network, which says which slots are the ego lines.
            line_width: pixels at the bottom of the picture; None takes 1/130 of the picture's width.
            show_confidence: write each lane's confidence in percent at its near end.
            opacity: 0..1.
        """
        self.num_lanes = num_lanes
        self.line_width = line_width
        self.show_confidence = show_confidence
        self.opacity = opacity

    def draw(self, image: Image, prediction: LanePrediction) -> None:
        """Draw the lanes, in place."""
        lanes = [lane for lane in prediction.lanes if len(np.unique(lane.points, axis=0)) > 1]
        if not lanes:
            return
        height, width = image.shape[:2]
        line_width = max(2.0, width / 130) if self.line_width is None else self.line_width
        # All lanes narrow alike, so that two lines at the same distance have the same width.
        far = min(float(lane.points[:, 1].min()) for lane in lanes)
        ribbons, rims, colors = [], [], []
        for lane in lanes:
            points = resample(lane.points, 64)
            nearness = np.clip((points[:, 1] - far) / max(height - far, 1.0), 0.0, 1.0)
            widths = line_width * (0.3 + 0.7 * nearness)
            ribbons.append(_ribbon(points, widths))
            rims.append(_ribbon(points, widths + max(1.5, line_width / 4)))
            colors.append(slot_color(lane.slot, self.num_lanes))
        # A dark rim keeps the colour readable on concrete and in the sun.
        _paint(image, rims, [(0, 0, 0)] * len(rims), 0.35)
        _paint(image, ribbons, colors, self.opacity)
        if self.show_confidence:
            for lane in lanes:
                self._label(image, lane)

    def _label(self, image: Image, lane: Lane) -> None:
        height, width = image.shape[:2]
        inside = (lane.points >= 0).all(axis=1) & (lane.points < (width, height)).all(axis=1)
        if inside.any():
            x, y = lane.points[inside][lane.points[inside][:, 1].argmax()]
            color = slot_color(lane.slot, self.num_lanes)
            _draw_text(image, f"{lane.confidence:.0%}", (x, y - height * 0.02), 0.75, color, centered=True)


@final
class EgoLaneAnnotator(Annotator):
    """Tints the road between the two lines of the own lane, fading with distance; nothing if one of them is missing."""

    def __init__(self, *, num_lanes: int = 4, color: Color = EGO_AREA, opacity: float = 0.34) -> None:
        """Fix the style; `num_lanes` is L of the network, `opacity` (0..1) is that at the near end."""
        self.num_lanes = num_lanes
        self.color = color
        self.opacity = opacity

    def draw(self, image: Image, prediction: LanePrediction) -> None:
        """Tint the own lane, in place."""
        lines = [lane for slot in ego_slots(self.num_lanes) for lane in prediction.lanes if lane.slot == slot]
        if len(lines) != 2 or min(len(line.points) for line in lines) < 2:
            return
        area = _area_between(lines[0].points, lines[1].points, image.shape[0])
        if area is None:
            return
        far, near = area[:, 1].min(), area[:, 1].max()
        fade = 0.25 + 0.75 * np.clip((np.arange(image.shape[0]) - far) / max(near - far, 1.0), 0.0, 1.0)  # (H,)
        _paint(image, [area], [self.color], self.opacity * fade)


@final
class CaptionAnnotator(Annotator):
    """Writes a line of text into the upper left corner, on a dark strip. Only ASCII characters can be drawn."""

    def __init__(self, text: str | Callable[[LanePrediction], str] | None = None) -> None:
        """Fix the text, or how it comes from a prediction; None gives the number of lanes and the speed, if known."""
        self.text = text

    def draw(self, image: Image, prediction: LanePrediction) -> None:
        """Write the text, in place; nothing if it is empty."""
        if self.text is None:
            text = describe(prediction)
        else:
            text = self.text if isinstance(self.text, str) else self.text(prediction)
        if text:
            margin = max(4, image.shape[1] // 80)
            _draw_text(image, text, (margin, margin), 1.0, (255, 255, 255), centered=False)


def describe(prediction: LanePrediction) -> str:
    """One line about a prediction: `2 lanes  40 fps`, `no lanes`."""
    count = sum(len(lane.points) > 0 for lane in prediction.lanes)
    lanes = "no lanes" if count == 0 else "1 lane" if count == 1 else f"{count} lanes"
    return f"{lanes}  {1 / prediction.run_time:.0f} fps" if prediction.run_time > 0 else lanes


def _ribbon(points: Points, widths: NDArray[np.float64]) -> Points:
    """The outline of a line of varying width, (N, 2), (N,) -> (2N, 2)."""
    directions = np.gradient(points, axis=0)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-9)
    normals = directions[:, ::-1] * (-1, 1)
    offsets = normals * widths[:, None] / 2
    return np.concatenate([points + offsets, (points - offsets)[::-1]])


def _area_between(left: Points, right: Points, image_height: int) -> Points | None:
    """The outline of what lies between two lines, over the rows that both have; None if that is nothing."""
    far = max(left[:, 1].min(), right[:, 1].min())
    near = min(left[:, 1].max(), right[:, 1].max(), image_height + 0.5)
    if near - far < 1:
        return None
    rows = np.linspace(near, far, 64)
    left_x, right_x = sample_at_rows(left, rows), sample_at_rows(right, rows)
    good = left_x <= right_x  # False where either is NaN
    count = len(rows) if good.all() else int(good.argmin())  # lines that cross end the area
    if count < 2:
        return None
    sides = [np.column_stack([left_x[:count], rows[:count]]), np.column_stack([right_x[:count], rows[:count]])[::-1]]
    return np.concatenate(sides)


def _paint(
    image: Image, outlines: Sequence[Points], colors: Sequence[Color], opacity: float | NDArray[np.float64]
) -> None:
    """Fill polygons in place, antialiased; `opacity` is one number or one for each image row, which change slowly."""
    height, width = image.shape[:2]
    # Corners far outside would overflow OpenCV's whole numbers.
    clipped = [np.clip(outline, (-4.0 * width, -4.0 * height), (5.0 * width, 5.0 * height)) for outline in outlines]
    everything = np.concatenate(clipped)
    left, top = np.clip(np.floor(everything.min(axis=0)).astype(int) - 1, 0, (width, height)).tolist()
    right, bottom = np.clip(np.ceil(everything.max(axis=0)).astype(int) + 2, 0, (width, height)).tolist()
    if bottom <= top or right <= left:
        return
    below = image[top:bottom, left:right]
    painted = below.copy()
    for outline, color in zip(clipped, colors, strict=True):
        corners = np.round((outline - (left, top)) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(painted, [corners], color, cv2.LINE_AA, _SHIFT)
    step = _BAND if isinstance(opacity, np.ndarray) else bottom - top
    for start in range(0, bottom - top, step):
        band = below[start : start + step]
        share = float(opacity[top + start]) if isinstance(opacity, np.ndarray) else opacity
        cv2.addWeighted(painted[start : start + step], share, band, 1 - share, 0, dst=band)


def _draw_text(
    image: Image, text: str, position: tuple[float, float], scale: float, color: Color, *, centered: bool
) -> None:
    """Write text on a dark strip in place; `position` is the strip's upper left corner, or its lower middle."""
    height, width = image.shape[:2]
    size = max(0.35, scale * width / 1400)
    thickness = max(1, round(size * 1.2))
    text = text.encode("ascii", "replace").decode()
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, size, thickness)
    pad = max(2, text_height // 2)
    strip_width, strip_height = text_width + 2 * pad, text_height + baseline + 2 * pad
    x, y = position
    left, top = (x - strip_width / 2, y - strip_height) if centered else (x, y)
    left, top = max(0, min(round(left), width - strip_width)), max(0, min(round(top), height - strip_height))
    strip = image[top : top + strip_height, left : left + strip_width]
    strip[:] = (strip * 0.35).astype(np.uint8)
    cv2.putText(image, text, (left + pad, top + pad + text_height), _FONT, size, color, thickness, cv2.LINE_AA)
