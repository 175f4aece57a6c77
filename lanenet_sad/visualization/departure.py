"""The picture of a lane departure warning: the line that is being crossed, and a banner that says so."""

from __future__ import annotations

from typing import final

import cv2
import numpy as np

from lanenet_sad.lanes.driving import VEHICLE_HALF_WIDTH, DrivingEvent, Side
from lanenet_sad.lanes.lane import Image, LanePrediction, Points
from lanenet_sad.lanes.slots import ego_slots
from lanenet_sad.visualization.annotators import Annotator
from lanenet_sad.visualization.palette import Color

_FONT = cv2.FONT_HERSHEY_DUPLEX
_SHIFT = 4  # bits of a pixel's fraction in OpenCV's whole numbers
_WARNING: Color = (255, 214, 10)
_DARK: Color = (20, 20, 20)


@final
class DepartureAnnotator(Annotator):
    """Highlights the line that the vehicle departs over, and names side and distance in a banner above the road.

    Yellow and black, which people with any colour vision tell from the lanes' colours. The warning stands from the
    event that begins a departure to the one that ends it, so the pictures of a video have to come in their order, and
    `reset` tells that another video begins. Without a departure, the picture stays as it is. A `~` stands before metres
    that rest on an assumed lane width.
    """

    def __init__(self, *, num_lanes: int = 4, half_width: float = VEHICLE_HALF_WIDTH) -> None:
        """Fix the style.

        Args:
            num_lanes: L of the network, which says which slots are the ego lines.
            half_width: metres from the camera to the wheels, as `DepartureWarner` has it.
        """
        self.num_lanes = num_lanes
        self.half_width = half_width
        self._open: dict[Side, DrivingEvent] = {}

    def reset(self) -> None:
        """Forget departures that go on, for a new video."""
        self._open = {}

    def draw(self, image: Image, prediction: LanePrediction) -> None:
        """Draw the warning, in place."""
        for event in prediction.events:
            if event.kind == "departure":
                self._open.pop(event.side, None)
                if not event.is_over:
                    self._open[event.side] = event
        for row, side in enumerate(self._open):
            slot = ego_slots(self.num_lanes)[0 if side == "left" else 1]
            for lane in prediction.lanes:
                if lane.slot == slot and len(lane.points) > 1:
                    _highlight(image, lane.points)
            distance = None if prediction.road is None else prediction.road.wheel_distance(side, self.half_width)
            about = "~" if prediction.road is not None and prediction.road.scale == "assumed" else ""
            known = "" if distance is None else f" {about}{abs(distance):.2f} m{' over' if distance < 0 else ''}"
            _banner(image, f"LANE DEPARTURE {side}{known}", side, row)


def _highlight(image: Image, points: Points) -> None:
    """Draw a line as a broad yellow band with a dark rim, in place."""
    height, width = image.shape[:2]
    thickness = max(4, width // 90)
    limits = np.array([width, height]) * 4.0
    corners = np.round(np.clip(points, -limits, limits) * (1 << _SHIFT)).astype(np.int32)
    for color, broad in ((_DARK, thickness + max(3, thickness // 2)), (_WARNING, thickness)):
        cv2.polylines(image, [corners], False, color, broad, cv2.LINE_8, _SHIFT)


def _banner(image: Image, text: str, side: Side, row: int) -> None:
    """Write a warning on a plate with an arrow to its side, in place; `row` counts the plates from the top down."""
    height, width = image.shape[:2]
    size = max(0.3, width / 1150)
    thickness = max(1, round(size * 1.6))
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, size, thickness)
    pad, arrow = max(3, round(0.7 * text_height)), round(1.6 * text_height)
    plate = (min(text_width + arrow + 3 * pad, width), min(text_height + baseline + 2 * pad, height))
    left, top = (width - plate[0]) // 2, min(round(0.31 * height) + row * round(1.1 * plate[1]), height - plate[1])
    corner = (left + plate[0] - 1, top + plate[1] - 1)
    cv2.rectangle(image, (left, top), corner, _WARNING, -1)
    cv2.rectangle(image, (left, top), corner, _DARK, max(2, thickness))
    middle = top + plate[1] // 2
    tip, back = (left + pad, left + pad + arrow) if side == "left" else (corner[0] - pad, corner[0] - pad - arrow)
    triangle = np.array([(tip, middle), (back, middle - arrow // 2), (back, middle + arrow // 2)], np.int32)
    cv2.fillPoly(image, [triangle], _DARK, cv2.LINE_AA)
    start = left + 2 * pad + arrow if side == "left" else left + pad
    cv2.putText(image, text, (start, top + pad + text_height), _FONT, size, _DARK, thickness, cv2.LINE_AA)
