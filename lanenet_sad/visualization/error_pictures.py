"""The worst frames of an evaluation, and pictures of what was found, invented and missed in them."""

from __future__ import annotations

import base64
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import cv2
import numpy as np

from lanenet_sad.lanes.images import image_size, read_image
from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.visualization.error_figures import FrameOutcome

PICTURE_WIDTH = 640
_QUALITY = 72

#: Classes of lines in the page's style sheet, which gives each a colour and a dash pattern; drawn in this order.
FOUND_LABEL, MISSED_LABEL, TRUE_POSITIVE, FALSE_POSITIVE = "label", "fn", "tp", "fp"


@dataclass(frozen=True, eq=False)
class BadFrame:
    """One frame with its lanes, of few points each.

    Attributes:
        number: its place in the list, from 0.
        prediction: the lanes that were found.
        truth: the lanes of the label.
        outcome: which lanes belong together.
        category: of the frame, if it has one.
        image_path: of its picture, which need not be there.
    """

    number: int
    prediction: LanePrediction
    truth: LanePrediction
    outcome: FrameOutcome
    category: str | None
    image_path: Path | None


class WorstFrames:
    """Keeps the frames with the most wrong and missed lanes; among equals those that lose most IoU, then the first.

    Args:
        number: how many to keep; frames without any wrong or missed lane are not kept.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._heap: list[tuple[tuple[int, float, int], BadFrame]] = []

    def add(self, frame: BadFrame) -> None:
        """Adds a frame, if it is bad enough."""
        errors = frame.outcome.fp + frame.outcome.fn
        if errors == 0 or self.number == 0:
            return
        item = ((errors, frame.outcome.iou_lost, -frame.number), frame)  # no two frames have the same key
        if len(self._heap) < self.number:
            heapq.heappush(self._heap, item)
        else:
            heapq.heappushpop(self._heap, item)

    def sorted(self) -> list[BadFrame]:
        """The worst one first."""
        return [frame for _, frame in sorted(self._heap, key=lambda item: item[0], reverse=True)]


def picture(frame: BadFrame) -> str:
    """An SVG picture of a frame: its image, or grey where that cannot be read, and over it all lanes."""
    size, image = _embedded_image(frame)
    height, width = size
    ground = f'<image width="{width}" height="{height}" href="{image}" preserveAspectRatio="none"/>' if image else ""
    name = escape(frame.truth.name or "a frame without a name")
    counts = f"{frame.outcome.tp} lanes found, {frame.outcome.fp} wrong, {frame.outcome.fn} missed"
    return (
        f'<svg class="frame" role="img" aria-label="{name}: {counts}" viewBox="0 0 {width} {height}">'
        f'<rect class="ground" width="{width}" height="{height}"/>{ground}{_lines(frame)}</svg>'
    )


def _lines(frame: BadFrame) -> str:
    """All lanes, those that matter most on top."""
    outcome, hits = frame.outcome, frame.outcome.hits
    labels, predicted = frame.truth.lanes, frame.prediction.lanes
    by_class = (
        (FOUND_LABEL, [lane for lane, found in zip(labels, outcome.found, strict=True) if found]),
        (TRUE_POSITIVE, [lane for number, lane in enumerate(predicted) if number in hits]),
        (FALSE_POSITIVE, [lane for number, lane in enumerate(predicted) if number not in hits]),
        (MISSED_LABEL, [lane for lane, found in zip(labels, outcome.found, strict=True) if not found]),
    )
    return "".join(_polylines(kind, lanes) for kind, lanes in by_class)


def _polylines(kind: str, lanes: Sequence[Lane]) -> str:
    """Every lane twice: a dark rim below makes colours readable on snow and concrete."""
    texts = [_coordinates(lane) for lane in lanes if len(lane.points)]
    rims = "".join(f'<polyline class="rim" points="{text}"/>' for text in texts)
    return rims + "".join(f'<polyline class="{kind}" points="{text}"/>' for text in texts)


def _coordinates(lane: Lane) -> str:
    points = lane.points if len(lane.points) > 1 else np.repeat(lane.points, 2, axis=0)  # a dot
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points.clip(-1e6, 1e6).tolist())


def _embedded_image(frame: BadFrame) -> tuple[tuple[int, int], str | None]:
    """The picture's (height, width), and a small JPEG of it as an address; None where it cannot be read."""
    height, width = frame.truth.image_size
    size = (max(height, 1), max(width, 1))
    if frame.image_path is None:
        return size, None
    try:
        size = image_size(frame.image_path)
        small_height = max(1, round(size[0] * PICTURE_WIDTH / size[1]))
        image = read_image(frame.image_path, min_size=(small_height, PICTURE_WIDTH))
    except (ValueError, OSError):
        return size, None
    if image.shape[1] > PICTURE_WIDTH:
        image = np.asarray(
            cv2.resize(image, (PICTURE_WIDTH, small_height), interpolation=cv2.INTER_AREA), dtype=np.uint8
        )
    done, code = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        return size, None
    return size, f"data:image/jpeg;base64,{base64.b64encode(code.tobytes()).decode()}"
