"""A dataset's splits, its image geometry, its lane slots and its official metric, under one name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, final

from lanenet_sad.datasets.base import LaneDataset
from lanenet_sad.datasets.bdd100k import BDD100K
from lanenet_sad.datasets.culane import CULane
from lanenet_sad.datasets.curvelanes import CurveLanes
from lanenet_sad.datasets.llamas import IMAGE_FILES, LLAMAS
from lanenet_sad.datasets.tusimple import TEST_FILES, TRAIN_FILES, VAL_FILES, TuSimple
from lanenet_sad.lanes.bdd100k_files import write_lane_png
from lanenet_sad.lanes.curvelanes_files import write_curvelanes
from lanenet_sad.lanes.files import lines_path, read_culane_list, relative_name, write_culane_lines
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.lanes.tusimple_files import write_tusimple
from lanenet_sad.metrics.base import LaneMetric
from lanenet_sad.metrics.bdd100k import PREDICTION_LINE_WIDTH, BDD100KMetric
from lanenet_sad.metrics.culane import CULaneMetric
from lanenet_sad.metrics.curvelanes import CurveLanesMetric
from lanenet_sad.metrics.llamas import LLAMASMetric
from lanenet_sad.metrics.tusimple import TuSimpleMetric


class Benchmark(ABC):
    """What a name such as `culane` stands for.

    Attributes:
        name: as on the command line.
        num_lanes: lane slots of the official set-up.
        threshold: lowest point probability of the official decoding.
    """

    name: ClassVar[str]
    num_lanes: ClassVar[int]
    threshold: ClassVar[float]

    @abstractmethod
    def dataset(self, root: Path, split: str, num_lanes: int) -> LaneDataset:
        """The images and labels of a split; ValueError if the benchmark has no such split."""

    @abstractmethod
    def metric(self, canvas_width: int | None = None) -> LaneMetric:
        """The official metric; `canvas_width` scales every image to that width first, where that has a meaning."""

    @abstractmethod
    def write_predictions(self, directory: Path, predictions: Iterable[LanePrediction]) -> list[Path]:
        """Write prediction files in the benchmark's own format while predictions come; returns what was written."""

    def categories(self, root: Path) -> dict[str, str]:
        """Image name without its leading slash -> category, where the benchmark has categories."""
        return {}


@final
class CULaneBenchmark(Benchmark):
    """CULane's layout: `list/<split>_gt.txt` or `list/<split>.txt`, `*.lines.txt` beside the images."""

    name = "culane"
    num_lanes = 4
    threshold = 0.3

    def dataset(self, root: Path, split: str, num_lanes: int) -> LaneDataset:
        """`split` is the stem of a list file: train, val, test, or one of your own."""
        for candidate in (f"list/{split}_gt.txt", f"list/{split}.txt"):
            if (root / candidate).is_file():
                return CULane(root, candidate, num_lanes=num_lanes)
        there = sorted(path.name for path in (root / "list").glob("*.txt"))
        raise FileNotFoundError(
            f"CULane root {root}: there is no list/{split}_gt.txt and no list/{split}.txt"
            + (f"; list/ has {', '.join(there)}." if there else "; expected a folder list/ with the split lists.")
        )

    def metric(self, canvas_width: int | None = None) -> LaneMetric:
        """F1 at IoU 0.5 of lanes drawn 30 px wide."""
        return CULaneMetric(canvas_width=canvas_width)

    def write_predictions(self, directory: Path, predictions: Iterable[LanePrediction]) -> list[Path]:
        """One `*.lines.txt` per image, in the folders of the list."""
        paths = []
        for prediction in predictions:
            path = lines_path(directory, prediction.name)
            write_culane_lines(path, prediction.lanes)
            paths.append(path)
        return paths

    def categories(self, root: Path) -> dict[str, str]:
        """The nine lists of `list/test_split/`, if they are there."""
        lists = sorted((root / "list" / "test_split").glob("*.txt"))
        found = {}
        for path in lists:
            if path.stat().st_size:
                found.update({entry.image.lstrip("/"): path.stem for entry in read_culane_list(path)})
        return found


@final
class TuSimpleBenchmark(Benchmark):
    """TuSimple's layout: JSON lines with lanes at fixed rows.

    The challenge gives 0 to a frame that took more than 200 ms. `evaluate` and `train` write no run time, so that a
    score does not depend on the speed of the machine.
    """

    name = "tusimple"
    num_lanes = 6
    threshold = 0.2
    splits: ClassVar[dict[str, tuple[str, ...]]] = {
        "train": TRAIN_FILES,
        "val": VAL_FILES,
        "trainval": (*TRAIN_FILES, *VAL_FILES),
        "test": TEST_FILES,
    }

    def dataset(self, root: Path, split: str, num_lanes: int) -> LaneDataset:
        """Splits: train, val, trainval, test."""
        if split not in self.splits:
            raise ValueError(f"TuSimple has no split {split!r}; there are {', '.join(self.splits)}.")
        return TuSimple(root, self.splits[split], num_lanes=num_lanes)

    def metric(self, canvas_width: int | None = None) -> LaneMetric:
        """Accuracy, FP and FN of the official script."""
        _refuse_canvas(canvas_width, "TuSimple compares x at given rows")
        return TuSimpleMetric()

    def write_predictions(self, directory: Path, predictions: Iterable[LanePrediction]) -> list[Path]:
        """One `predictions.json` with a line per image."""
        path = directory / "predictions.json"
        write_tusimple(path, predictions)
        return [path]


