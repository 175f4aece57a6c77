"""Tileable noise, made once per process: the grain of asphalt, grass, clouds and worn paint."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]

TILE = 512


@lru_cache(maxsize=32)
def noise_tile(exponent: float, number: int = 0) -> FloatImage:
    """(TILE, TILE) noise with mean 0 and standard deviation 1 whose opposite borders fit together.

    Args:
        exponent: of the fall of the amplitude with frequency: 0 is white noise, 1 looks like clouds or gravel of
            all sizes, 2 like soft hills.
        number: another tile of the same kind.
    """
    rng = np.random.Generator(np.random.PCG64([20_261_123, number]))
    spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE)))
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None, :])
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(spectrum / frequency**exponent, s=(TILE, TILE))
    tile: FloatImage = (noise / noise.std()).astype(np.float32)
    tile.setflags(write=False)
    return tile


def sample_tile(tile: FloatImage, x: FloatImage, y: FloatImage) -> FloatImage:
    """The endless tiling of `tile` at (x, y), both (H, W) in pixels of the tile; bilinear."""
    return np.asarray(cv2.remap(tile, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), dtype=np.float32)


def stretched_tile(tile: FloatImage, size: tuple[int, int], cells: tuple[float, float], shift: int) -> FloatImage:
    """A piece of `tile` of `cells` = (rows, columns) pixels, beginning `shift` pixels in, resized to `size`."""
    rows = (np.arange(max(2, round(cells[0]))) + shift) % TILE
    columns = (np.arange(max(2, round(cells[1]))) + 3 * shift) % TILE
    piece = np.ascontiguousarray(tile[np.ix_(rows, columns)])
    return np.asarray(cv2.resize(piece, (size[1], size[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
