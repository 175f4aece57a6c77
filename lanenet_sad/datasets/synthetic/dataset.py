"""Rendered roads as a dataset: training without files on disk."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import final

import cv2
import numpy as np

from lanenet_sad.datasets.base import LaneDataset, LaneRecord, draw_lane_mask
from lanenet_sad.datasets.synthetic.benchmark_files import encoded
from lanenet_sad.datasets.synthetic.cross_sections import Difficulty
from lanenet_sad.datasets.synthetic.draws import scene_rng
from lanenet_sad.datasets.synthetic.render import RENDERER_VERSION, render_image, render_scene, scene_lanes
from lanenet_sad.datasets.synthetic.scene import draw_scene
from lanenet_sad.lanes.files import replacing
from lanenet_sad.lanes.images import read_image
from lanenet_sad.lanes.lane import Image, LanePrediction


@final
class Synthetic(LaneDataset):
    """Pictures of the renderer, rendered when they are asked for.

    Args:
        num_images: how many pictures the dataset has.
        size: (height, width) of the pictures in pixels.
        num_lanes: L, the number of lane slots.
        seed: of the set.
        first_index: index of the first picture in the set; sets whose ranges do not overlap share no picture.
        difficulty: `easy` or `mixed`.
        cache: folder in which rendered pictures are kept as JPEG and read back when they are asked for again, which
            takes a fifth of the time; None keeps none. The pictures are those of the JPEG also the first time, and
            where the folder cannot be written to.

    Raises:
        ValueError: there is no picture, or the size, the slots or the difficulty are out of range.
    """

    def __init__(
        self,
        num_images: int,
        *,
        size: tuple[int, int] = (288, 800),
        num_lanes: int = 4,
        seed: int = 0,
        first_index: int = 0,
        difficulty: Difficulty = "mixed",
        cache: str | Path | None = None,
    ) -> None:
        if num_images < 1:
            raise ValueError(f"Synthetic dataset: expected 1 image or more, got {num_images}.")
        if num_lanes < 2:
            raise ValueError(f"Synthetic dataset: expected 2 lane slots or more, got {num_lanes}.")
        self.num_images = num_images
        self.size = (int(size[0]), int(size[1]))
        self.num_lanes = num_lanes
        self.seed = seed
        self.first_index = first_index
        self.difficulty: Difficulty = difficulty
        kind = f"renderer{RENDERER_VERSION}_seed{seed}_{difficulty}_{self.size[0]}x{self.size[1]}"
        self.cache = None if cache is None else Path(cache) / kind
        self._fills_cache = True
        draw_scene(scene_rng(seed, first_index), self.size, difficulty)  # refuses bad arguments here, not in training

    def __len__(self) -> int:
        return self.num_images

    def name(self, index: int) -> str:
        """A path of the picture's seed and number in the set; no such file need exist."""
        return f"/synthetic/seed{self.seed:04d}/{self._number(index):05d}.jpg"

    def image_size(self, index: int) -> tuple[int, int]:
        """`size`, for every picture."""
        self._number(index)
        return self.size

    def image(self, index: int) -> Image:
        """The rendered picture alone."""
        kept = self._from_cache(index)
        if kept is not None:
            return kept
        number = self._number(index)
        return self._cached(index, render_image(self.seed, number, image_size=self.size, difficulty=self.difficulty))

    def label(self, index: int, image_size: tuple[int, int]) -> LanePrediction:
        """All labelled lines of a picture, which is always of `size`; nothing is rendered."""
        number = self._number(index)
        lanes = scene_lanes(
            self.seed, number, image_size=self.size, difficulty=self.difficulty, num_lanes=self.num_lanes
        )
        return LanePrediction(lanes, self.size, self.name(index))

    def load(self, index: int, *, min_size: tuple[int, int] | None = None) -> LaneRecord:
        """The rendered picture with its mask and truth; always of `size`, whatever `min_size` would allow."""
        image = self._from_cache(index)
        if image is not None:
            truth = self.label(index, self.size)
            return LaneRecord(image, draw_lane_mask(truth), truth)
        scene = render_scene(
            self.seed,
            self._number(index),
            image_size=self.size,
            difficulty=self.difficulty,
            num_lanes=self.num_lanes,
        )
        truth = LanePrediction(scene.lanes, self.size, self.name(index))
        return LaneRecord(self._cached(index, scene.image), draw_lane_mask(truth), truth)

    def _cache_path(self, folder: Path, index: int) -> Path:
        return folder / f"{self._number(index):07d}.jpg"

    def _from_cache(self, index: int) -> Image | None:
        """The picture if it was rendered before."""
        if self.cache is None or not (path := self._cache_path(self.cache, index)).exists():
            return None
        return read_image(path)

    def _cached(self, index: int, image: Image) -> Image:
        """Puts a picture into the cache, if there is one, and gives it as it comes out."""
        if self.cache is None:
            return image
        code = encoded(image, ".jpg")
        if self._fills_cache:
            try:
                with replacing(self._cache_path(self.cache, index)) as temporary:
                    temporary.write_bytes(code)
            except OSError as error:
                self._fills_cache = False
                warnings.warn(f"Synthetic dataset: from here on no picture is cached. {error}", stacklevel=2)
        decoded = cv2.imdecode(np.frombuffer(code, dtype=np.uint8), cv2.IMREAD_COLOR)
        return np.ascontiguousarray(np.asarray(decoded, dtype=np.uint8)[..., ::-1])

    def _number(self, index: int) -> int:
        if not 0 <= index < self.num_images:
            raise IndexError(f"Synthetic dataset: expected an index from 0 to {self.num_images - 1}, got {index}.")
        return self.first_index + index
