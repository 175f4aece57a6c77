"""What the camera makes of the light: exposure, colour, glare, blur, noise, JPEG, and what is on its lens."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.shapes import Lamps
from lanenet_sad.datasets.synthetic.textures import TILE, FloatImage, noise_tile
from lanenet_sad.lanes.lane import Image


@dataclass(frozen=True)
class Photo:
    """How the camera develops a picture.

    Attributes:
        brightness: what the exposure brings the mean of the lower picture to, 0..255.
        gain_limit: the largest factor of the exposure.
        gamma: above 1 lightens the shadows.
        contrast: slope about middle grey.
        saturation: 0 is grey, 1 as painted.
        white_balance: RGB factors.
        vignetting: darkening of the corners, 0..1.
        blur: standard deviation in pixels per 400 pixels of width.
        motion: vertical blur of near things in pixels per 400 pixels of width.
        sharpening: strength of the camera's own sharpening.
        noise: standard deviation in grey levels.
        jpeg_quality: 1..100; 100 leaves compression out.
        bonnet: share of the picture's height that the ego car's bonnet covers; 0 for none.
        bonnet_shade: brightness of the bonnet.
        reflection: strength of the dashboard's reflection in the windscreen, 0..1.
        caption: text burnt into the picture's lower edge.
        glass: number of the shapes of bonnet, reflection and drops, which stay as they are during a drive.
    """

    brightness: float = 115.0
    gain_limit: float = 1.6
    gamma: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    vignetting: float = 0.1
    blur: float = 0.3
    motion: float = 0.0
    sharpening: float = 0.0
    noise: float = 2.0
    jpeg_quality: int = 88
    bonnet: float = 0.0
    bonnet_shade: float = 0.2
    reflection: float = 0.0
    caption: str = ""
    glass: int = 0


def shine(canvas: Image, lamps: Lamps, rain: float) -> None:
    """Adds lamps with their glare to the canvas in place; drops on the lens widen the glare."""
    if not lamps.points:
        return
    height, width = canvas.shape[:2]
    scale = max(1, width // 400)
    small = np.zeros((height // scale + 1, width // scale + 1, 3), dtype=np.float32)
    for column, row, radius, colour, brightness in lamps.points:
        middle = (round(column / scale * 16), round(row / scale * 16))
        if abs(middle[0]) < 1 << 20 and abs(middle[1]) < 1 << 20:
            shown = tuple(brightness * value for value in colour)
            cv2.circle(small, middle, max(round(radius / scale * 16), 10), shown, -1, cv2.LINE_8, 4)
    near = cv2.GaussianBlur(small, (0, 0), 2.0 + 2.0 * rain)
    wide = cv2.GaussianBlur(cv2.resize(small, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), (0, 0), 5.0)
    glow = small + 1.3 * near + 2.0 * cv2.resize(wide, (small.shape[1], small.shape[0]))
    full = cv2.resize(glow, (width, height), interpolation=cv2.INTER_LINEAR) if scale > 1 else glow[:height, :width]
    canvas[...] = np.clip(canvas + full, 0, 255)


def mirror_wet(canvas: Image, first_row: int, wet: float) -> None:
    """Lays a blurred mirror image of what stands above the road onto the wet road, in place."""
    rows = canvas.shape[0] - first_row
    if wet <= 0 or first_row < 4 or rows < 4:
        return
    above = canvas[max(0, first_row - rows) : first_row][::-1]
    small = cv2.resize(above, (max(8, above.shape[1] // 4), max(4, above.shape[0] // 4)), interpolation=cv2.INTER_AREA)
    smeared = cv2.GaussianBlur(small, (0, 0), sigmaX=0.8, sigmaY=max(1.0, small.shape[0] / 6))
    mirrored = cv2.resize(smeared, (canvas.shape[1], rows), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    ground = canvas[first_row:]
    fall = np.linspace(1.0, 0.35, rows, dtype=np.float32)[:, None, None] * np.float32(wet)
    ground[...] = np.clip(ground * (1 - 0.6 * fall) + mirrored * fall, 0, 255)


def dazzle(canvas: Image, column: float, row: float, strength: float) -> None:
    """The veil of a low sun at a canvas pixel, in place."""
    height, width = canvas.shape[:2]
    y = np.arange(height, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)[None, :]
    distance = np.hypot(x - np.float32(column), y - np.float32(row)) / np.float32(width)
    veil = strength * (np.exp(-((distance / 0.06) ** 2)) + 0.45 * np.exp(-distance / 0.25))
    warm = np.array([255.0, 246.0, 225.0], dtype=np.float32)
    canvas[...] = canvas + (np.minimum(veil, 1.0)[..., None] * (warm - canvas)).astype(np.float32)


def add_rain(image: Image, density: float, glass: int, rng: np.random.Generator) -> None:
    """Streaks in the air, anew in every frame, and drops on the windscreen, in place."""
    height, width = image.shape[:2]
    unit = width / 400
    streaks: Image = np.zeros((height, width), dtype=np.uint8)
    slant = rng.normal(0, 0.25)
    for _ in range(int(density * 120)):
        x, y, length = (float(v) for v in rng.uniform((0, -10, 4 * unit), (width, height, 14 * unit)))
        end = (int(x + slant * length), int(y + length))
        grey, thickness = int(rng.integers(30, 110)), max(1, round(0.6 * unit))
        cv2.line(streaks, (int(x), int(y)), end, (grey,), thickness, cv2.LINE_AA)
    image[...] = np.clip(image + 0.45 * streaks[..., None], 0, 255)
    drops: FloatImage = np.zeros((height, width), dtype=np.float32)
    still = _still_rng(glass, 2)
    for _ in range(int(density * still.uniform(5, 40))):
        x, y, radius, cover = (float(v) for v in still.uniform((0, 0, 1, 0.3), (width, height, 4.5, 0.9)))
        cv2.circle(drops, (int(x), int(y)), max(1, round(radius * unit)), (cover,), -1)
    cover_map = np.asarray(cv2.GaussianBlur(drops, (0, 0), 0.8 * unit))[..., None]
    seen_through = np.asarray(cv2.GaussianBlur(image, (0, 0), 3.0 * unit)) * 1.05
    image[...] = np.clip(image + cover_map * (seen_through - image), 0, 255)


def develop(image: Image, photo: Photo, rng: np.random.Generator) -> Image:
    """The camera's picture of a turned scene, (H, W, 3) RGB uint8 -> the same shape."""
    unit = image.shape[1] / 400
    exposed = _expose(image, photo)
    if photo.bonnet > 0:
        _add_bonnet(exposed, photo, _still_rng(photo.glass, 0))
    if photo.reflection > 0:
        _add_reflection(exposed, photo, _still_rng(photo.glass, 1))
    if photo.vignetting > 0:
        exposed *= _vignette(exposed.shape[0], exposed.shape[1], photo.vignetting)[..., None]
    if photo.blur * unit > 0.15:
        exposed = np.asarray(cv2.GaussianBlur(exposed, (0, 0), photo.blur * unit), dtype=np.float32)
    if photo.motion * unit >= 1:
        exposed = np.asarray(cv2.blur(exposed, (1, 1 + 2 * round(photo.motion * unit / 2))), dtype=np.float32)
    if photo.sharpening > 0:
        exposed += photo.sharpening * (exposed - cv2.GaussianBlur(exposed, (0, 0), 1.0))
    if photo.noise > 0:
        exposed += _noise(exposed.shape, photo.noise, rng)
    picture = np.clip(exposed, 0, 255).astype(np.uint8)
    if photo.caption:
        _burn_in(picture, photo.caption)
    return _compress(picture, photo.jpeg_quality)


