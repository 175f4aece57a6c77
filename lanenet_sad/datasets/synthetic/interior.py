"""The inside of the car as far as the camera sees it: dashboard, what stands on it, mirror, stickers and pillars."""

from __future__ import annotations

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.draws import chance
from lanenet_sad.datasets.synthetic.textures import FloatImage, noise_tile, stretched_tile


def add_dashboard(image: FloatImage, share: float, rng: np.random.Generator) -> None:
    """A dark, grained surface at the bottom with a nearly straight edge, perhaps with a phone on it; in place."""
    height, width = image.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)
    outline = 1 - rng.uniform(0, 0.25) * x**2 + rng.uniform(-0.12, 0.12) * x
    if chance(rng, 0.4):  # the hood over the instruments
        outline += rng.uniform(0.15, 0.5) * np.exp(-(((x - rng.uniform(-0.6, 0.6)) / rng.uniform(0.15, 0.35)) ** 4))
    top = height * (1 - share * outline / outline.max())
    first = max(0, int(top.min()) - 1)
    below = np.arange(first, height, dtype=np.float32)[:, None] - top[None, :]
    grain = stretched_tile(noise_tile(0.4, 0), below.shape, (0.5 * below.shape[0], 0.5 * width), int(rng.integers(99)))
    level = rng.uniform(12, 85)
    depth = np.clip(below / (share * height + 1), 0, 1)
    shade = level * (1.25 - 0.6 * depth) * (1 + rng.uniform(0.02, 0.12) * grain)
    # A bright line where the sun grazes the edge.
    shade += rng.uniform(0, 50) * np.exp(-(((below - 1.5) / (0.008 * height + 0.6)) ** 2))
    for groove in rng.uniform(0.2, 0.9, int(rng.integers(0, 3))):
        shade *= 1 - 0.4 * np.exp(-(((depth - groove) / 0.03) ** 2))
    tint = np.asarray(rng.uniform(0.9, 1.05, 3), dtype=np.float32)
    cover = np.clip(below + 0.5, 0, 1)[..., None]
    image[first:] += cover * (shade[..., None].astype(np.float32) * tint - image[first:])
    if chance(rng, 0.35):
        _add_phone(image, float(top[width // 2]), rng)


def _add_phone(image: FloatImage, foot: float, rng: np.random.Generator) -> None:
    """A phone in its holder: a dark rounded plate that rises above the dashboard; in place."""
    height, width = image.shape[:2]
    tall, wide = rng.uniform(0.12, 0.4) * height, rng.uniform(0.05, 0.14) * width
    x = rng.uniform(0.02, 0.98) * width
    cover = np.zeros((height, width), dtype=np.uint8)
    box = cv2.boxPoints(((float(x), float(foot - 0.25 * tall)), (float(wide), float(tall)), float(rng.normal(0, 4))))
    cv2.fillPoly(cover, [box.astype(np.int32)], (255,), cv2.LINE_AA)
    _blend(image, cover, float(rng.uniform(10, 45)), max(0.002 * width, 0.6))


def add_mirror(image: FloatImage, share: float, rng: np.random.Generator) -> None:
    """The rear-view mirror, a shade band or a sticker at the upper border; in place."""
    height, width = image.shape[:2]
    if chance(rng, 0.3):  # the tinted band of the windscreen
        rows = max(2, round(share * height))
        fade = np.clip(np.linspace(1.6, 0, rows, dtype=np.float32), 0, 1)[:, None, None]
        band = image[:rows]
        band *= 1 - fade * np.asarray(rng.uniform((0.5, 0.3, 0.2), (0.8, 0.7, 0.6)), dtype=np.float32)
        return
    cover = np.zeros((height, width), dtype=np.uint8)
    if chance(rng, 0.55):
        x, half = rng.uniform(0.1, 0.9) * width, rng.uniform(0.08, 0.2) * width
        axes = (int(half), max(2, int(share * height)))
        cv2.ellipse(cover, (int(x), 0), axes, float(rng.normal(0, 6)), 0, 360, (255,), -1, cv2.LINE_AA)
        _blend(image, cover, float(rng.uniform(5, 40)), max(0.004 * width, 0.7))
        return
    side = share * height
    x = rng.uniform(0, 0.25) * width if chance(rng, 0.5) else rng.uniform(0.75, 1.0) * width
    corner = (int(x), int(rng.uniform(0, side)))
    cv2.rectangle(cover, corner, (corner[0] + int(side), corner[1] + int(side)), (int(rng.uniform(120, 255)),), -1)
    _blend(image, cover, float(rng.uniform(40, 220)), max(0.003 * width, 0.6))


def add_pillar(image: FloatImage, share: float, rng: np.random.Generator) -> None:
    """The slanted frame of the windscreen on one side, and the trim below it; in place."""
    height, width = image.shape[:2]
    lean = rng.uniform(-0.2, 0.6) * share * width
    wide = share * width
    edge = np.array([(0.0, 0.0), (max(wide - lean, 2), 0.0), (wide, 0.55 * height), (wide + lean / 2, float(height))])
    edge = np.vstack([edge, (0.0, float(height))])
    if chance(rng, 0.5):
        edge[:, 0] = width - 1 - edge[:, 0]
    cover = np.zeros((height, width), dtype=np.uint8)
    cv2.fillPoly(cover, [edge.astype(np.int32)], (255,), cv2.LINE_AA)
    _blend(image, cover, float(rng.uniform(15, 110)), max(0.004 * width, 0.7))


def _blend(
    image: FloatImage, cover: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], level: float, soft: float
) -> None:
    """Lays a grey onto the picture where `cover` (H, W) uint8 is set, with soft edges, in place."""
    rows, columns = np.flatnonzero(cover.any(axis=1)), np.flatnonzero(cover.any(axis=0))
    if len(rows) == 0:
        return
    grow = int(3 * soft) + 1
    part = (
        slice(max(0, int(rows[0]) - grow), int(rows[-1]) + grow + 1),
        slice(max(0, int(columns[0]) - grow), int(columns[-1]) + grow + 1),
    )
    share = cv2.GaussianBlur(cover[part], (0, 0), soft).astype(np.float32)[..., None] / 255
    image[part] += share * (np.float32(level) - image[part])
