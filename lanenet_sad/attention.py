"""Attention: what every encoder block looks at, drawn over pictures and videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from lanenet_sad.distillation.attention_map import attention_map
from lanenet_sad.inference.interrupts import uninterrupted
from lanenet_sad.inference.maps_archive import MapsArchive
from lanenet_sad.inference.naming import name_below_out
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.inference.progress import with_progress
from lanenet_sad.inference.sinks import VideoSink, write_image
from lanenet_sad.inference.sources import ImagesSource, Source, open_sources
from lanenet_sad.lanes.lane import Frame, Image
from lanenet_sad.visualization.attention_grid import attention_grid

Map = NDArray[np.float32]
Mapping = Literal["sum", "max"]


@dataclass(frozen=True)
class AttentionSummary:
    """What was written.

    Attributes:
        num_frames: pictures or video frames.
        paths: the files written.
        faults: one sentence per corrupt picture, frame or file.
    """

    num_frames: int
    paths: tuple[Path, ...]
    faults: tuple[str, ...]


def attention(
    source: str,
    *,
    out: Path,
    weights: tuple[Path, ...] = (),
    titles: tuple[str, ...] = (),
    mapping: Mapping = "sum",
    power: float = 2,
    normalization: Literal["minmax", "softmax", "none"] = "minmax",
    device: str = "auto",
    crop_top: float | None = None,
    sequence: bool = False,
    every: int = 1,
    cell_width: int = 640,
    progress: bool = True,
) -> AttentionSummary:
    """Draw the attention map of every encoder block over pictures: a grid of blocks x checkpoints.

    Give two checkpoints to see before and after SAD side by side, or one for each method of an ablation, with
    `--titles`. Networks may differ in their blocks; where one has none, its column is empty. The maps themselves go to
    an `.npz` beside each picture (video): array `<title>/E<block>` (and `/<frame>`), as the network made them, not
    normalised.

    Args:
        source: an image, a folder, a glob pattern in quotes, a video, or the index of a camera.
        out: folder for `<name>.attention.png` or `.mp4` and `<name>.attention.npz`.
        weights: one or more checkpoints, one column each; default: the weights in the package.
        titles: of the columns; default: the files' names.
        mapping: sum or max over channels (SAD's F_sum, F_max).
        power: exponent of the absolute activations before the sum or max.
        normalization: of the pictures: minmax per map (default), softmax (as SAD's paper; mostly spikes), none.
        device: auto, cpu, cuda or mps.
        crop_top: fraction of the height to cut off the top instead of the network's own rule.
        sequence: the images of a folder are consecutive frames.
        every: of a video, use each so many-th frame.
        cell_width: largest width in pixels of each small picture.
        progress: show progress.
    """
    for name, (value, least) in {"every": (every, 1), "cell_width": (cell_width, 32)}.items():
        if value < least:
            raise ValueError(f"{name}: expected at least {least}, got {value}.")
    predictors = [Predictor.from_weights(path, device=device, crop_top=crop_top) for path in weights or (None,)]
    names = titles or column_titles(weights)
    if len(names) != len(predictors):
        raise ValueError(f"titles: expected one per checkpoint ({len(predictors)}), got {len(names)}.")
    if len(set(names)) < len(names):
        raise ValueError(f"titles: expected different ones, since they name the maps, got {', '.join(names)}.")
    maker = _GridMaker(predictors, names, mapping, power, normalization, cell_width)
    paths, faults = list[Path](), list[str]()
    for each in open_sources(source, sequence=sequence, leave_out=out):
        with each:
            kept = (frame for frame in each if frame.index % every == 0)
            total = None if each.num_frames is None else -(-each.num_frames // every)
            shown = with_progress(kept, description=each.name, total=total, enabled=progress)
            write = _write_images if isinstance(each, ImagesSource) else _write_video
            paths += write(each, shown, maker, out)
            faults += each.faults
    print(f"{maker.num_frames} frames; wrote {len(paths)} files in {out}")
    return AttentionSummary(maker.num_frames, tuple(paths), tuple(faults))


def column_titles(weights: tuple[Path, ...]) -> tuple[str, ...]:
    """The shortest ends of the files' paths that tell checkpoints apart; numbers where the same file comes twice."""
    names = [path.with_suffix("").resolve().parts[1:] for path in weights] or [("shipped weights",)]
    for length in range(1, max(len(parts) for parts in names) + 1):
        titles = tuple("/".join(parts[-length:]) for parts in names)
        if len(set(titles)) == len(titles):
            return titles
    return tuple(f"{parts[-1]} {number}" for number, parts in enumerate(names, start=1))


@dataclass
class _GridMaker:
    predictors: list[Predictor]
    titles: tuple[str, ...]
    mapping: Mapping
    power: float
    normalization: Literal["minmax", "softmax", "none"]
    cell_width: int
    num_frames: int = 0

    def __call__(self, image: Image) -> tuple[Image, dict[str, Map]]:
        """The grid and the raw maps, `<title>/E<block>` -> (H_k, W_k)."""
        self.num_frames += 1
        columns, placements = [], []
        for predictor in self.predictors:
            output, (placement,) = predictor.forward([image])
            columns.append([self._map(feature) for feature in output.features])
            placements.append(placement)
        raw = {
            f"{title}/E{block}": a_map
            for title, column in zip(self.titles, columns, strict=True)
            for block, a_map in enumerate(column, start=1)
        }
        blocks = [list(row) for row in zip_longest(*columns)]  # [block][checkpoint]
        grid = attention_grid(
            image,
            blocks,
            column_titles=self.titles,
            normalization=self.normalization,
            placements=placements,
            cell_width=self.cell_width,
        )
        return grid, raw

    def _map(self, feature: torch.Tensor) -> Map:
        single: Map = attention_map(feature.float(), self.mapping, self.power)[0].cpu().numpy()
        return single


def _write_images(source: Source, frames: Iterable[Frame], maker: _GridMaker, out: Path) -> list[Path]:
    """A picture and an archive of maps for every image."""
    paths: list[Path] = []
    bases = Counter(str(Path(file).with_suffix("")) for file in source.files)
    for frame in frames:
        grid, maps = maker(frame.image)
        base = out / name_below_out(source, frame)
        if bases[str(Path(frame.source).with_suffix(""))] == 1:
            base = base.with_suffix("")  # else the suffix tells road.jpg from road.png
        picture, archive = (base.with_name(f"{base.name}.attention.{kind}") for kind in ("png", "npz"))
        write_image(picture, grid)
        with MapsArchive(archive) as file:
            file.write(maps)
        paths += [picture, archive]
    return paths


def _write_video(source: Source, frames: Iterable[Frame], maker: _GridMaker, out: Path) -> list[Path]:
    """One video of grids and one archive of maps; both keep what is done, whatever ends the video."""
    picture, archive = out / f"{source.name}.attention.mp4", out / f"{source.name}.attention.npz"
    sink: VideoSink | None = None
    with ExitStack() as stack:
        file = stack.enter_context(MapsArchive(archive))
        for frame in frames:
            grid, maps = maker(frame.image)
            if sink is None:
                size = (grid.shape[0], grid.shape[1])
                sink = stack.enter_context(VideoSink(picture, fps=source.fps or 25.0, size=size))
            with uninterrupted():  # or the video would have a frame more than there are maps
                sink.write(grid, frame.time)
                file.write({f"{name}/{frame.index:06d}": a_map for name, a_map in maps.items()})
    return [] if sink is None else [picture, archive]
