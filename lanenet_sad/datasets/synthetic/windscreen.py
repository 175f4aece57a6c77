"""What lies between the lens and the road and moves with the car: bonnet, dashboard, wiper, dirt and reflections."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.draws import chance, choose, still_rng
from lanenet_sad.datasets.synthetic.interior import add_dashboard, add_mirror, add_pillar
from lanenet_sad.datasets.synthetic.textures import FloatImage


@dataclass(frozen=True)
class Windscreen:
    """What the camera has before it. All shares are 0 for nothing.

    Attributes:
        bonnet: share of the picture's height that the bonnet covers.
        bonnet_shade: brightness of the bonnet against the sky.
        gloss: how clearly the bonnet mirrors the scene, 0..1.
        dashboard: share of the picture's height that the dashboard covers.
        wiper: angle of the wiper against the horizontal in radians.
        reflection: strength of what the windscreen mirrors of the dashboard.
        haze: veil of a dirty or sunlit windscreen, 0..1.
        beams: strength of the sun's streaks.
        dirt: number of specks, as a share of very many.
        mirror: share of the picture's height that a mirror or sticker covers at the top.
        pillar: share of the picture's width that the frame of the windscreen covers on one side.
    """

    bonnet: float = 0.0
    bonnet_shade: float = 0.2
    gloss: float = 0.3
    dashboard: float = 0.0
    wiper: float = 0.0
    reflection: float = 0.0
    haze: float = 0.0
    beams: float = 0.0
    dirt: float = 0.0
    mirror: float = 0.0
    pillar: float = 0.0


def draw_windscreen(rng: np.random.Generator, *, sunny: bool, dark: bool) -> Windscreen:
    """A car of any make; `sunny` brings reflections and beams, by night (`dark`) they are weak."""
    low, high = (0.03, 0.15) if chance(rng, 0.75) else (0.15, 0.4)
    front = rng.uniform()
    sun = 0.25 if dark else 1.0
    return Windscreen(
        bonnet=float(rng.uniform(low, high)) if front < 0.36 else 0.0,
        bonnet_shade=float(choose(rng, (rng.uniform(0.03, 0.2), rng.uniform(0.2, 0.55), rng.uniform(0.55, 0.95)))),
        gloss=float(rng.uniform(0.05, 0.6)),
        dashboard=float(rng.uniform(0.04, 0.2) if chance(rng, 0.8) else rng.uniform(0.2, 0.36)) * (front > 0.9),
        wiper=float(rng.uniform(0.02, 0.16) if chance(rng, 0.65) else rng.uniform(0.16, 1.3)) * chance(rng, 0.09),
        reflection=sun * float(rng.uniform(0.08, 0.55)) * chance(rng, 0.3 if sunny else 0.14),
        haze=sun * float(rng.uniform(0.05, 0.35)) * chance(rng, 0.2 if sunny else 0.08),
        beams=sun * float(rng.uniform(0.2, 0.9)) * chance(rng, 0.14 if sunny else 0.0),
        dirt=float(rng.uniform(0.05, 1.0)) * chance(rng, 0.16),
        mirror=float(rng.uniform(0.05, 0.2)) * chance(rng, 0.07),
        pillar=float(rng.uniform(0.03, 0.16)) * chance(rng, 0.035),
    )


def look_through(image: FloatImage, screen: Windscreen, glass: int) -> None:
    """Lays everything that the camera has before it onto the exposed picture (H, W, 3), in place.

    Args:
        image: float32, 0..255.
        screen: what there is.
        glass: number of the shapes, which stay as they are during a drive.
    """
    if screen.bonnet > 0:
        _add_bonnet(image, screen, still_rng(glass, 0))
    veil = _veil(image.shape[0], image.shape[1], screen, glass)
    if veil is not None:
        image += veil
    if screen.dirt > 0:
        _add_dirt(image, screen.dirt, still_rng(glass, 4))
    if screen.wiper > 0:
        _add_wiper(image, screen.wiper, still_rng(glass, 5))
    if screen.pillar > 0:
        add_pillar(image, screen.pillar, still_rng(glass, 8))
    if screen.dashboard > 0:
        add_dashboard(image, screen.dashboard, still_rng(glass, 6))
    if screen.mirror > 0:
        add_mirror(image, screen.mirror, still_rng(glass, 7))


def _add_bonnet(image: FloatImage, screen: Windscreen, rng: np.random.Generator) -> None:
    """A curved sheet of painted metal at the bottom that mirrors the sky, dim or glossy, with or without ribs."""
    height, width = image.shape[:2]
    outline = height * (1 - screen.bonnet * _bonnet_outline(width, rng))
    first = max(0, int(outline.min()) - 1)
    y = np.arange(first, height, dtype=np.float32)[:, None]
    below = y - outline[None, :]
    cover = np.clip(below + 0.5, 0, 1)[..., None]
    depth = np.clip(below / (screen.bonnet * height + 1), 0, 1)
    sky = image[: max(2, height // 6) : 2, ::2].mean(axis=(0, 1))
    light = np.maximum(sky, image[::8, ::8].mean()) * 0.9
    paint = np.asarray(choose(rng, ((1, 1, 1), (1, 1, 1), (1.1, 0.5, 0.45), (0.5, 0.7, 1.15), (1.05, 0.95, 0.75))))
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    sheen = 0.3 * np.exp(-(((depth - rng.uniform(0, 0.4)) / 0.2) ** 2)) + 0.06 * np.sin(6 * depth + 4 * x)
    for rib in rng.uniform(-0.7, 0.7, int(rng.integers(0, 3))):
        at = x - np.float32(rib) * (1 + 0.5 * depth)
        sheen += rng.uniform(0.05, 0.2) * np.sign(at) * np.exp(-((at / 0.05) ** 2))
    colour = (light * paint * np.maximum(screen.bonnet_shade + sheen * (0.3 + screen.gloss), 0.02)[..., None]).astype(
        np.float32
    )
    colour += screen.gloss * _mirrored(image, first) * (0.75 - 0.5 * depth[..., None])
    # The edge is dark where the metal curves away.
    colour *= (1 - 0.5 * np.exp(-((below / (0.012 * height + 0.5)) ** 2)))[..., None]
    image[first:] += cover * (colour - image[first:])


def _bonnet_outline(width: int, rng: np.random.Generator) -> FloatImage:
    """Height of the bonnet in every column as a share of its greatest height, (W,)."""
    x = np.linspace(-1, 1, width, dtype=np.float32) - np.float32(rng.normal(0, 0.15))
    bow = rng.uniform(0.1, 0.75)
    outline = 1 - bow * np.abs(x) ** rng.uniform(1.6, 5.0)
    if chance(rng, 0.35):  # a bulge or a scoop in the middle
        half = rng.uniform(0.15, 0.5)
        bump = 1 / (1 + np.exp((np.abs(x) - half) / 0.03))
        outline = outline - rng.uniform(-0.15, 0.2) * (1 - bump)
    if chance(rng, 0.2):  # nozzles of the washer
        for nozzle in (-0.3, 0.3):
            outline = outline + 0.08 * np.exp(-(((x - nozzle) / 0.02) ** 2))
    return np.asarray(outline / outline.max(), dtype=np.float32)


def _mirrored(image: FloatImage, first: int) -> FloatImage:
    """What stands above row `first`, upside down and blurred, as the rows below it mirror it."""
    height, width = image.shape[:2]
    above = image[: max(first, 2)][::-1]
    size = (max(4, width // 8), max(4, (height - first) // 4))
    small = cv2.GaussianBlur(cv2.resize(above, size, interpolation=cv2.INTER_AREA), (0, 0), 1.0)
    return np.asarray(cv2.resize(small, (width, height - first), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _veil(height: int, width: int, screen: Windscreen, glass: int) -> FloatImage | None:
    """Light that the windscreen adds: reflections, haze and beams, (H, W, 3), or None; composed at 128 columns."""
    if max(screen.reflection, screen.haze, screen.beams) <= 0:
        return None
    rows, columns = 64, 128
    layer: FloatImage = np.zeros((rows, columns, 3), dtype=np.float32)
    if screen.reflection > 0:
        layer += 120 * screen.reflection * _reflections(rows, columns, still_rng(glass, 1))
    if screen.haze > 0:
        rng = still_rng(glass, 3)
        fall = np.linspace(rng.uniform(0, 1), rng.uniform(0, 1), rows, dtype=np.float32)[:, None, None]
        side = np.linspace(rng.uniform(0.2, 1), rng.uniform(0.2, 1), columns, dtype=np.float32)[None, :, None]
        layer += 150 * screen.haze * fall * side
    if screen.beams > 0:
        layer += 95 * screen.beams * _beams(rows, columns, still_rng(glass, 9))
    return np.asarray(cv2.resize(layer, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _reflections(rows: int, columns: int, rng: np.random.Generator) -> FloatImage:
    """Papers, vents and the edge of the dashboard, (rows, columns, 3) 0..1."""
    layer: FloatImage = np.zeros((rows, columns), dtype=np.float32)
    for _ in range(int(rng.integers(1, 5))):  # papers and mats: slanted sheets
        x, y, across, down, slant = rng.uniform((0, 10, 8, 4, -25), (columns, rows, 70, 26, 25))
        sheet = np.array([(x, y), (x + across, y), (x + across + slant, y + down), (x + slant, y + down)])
        cv2.fillPoly(layer, [sheet.astype(np.int32)], (float(rng.uniform(0.25, 1)),))
    if chance(rng, 0.4):  # a vent: bright slats
        x, y = rng.uniform((0, 0.4 * rows), (columns - 30, rows - 12))
        for slat in range(5):
            low, high = (int(x), int(y + 2.4 * slat)), (int(x + 26), int(y + 2.4 * slat + rng.uniform(-1, 1)))
            cv2.line(layer, low, high, (0.8,), 1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(layer, (0, 0), float(rng.uniform(0.4, 2.0)))
    tint = np.asarray(rng.uniform(0.75, 1.0, 3), dtype=np.float32)
    return np.asarray(soft[..., None] * tint, dtype=np.float32)


def _beams(rows: int, columns: int, rng: np.random.Generator) -> FloatImage:
    """Streaks of the sun from a place near the upper border, (rows, columns, 3) 0..1."""
    layer: FloatImage = np.zeros((rows, columns), dtype=np.float32)
    sun = np.array([rng.uniform(0, columns), rng.uniform(-12, 10)])
    for angle in rng.uniform(0, np.pi, int(rng.integers(3, 9))):
        half, reach = rng.uniform(0.008, 0.05), rng.uniform(0.5, 1.6) * columns
        ends = [sun + reach * np.array([np.cos(a), np.sin(a)]) for a in (angle - half, angle + half)]
        cv2.fillPoly(layer, [np.array([sun, *ends]).astype(np.int32)], (float(rng.uniform(0.15, 0.6)),))
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    distance = np.hypot(x - sun[0], y - sun[1])
    layer = cv2.GaussianBlur(layer, (0, 0), 0.8) * np.exp(-distance / (0.6 * columns)) + 1.4 * np.exp(-distance / 9)
    return np.asarray(layer[..., None] * np.array([1.0, 0.96, 0.85]), dtype=np.float32)


def _add_dirt(image: FloatImage, amount: float, rng: np.random.Generator) -> None:
    """Specks and smears on the glass, bright or dark, out of focus; in place."""
    height, width = image.shape[:2]
    cover = np.zeros((max(8, height // 2), max(8, width // 2)), dtype=np.uint8)
    unit = width / 800
    for _ in range(int(amount**2 * 80) + 2):
        x, y, radius, grey = rng.uniform((0, 0, 0.4, 40), (cover.shape[1], cover.shape[0], 3.0, 200))
        axes = (max(1, round(radius * unit)), max(1, round(radius * unit * rng.uniform(0.6, 2.5))))
        cv2.ellipse(cover, (int(x), int(y)), axes, float(rng.uniform(0, 180)), 0, 360, (int(grey),), -1)
    soft = cv2.resize(cv2.GaussianBlur(cover, (0, 0), max(1.1 * unit, 0.5)), (width, height))
    level = float(rng.uniform(20, 70) if chance(rng, 0.5) else rng.uniform(150, 230))
    image += soft[..., None].astype(np.float32) * np.float32(0.5 / 255) * (np.float32(level) - image)


def _add_wiper(image: FloatImage, angle: float, rng: np.random.Generator) -> None:
    """A wiper's arm and blade: two dark bars from the lower border, parked or sweeping; in place."""
    height, width = image.shape[:2]
    cover = np.zeros((height, width), dtype=np.uint8)
    side = choose(rng, (-1, 1))
    foot = np.array([width * (0.5 - side * rng.uniform(0.0, 0.55)), height * rng.uniform(0.97, 1.1)])
    along = np.array([side * np.cos(angle), -np.sin(angle)])
    middle = foot + along * width * rng.uniform(0.25, 0.4)
    blade_angle = angle * rng.uniform(0.7, 1.0) + rng.uniform(-0.02, 0.03)
    blade = np.array([side * np.cos(blade_angle), -np.sin(blade_angle)]) * width * rng.uniform(0.2, 0.35)
    thick = max(2, round(width * rng.uniform(0.006, 0.014)))
    for start, end, wide in ((foot, middle, 1.2 * thick), (middle - blade, middle + blade, thick)):
        cv2.line(cover, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), (255,), round(wide), cv2.LINE_AA)
    first = int(np.argmax(cover.any(axis=1)))
    soft = cv2.GaussianBlur(cover[first:], (0, 0), max(0.0025 * width, 0.5)).astype(np.float32)[..., None] / 255
    image[first:] += soft * (np.float32(rng.uniform(8, 38)) - image[first:])