@final
class BDD100KBenchmark(Benchmark):
    """BDD100K's layout: `images/100k/<split>/`, one label file per split; the protocol of ENet-SAD."""

    name = "bdd100k"
    num_lanes = 8
    threshold = 0.3

    def dataset(self, root: Path, split: str, num_lanes: int) -> LaneDataset:
        """Splits: train, val. Papers are scored on val, as the labels of test are not public."""
        return BDD100K(root, split, num_lanes=num_lanes)

    def metric(self, canvas_width: int | None = None) -> LaneMetric:
        """Accuracy (recall) and IoU of lane pixels."""
        _refuse_canvas(canvas_width, "BDD100K compares masks of the picture's own size")
        return BDD100KMetric()

    def write_predictions(self, directory: Path, predictions: Iterable[LanePrediction]) -> list[Path]:
        """One binary PNG per image, with lines as wide as the metric draws predictions: 8 px at 1280 px."""
        paths = []
        for prediction in predictions:
            path = directory / f"{Path(relative_name(prediction.name)).stem}.png"
            width = max(1, round(PREDICTION_LINE_WIDTH * prediction.image_size[1] / BDD100K.usual_size[1]))
            write_lane_png(path, prediction.lanes, prediction.image_size, line_width=width)
            paths.append(path)
        return paths


@final
class LLAMASBenchmark(Benchmark):
    """LLAMAS' layout: `labels/<split>/<sequence>/*.json`, pictures in `color_images/` likewise."""

    name = "llamas"
    num_lanes = 4
    threshold = 0.3

    def dataset(self, root: Path, split: str, num_lanes: int) -> LaneDataset:
        """Splits: train, valid (or val); the labels of test are not public."""
        return LLAMAS(root, "valid" if split == "val" else split, num_lanes=num_lanes)

    def metric(self, canvas_width: int | None = None) -> LaneMetric:
        """F1 at IoU 0.5 of lanes drawn 30 px wide, as the official script for this dataset draws them."""
        _refuse_canvas(canvas_width, "LLAMAS has pictures of one size")
        return LLAMASMetric()

    def write_predictions(self, directory: Path, predictions: Iterable[LanePrediction]) -> list[Path]:
        """One `<sequence>/<stamp>.lines.txt` per image, under the name of its label as the official script wants."""
        paths = []
        for prediction in predictions:
            name = prediction.name
            for _, ending in IMAGE_FILES.values():
                name = name.removesuffix(ending)
            path = directory / f"{relative_name(name)}.lines.txt"
            write_culane_lines(path, prediction.lanes)
            paths.append(path)
        return paths


@final
class CurveLanesBenchmark(Benchmark):
    """CurveLanes' layout: `<split>/<split>.txt`, `<split>/images/`, `<split>/labels/`."""

    name = "curvelanes"
    num_lanes = 10
    threshold = 0.3

    def dataset(self, root: Path, split: str, num_lanes: int) -> LaneDataset:
        """Splits: train, valid (or val); the labels of test are not public."""
        return CurveLanes(root, "valid" if split == "val" else split, num_lanes=num_lanes)

    def metric(self, canvas_width: int | None = None) -> LaneMetric:
        """F1 at IoU 0.5 of lanes drawn 5 px wide on a canvas of 224x224 px, to which every image is scaled."""
        _refuse_canvas(canvas_width, "CurveLanes scales every picture to a canvas of its own")
        return CurveLanesMetric()

    def write_predictions(self, directory: Path, predictions: Iterable[LanePrediction]) -> list[Path]:
        """One `<image>.lines.json` per image, in the form of the labels."""
        paths = []
        for prediction in predictions:
            path = directory / f"{Path(relative_name(prediction.name)).stem}.lines.json"
            write_curvelanes(path, prediction.lanes)
            paths.append(path)
        return paths


_KINDS: tuple[type[Benchmark], ...] = (
    CULaneBenchmark,
    TuSimpleBenchmark,
    BDD100KBenchmark,
    LLAMASBenchmark,
    CurveLanesBenchmark,
)


def find_benchmark(name: str) -> Benchmark:
    """The benchmark of that name; ValueError names those that there are."""
    known: dict[str, Benchmark] = {kind.name: kind() for kind in _KINDS}
    if name not in known:
        raise ValueError(f"Benchmark {name!r}: there is none of that name; there are {', '.join(known)}.")
    return known[name]


def _refuse_canvas(canvas_width: int | None, reason: str) -> None:
    if canvas_width is not None:
        raise ValueError(f"--canvas-width belongs to the CULane metric; {reason}.")