def _still_rng(glass: int, use: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([glass, use]))


def _expose(image: Image, photo: Photo) -> FloatImage:
    """Automatic exposure and colour; one table per channel, as every step acts on each grey level alone."""
    lower = image[image.shape[0] // 3 :: 2, ::2]
    gain = float(np.clip(photo.brightness / max(float(lower.mean()), 1.0), 0.5, photo.gain_limit))
    levels = np.arange(256, dtype=np.float32)[:, None] * np.asarray(photo.white_balance, np.float32) * gain
    # A soft shoulder keeps bright sky and paint from clipping to flat white.
    levels = np.where(levels > 190, 190 + 65 * np.tanh((levels - 190) / 65), levels)
    levels = 255 * (levels / 255) ** (1 / photo.gamma)
    levels = (levels - 110) * photo.contrast + 110
    exposed = cv2.LUT(image, np.clip(levels, 0, 255).astype(np.float32).reshape(1, 256, 3))
    mix = photo.saturation * np.eye(3) + (1 - photo.saturation) * np.array([[0.3, 0.59, 0.11]] * 3)
    return np.asarray(cv2.transform(exposed, mix), dtype=np.float32)


def _vignette(height: int, width: int, strength: float) -> FloatImage:
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    return np.asarray(1 - strength * (x**2 + y**2) / 2, dtype=np.float32)


def _noise(shape: tuple[int, ...], deviation: float, rng: np.random.Generator) -> FloatImage:
    """Sensor noise of a picture: pieces of a white tile, shifted anew for every picture and channel."""
    tile = noise_tile(0.0, 30)
    noise = np.empty(shape, dtype=np.float32)
    for channel in range(shape[2]):
        row, column = rng.integers(0, TILE, 2)
        rows = (np.arange(shape[0]) + row) % TILE
        columns = (np.arange(shape[1]) + column) % TILE
        noise[..., channel] = np.take(tile[rows], columns, axis=1)
    return np.asarray(noise * deviation, dtype=np.float32)


def _add_bonnet(image: FloatImage, photo: Photo, rng: np.random.Generator) -> None:
    """The ego car's bonnet: a curved dark shape at the bottom that mirrors the sky."""
    height, width = image.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)
    bow = 0.55 + 0.35 * rng.uniform()
    outline = height * (1 - photo.bonnet * (1 - (1 - bow) * np.abs(x - rng.normal(0, 0.1)) ** rng.uniform(1.8, 3.2)))
    y = np.arange(height, dtype=np.float32)[:, None]
    cover = np.clip(y - outline[None, :] + 0.5, 0, 1)
    depth = np.clip((y - outline[None, :]) / (photo.bonnet * height + 1), 0, 1)
    sky = image[: max(2, height // 6)].mean(axis=(0, 1))
    sheen = 0.35 * np.exp(-(((depth - 0.15) / 0.2) ** 2)) + 0.1 * np.sin(6 * depth + 4 * x[None, :])
    tint = np.asarray(rng.uniform(0.8, 1.0, 3), dtype=np.float32)
    colour = sky * tint * np.maximum(photo.bonnet_shade + sheen, 0.02)[..., None]
    image += cover[..., None] * (colour - image)


def _add_reflection(image: FloatImage, photo: Photo, rng: np.random.Generator) -> None:
    """Bright, blurred shapes of the dashboard that the windscreen mirrors into the lower picture."""
    height, width = image.shape[:2]
    layer: FloatImage = np.zeros((32, 64), dtype=np.float32)
    for _ in range(int(rng.integers(1, 5))):
        left, top, across, down = (int(v) for v in rng.integers((0, 0, 4, 2), (64, 32, 40, 10)))
        layer[top : top + down, left : left + across] = rng.uniform(0.3, 1)
    soft = cv2.resize(cv2.GaussianBlur(layer, (0, 0), 1.2), (width, height), interpolation=cv2.INTER_CUBIC)
    image += 110 * photo.reflection * np.clip(soft, 0, 1)[..., None]


def _burn_in(picture: Image, caption: str) -> None:
    height, width = picture.shape[:2]
    scale = max(0.3, width / 1300)
    at = (round(0.02 * width), height - max(3, round(0.02 * height)))
    for colour, thickness in (((0, 0, 0), 2 + int(2 * scale)), ((235, 235, 235), 1 + int(scale))):
        cv2.putText(picture, caption, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)


def _compress(picture: Image, quality: int) -> Image:
    """The picture after a round through JPEG."""
    if quality >= 100:
        return picture
    _, code = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded), dtype=np.uint8)
