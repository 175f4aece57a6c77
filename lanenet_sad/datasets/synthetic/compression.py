"""What storing and sending do to a picture: JPEG, video codecs, small sizes, fields and blended frames."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.draws import chance
from lanenet_sad.lanes.lane import Image


@dataclass(frozen=True)
class Compression:
    """How a picture was stored.

    Attributes:
        quality: of the last JPEG, 1..100; 100 leaves it out.
        video_quality: of an earlier round with another block grid, as a video codec's; 100 leaves it out.
        scale: size at which the earlier round happened, as a share of the picture's.
        smear: how much weak texture the codec has washed out, 0..1.
        chroma: by how much the colours are coarser than the brightness; 1 for not at all.
        interlace: columns by which every second row lags behind, per 400 pixels of width.
        ghost: how much of the frame before shines through, 0..1.
    """

    quality: int = 88
    video_quality: int = 100
    scale: float = 1.0
    smear: float = 0.0
    chroma: int = 1
    interlace: float = 0.0
    ghost: float = 0.0


def draw_compression(rng: np.random.Generator) -> Compression:
    """From hardly any loss to a video that was uploaded twice."""
    quality = int(rng.integers(15, 45) if chance(rng, 0.2) else rng.integers(45, 97))
    video = chance(rng, 0.42)
    return Compression(
        quality=quality,
        video_quality=int(rng.integers(12, 60)) if video else 100,
        scale=float(rng.uniform(0.42, 1.0)) if chance(rng, 0.3) else 1.0,
        smear=float(rng.uniform(0.3, 1.0)) if video and chance(rng, 0.6) else 0.0,
        chroma=int(rng.choice((2, 4, 8))) if video else 1,
        interlace=float(rng.uniform(0.5, 2.0)) if chance(rng, 0.03) else 0.0,
        ghost=float(rng.uniform(0.2, 0.45)) if chance(rng, 0.04) else 0.0,
    )


def compress(picture: Image, compression: Compression) -> Image:
    """The picture after it has been stored; the same size, RGB uint8."""
    height, width = picture.shape[:2]
    stored = picture
    if compression.ghost > 0:
        stored = _add_ghost(stored, compression.ghost)
    if compression.interlace * width / 400 >= 0.5:
        stored = stored.copy()
        stored[1::2] = np.roll(stored[1::2], max(1, round(compression.interlace * width / 400)), axis=1)
    if compression.scale < 1:
        size = (max(16, round(compression.scale * width)), max(16, round(compression.scale * height)))
        stored = np.asarray(cv2.resize(stored, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if compression.smear > 0:
        smooth = cv2.medianBlur(stored, 5)
        stored = np.asarray(cv2.addWeighted(smooth, compression.smear, stored, 1 - compression.smear, 0), np.uint8)
    if compression.chroma > 1:
        stored = _coarsen_colours(stored, compression.chroma)
    if compression.video_quality < 100:
        shifted = cv2.copyMakeBorder(stored, 4, 0, 4, 0, cv2.BORDER_REPLICATE)
        stored = _jpeg(np.asarray(shifted, dtype=np.uint8), compression.video_quality)[4:, 4:]
    if compression.scale < 1:
        stored = np.asarray(cv2.resize(stored, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    return _jpeg(stored, compression.quality) if compression.quality < 100 else np.ascontiguousarray(stored)


def _jpeg(picture: Image, quality: int) -> Image:
    """The picture after a round through JPEG."""
    _, code = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded), dtype=np.uint8)


def _coarsen_colours(picture: Image, step: int) -> Image:
    height, width = picture.shape[:2]
    planes = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
    small = cv2.resize(planes[..., 1:], (max(2, width // step), max(2, height // step)), interpolation=cv2.INTER_AREA)
    planes[..., 1:] = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB), dtype=np.uint8)


def _add_ghost(picture: Image, strength: float) -> Image:
    """Mixes in the frame before, which shows the road from a little farther back."""
    height, width = picture.shape[:2]
    zoom = 0.975
    matrix = np.array([[zoom, 0, (1 - zoom) * width / 2], [0, zoom, (1 - zoom) * 0.35 * height]])
    before = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.addWeighted(picture, 1 - strength, before, strength, 0), dtype=np.uint8)
