"""Finds the weights of `LineTypeClassifier` on rendered drives and writes them as a module.

Usage:
    python docs/benchmarks/line_type_fit.py --out lanenet_sad/postprocess/line_type_weights.py

Each set is `SEED:DRIVES:HEIGHT:WIDTH:FRAMES:STEP`: of so many drives of a seed, so many frames, so many frames of 25 a
second apart. Lanes are those of the truth, moved a little, and those that the shipped network finds on them. A softmax
regression with a ridge penalty on figures and their squares; the seeds are not those that `line_types.py` reports on.
Takes about ten minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parent))
from line_types import identified, moved

from lanenet_sad.datasets.synthetic import RenderedDrive
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.lanes.lane import Image, Lane, LaneType
from lanenet_sad.postprocess.line_type import COLOURS, LARGEST, STYLES, figures_with_squares
from lanenet_sad.postprocess.paint_pattern import describe
from lanenet_sad.postprocess.paint_strip import road_scale, unwrap, usual_scale

SETS = ("100:24:720:1280:3:15", "101:240:450:800:2:35")
STYLE_PENALTY, COLOUR_PENALTY = 3e-3, 1e-4
RARITY = 0.3  # lines of a class count as (share of the class) ** -RARITY, as rare classes would hardly ever be told
_FEWEST = 6

Table = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Example:
    """One line of one picture: what the classifier looks at, and the truth."""

    style_figures: Table
    colour_figures: Table
    line_type: LaneType


def main(words: Sequence[str] | None = None) -> None:
    """Render, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--examples", type=Path, help="file to keep what was rendered in, or to take it from")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(words)
    cv2.setNumThreads(1)
    figures, colour_figures, styles, colours = examples_of(options.sets, options.examples)
    # Some figures are nearly always 0 and say most where they are not: their range counts, not their spread.
    off = np.abs(figures - figures.mean(axis=0))
    spread = np.maximum(figures.std(axis=0), off.max(axis=0) / LARGEST)
    scales = np.stack([figures.mean(axis=0), spread + 1e-6], axis=1)
    style_weights = fit(figures_with_squares(figures, scales), styles, len(STYLES), STYLE_PENALTY, RARITY)
    hues = np.hstack([np.ones((len(colour_figures), 1)), colour_figures])
    known = colours < 2  # blue lines are too rare
    both = fit(hues[known], colours[known], 2, COLOUR_PENALTY, 0.0)
    options.out.write_text(module(scales, style_weights, both[:, 1] - both[:, 0]), encoding="utf-8")
    print(f"{len(figures)} lines; wrote {options.out.name}")


def examples_of(sets: Sequence[str], path: Path | None) -> tuple[Table, ...]:
    """Figures of styles and of colours of all lines, and the numbers of their styles and colours."""
    if path is not None and path.exists():
        with np.load(path) as kept:
            return tuple(kept[name] for name in ("figures", "hues", "styles", "colours"))
    examples = collect(sets)
    figures = np.stack([example.style_figures for example in examples])
    hues = np.stack([example.colour_figures for example in examples])
    styles = np.array([STYLES.index(example.line_type.style) for example in examples])
    colours = np.array([COLOURS.index(example.line_type.colour) for example in examples])
    if path is not None:
        np.savez_compressed(path, figures=figures, hues=hues, styles=styles, colours=colours)
    return figures, hues, styles, colours


def collect(sets: Sequence[str]) -> list[Example]:
    """The lines of all pictures of all sets, with the lanes of the truth and with those of the network."""
    predictor = Predictor.from_weights()
    rng = np.random.default_rng(0)
    examples: list[Example] = []
    for one in sets:
        seed, drives, height, width, frames, step = (int(word) for word in one.split(":"))
        for index in range(drives):
            drive = RenderedDrive(seed, index, num_frames=frames * step, image_size=(height, width))
            for number in range(0, frames * step, step):
                truth = drive.truth(number).lanes
                if truth:
                    image, _ = drive.frame(number)
                    slotted = [moved(lane, rng, width) for lane in truth if lane.slot]
                    examples += look(image, slotted, truth)
                    examples += look(image, identified(predictor([image])[0].lanes, truth, width), truth)
    return examples


def look(image: Image, lanes: Sequence[Lane], truth: Sequence[Lane]) -> list[Example]:
    """What the classifier sees of the lanes of a picture, and which types those have."""
    kept = [lane for lane in lanes if len(lane.points) >= _FEWEST]
    if not kept:
        return []
    types = {lane.track_id: lane.line_type for lane in truth}
    lines = [lane.points for lane in kept]
    scale = road_scale(lines, (image.shape[0], image.shape[1])) or usual_scale(lines[0])
    seen = zip(kept, *describe(unwrap(image, lines, scale)), strict=True)
    return [
        Example(styles, colours, kind)
        for lane, styles, colours in seen
        if (kind := types.get(lane.track_id)) is not None
    ]


def fit(figures: Table, classes: NDArray[np.int64], count: int, penalty: float, rarity: float) -> Table:
    """Weights (F, count) of a softmax regression; the first figure is a constant and is not penalised."""
    wanted = np.eye(count)[classes]
    counts = (np.maximum(np.bincount(classes, minlength=count), 1) / len(classes))[classes, None] ** -rarity
    counts /= counts.sum()

    def loss(flat: Table) -> tuple[float, Table]:
        weights = flat.reshape(-1, count)
        values = figures @ weights
        values -= values.max(axis=1, keepdims=True)
        logarithms = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
        slope = figures.T @ (counts * (np.exp(logarithms) - wanted))
        slope[1:] += 2 * penalty * weights[1:]
        return float(penalty * (weights[1:] ** 2).sum() - (counts * logarithms * wanted).sum()), slope.ravel()

    start = np.zeros(figures.shape[1] * count)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    return np.asarray(found.x.reshape(-1, count))


def module(scales: Table, styles: Table, yellow: Table) -> str:
    """The weights as the text of a Python module."""

    def table(numbers: Table) -> str:
        return "".join(f"    [{', '.join(f'{value:.3f}' for value in row)}],\n" for row in numbers)

    return (
        '"""The weights of `LineTypeClassifier`, found on rendered drives by `docs/benchmarks/line_type_fit.py`."""\n'
        "\nimport numpy as np\n\n"
        "# One row for each of `FEATURES`: its mean and its standard deviation.\n"
        f"SCALES = np.array([\n{table(scales)}])  # fmt: skip\n\n"
        "# A constant, the scaled features, and their squares: log-odds of the styles in the order of `LineStyle`.\n"
        f"STYLE_WEIGHTS = np.array([\n{table(styles)}])  # fmt: skip\n\n"
        "# A constant and the two figures of the colour: log-odds of yellow against white.\n"
        f"YELLOW_WEIGHTS = np.array([{', '.join(f'{value:.3f}' for value in yellow)}])\n"
    )


if __name__ == "__main__":
    main()
