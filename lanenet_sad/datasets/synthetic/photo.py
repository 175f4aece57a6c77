"""What the camera makes of the light: exposure, colour, blur and noise, then what is done to the picture."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.compression import Compression, compress
from lanenet_sad.datasets.synthetic.grading import Grading, grade, saturation_mix
from lanenet_sad.datasets.synthetic.overlay import Caption, burn_in
from lanenet_sad.datasets.synthetic.precipitation import add_snow
from lanenet_sad.datasets.synthetic.textures import TILE, FloatImage, noise_tile
from lanenet_sad.datasets.synthetic.windscreen import Windscreen, look_through
from lanenet_sad.lanes.lane import Image


@dataclass(frozen=True)
class Photo:
    """How the camera develops a picture.

    Attributes:
        brightness: what the exposure brings the median of the lower picture to, 0..255.
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
        grain: size of the noise's grains in pixels per 800 pixels of width; 1 or less is fine noise.
        snowfall: density of falling snow, 0..1.
        windscreen: what is on and before the glass.
        captions: text burnt into the picture.
        grading: what was done to the colours afterwards.
        compression: how the picture was stored.
        glass: number of the shapes on and before the glass, which stay as they are during a drive.
    """

    brightness: float = 115.0
    gain_limit: float = 2.2
    gamma: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    vignetting: float = 0.1
    blur: float = 0.3
    motion: float = 0.0
    sharpening: float = 0.0
    noise: float = 2.0
    grain: float = 1.0
    snowfall: float = 0.0
    windscreen: Windscreen = field(default_factory=Windscreen)
    captions: tuple[Caption, ...] = ()
    grading: Grading = field(default_factory=Grading)
    compression: Compression = field(default_factory=Compression)
    glass: int = 0


def develop(image: Image, photo: Photo, rng: np.random.Generator) -> Image:
    """The camera's picture of a turned scene, (H, W, 3) RGB uint8 -> the same shape; `image` may be changed."""
    unit = image.shape[1] / 400
    if photo.snowfall > 0:
        add_snow(image, photo.snowfall, rng)
    exposed = _expose(image, photo)
    look_through(exposed, photo.windscreen, photo.glass)
    if photo.vignetting > 0:
        exposed *= _vignette(exposed.shape[0], exposed.shape[1], photo.vignetting)[..., None]
    if photo.blur * unit > 0.15:
        exposed = np.asarray(cv2.GaussianBlur(exposed, (0, 0), photo.blur * unit), dtype=np.float32)
    if photo.motion * unit >= 1:
        exposed = np.asarray(cv2.blur(exposed, (1, 1 + 2 * round(photo.motion * unit / 2))), dtype=np.float32)
    if photo.sharpening > 0:
        exposed += photo.sharpening * (exposed - cv2.GaussianBlur(exposed, (0, 0), 1.0))
    if photo.noise > 0:
        exposed += _noise(exposed.shape, photo, rng)
    picture = grade(np.clip(exposed, 0, 255).astype(np.uint8), photo.grading)
    burn_in(picture, photo.captions)
    return compress(picture, photo.compression)


def _expose(image: Image, photo: Photo) -> FloatImage:
    """Automatic exposure and colour; one table per channel, as every step acts on each grey level alone."""
    lower = image[image.shape[0] // 2 :: 4, ::4]
    # The median is what the road has; the mean keeps a few lit spots at night from being overexposed.
    metered = max(0.7 * float(np.median(lower)) + 0.3 * float(lower.mean()), 1.0)
    gain = float(np.clip(photo.brightness / metered, 0.5, photo.gain_limit))
    levels = np.arange(256, dtype=np.float32)[:, None] * np.asarray(photo.white_balance, np.float32) * gain
    # A soft shoulder keeps bright sky and paint from clipping to flat white.
    levels = np.where(levels > 190, 190 + 65 * np.tanh((levels - 190) / 65), levels)
    levels = 255 * (levels / 255) ** (1 / photo.gamma)
    levels = (levels - photo.brightness) * photo.contrast + photo.brightness
    exposed = cv2.LUT(image, np.clip(levels, 0, 255).astype(np.float32).reshape(1, 256, 3))
    return np.asarray(cv2.transform(exposed, saturation_mix(photo.saturation)), dtype=np.float32)


def _vignette(height: int, width: int, strength: float) -> FloatImage:
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    return np.asarray(1 - strength * (x**2 + y**2) / 2, dtype=np.float32)


def _noise(shape: tuple[int, ...], photo: Photo, rng: np.random.Generator) -> FloatImage:
    """Sensor noise of a picture: pieces of a white tile, shifted anew for every picture and channel.

    Coarse grains are what noise reduction and codecs leave of it.
    """
    tile = noise_tile(0.0, 30)
    grain = photo.grain * shape[1] / 800
    height, width = shape[:2] if grain <= 1.2 else (int(shape[0] / grain) + 1, int(shape[1] / grain) + 1)
    noise = np.empty((height, width, shape[2]), dtype=np.float32)
    for channel in range(shape[2]):
        row, column = rng.integers(0, TILE, 2)
        rows = (np.arange(height) + row) % TILE
        columns = (np.arange(width) + column) % TILE
        noise[..., channel] = np.take(tile[rows], columns, axis=1)
    if grain > 1.2:
        noise = np.asarray(cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    return np.asarray(noise * np.float32(photo.noise), dtype=np.float32)
