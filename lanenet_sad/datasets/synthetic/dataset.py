"""Rendered roads as a dataset: training without files on disk."""

from __future__ import annotations

from pathlib import Path
from typing import final

from lanenet_sad.datasets.base import LaneDataset, LaneRecord, draw_lane_mask
from lanenet_sad.datasets.synthetic.benchmark_files import write_picture
from lanenet_sad.datasets.synthetic.draws import scene_rng
from lanenet_sad.datasets.synthetic.layouts import Difficulty
from lanenet_sad.datasets.synthetic.render import RENDERER_VERSION, RenderedScene, render_scene, scene_lanes
from lanenet_sad.datasets.synthetic.scene import draw_scene
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
            takes a fifth of the time; None keeps none. The pictures are those of the JPEG also the first time.

    Raises:
        ValueError: there is no picture, or the size or the difficulty is out of range.
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
        self.num_images = num_images
        self.size = (int(size[0]), int(size[1]))
        self.num_lanes = num_lanes
        self.seed = seed
        self.first_index = first_index
        self.difficulty: Difficulty = difficulty
        kind = f"renderer{RENDERER_VERSION}_seed{seed}_{difficulty}_{self.size[0]}x{self.size[1]}"
        self.cache = None if cache is None else Path(cache) / kind
        draw_scene(scene_rng(seed, first_index), self.size, difficulty)  # refuses bad arguments here, not in training

    def __len__(self) -> int:
        return self.num_images

    def name(self, index: int) -> str:
        """The picture's seed and number, as `synthesize` names its files."""
        return f"/synthetic/seed{self.seed:04d}/{self._number(index):05d}.jpg"

    def image_size(self, index: int) -> tuple[int, int]:
        """`size`, for every picture."""
        self._number(index)
        return self.size

    def image(self, index: int) -> Image:
        """The rendered picture alone."""
        return self.load(index).image

    def label(self, index: int, image_size: tuple[int, int]) -> LanePrediction:
        """All labelled lines of a picture, which is always of `size`; nothing is rendered."""
        number = self._number(index)
        lanes = scene_lanes(
            self.seed, number, image_size=self.size, difficulty=self.difficulty, num_lanes=self.num_lanes
        )
        return LanePrediction(lanes, self.size, self.name(index))

    def load(self, index: int, *, min_size: tuple[int, int] | None = None) -> LaneRecord:
        """The rendered picture with its mask and truth; always of `size`, whatever `min_size` would allow."""
        if self.cache is None:
            scene = self._render(index)
            truth = LanePrediction(scene.lanes, self.size, self.name(index))
            return LaneRecord(scene.image, draw_lane_mask(truth), truth)
        path = self.cache / f"{self._number(index):07d}.jpg"
        if not path.exists():
            write_picture(path, self._render(index).image)
        truth = self.label(index, self.size)
        return LaneRecord(read_image(path), draw_lane_mask(truth), truth)

    def _render(self, index: int) -> RenderedScene:
        return render_scene(
            self.seed,
            self._number(index),
            image_size=self.size,
            difficulty=self.difficulty,
            num_lanes=self.num_lanes,
        )

    def _number(self, index: int) -> int:
        if not 0 <= index < self.num_images:
            raise IndexError(f"Synthetic dataset: expected an index from 0 to {self.num_images - 1}, got {index}.")
        return self.first_index + index
