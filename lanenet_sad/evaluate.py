"""Evaluate: network -> lanes -> the official metric of a benchmark."""

from __future__ import annotations

import json
import math
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import nn

from lanenet_sad.benchmarks import Benchmark, find_benchmark
from lanenet_sad.datasets.base import LaneDataset
from lanenet_sad.inference.exit_table import WHOLE, exit_rows, networks_of_exits, write_exit_table
from lanenet_sad.inference.predictor import Exit, Predictor, shipped_weights
from lanenet_sad.inference.progress import with_progress
from lanenet_sad.inference.weight_noise import noise_rows, write_noise_table
from lanenet_sad.lanes.files import replacing
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.metrics.base import LaneMetric, Score
from lanenet_sad.metrics.culane import CULaneMetric
from lanenet_sad.models.weights import load_exits
from lanenet_sad.postprocess.decode import LaneDecoder
from lanenet_sad.training.validation import predict_dataset, warn_of_other_size
from lanenet_sad.visualization.error_report import ErrorReport, command_of


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found and wrote.

    Attributes:
        score: the official score.
        score_path: the JSON file with all its figures.
        prediction_paths: files in the benchmark's own format.
        faults: one sentence per image that could not be read; its lanes count as missed.
        table_paths: the tables of exits and of noise on the weights, where they were asked for.
        report_path: the error-analysis page, where it was asked for.
    """

    score: Score
    score_path: Path
    prediction_paths: tuple[Path, ...]
    faults: tuple[str, ...]
    table_paths: tuple[Path, ...] = ()
    report_path: Path | None = None


def evaluate(
    benchmark: str,
    *,
    root: Path,
    out: Path = Path("evaluation"),
    weights: Path | None = None,
    split: str = "test",
    device: str = "auto",
    batch_size: int = 4,
    num_workers: int = 2,
    threshold: float | None = None,
    crop_top: float | None = None,
    exit: Exit = None,
    all_exits: bool = False,
    weight_noise: list[float] | None = None,
    noise_seeds: int = 5,
    decoding: Literal["soft_argmax", "published"] = "soft_argmax",
    canvas_width: int | None = None,
    slots: list[int] | None = None,
    group_folders: int | None = None,
    max_images: int | None = None,
    report: Path | None = None,
    progress: bool = True,
) -> Evaluation:
    """Score a network on a benchmark's split; prints the official table, writes JSON and prediction files.

    Args:
        benchmark: culane, tusimple, bdd100k, llamas or curvelanes.
        root: the benchmark's folder.
        out: folder for `score.json` and `predictions/`.
        weights: `.safetensors` file or `last.pt`; default: the weights in the package.
        split: train, val or test, or the name of a list of your own.
        device: auto, cpu, cuda or mps.
        batch_size: images at a time.
        num_workers: processes that read images.
        threshold: lowest probability of a lane point; default: the weights' own, else the benchmark's published one.
        crop_top: fraction of the height to cut off the top instead of the network's own rule.
        exit: leave the network behind this encoder block, by an exit trained there; `ensemble`: the mean of all exits.
        all_exits: also write a table of score, run time and parameters of every exit, of the whole network and of the
            ensemble.
        weight_noise: also score with noise on the weights, of these deviations relative to those of each tensor.
        noise_seeds: noises of each strength.
        decoding: soft_argmax (sub-pixel) or published (whole-pixel argmax, fixed 9x9 filter).
        canvas_width: scale each image to this width before scoring (CULane metric, images of mixed sizes).
        slots: score these lane slots alone, in predictions and labels: `2 3` is the ego lane of four slots.
        group_folders: score images by the first so many folders of their name, instead of by a benchmark's categories.
        max_images: evaluate the first so many images only.
        report: folder for an error-analysis page; see docs/error_analysis.md.
        progress: show progress.
    """
    given = dict(locals())
    least = {"batch_size": (batch_size, 1), "num_workers": (num_workers, 0), "max_images": (max_images, 1)}
    _check_numbers({**least, "group_folders": (group_folders, 1), "noise_seeds": (noise_seeds, 1)})
    _check_experiments(exit, all_exits, weight_noise)
    kind = find_benchmark(benchmark)
    weights = weights or shipped_weights()
    predictor = Predictor.from_weights(weights, device=device, crop_top=crop_top, exit=exit)
    exits = networks_of_exits(load_exits(weights, predictor.device), weights) if all_exits else {}
    dataset = _dataset(kind, root, split, predictor, weights)
    _check_slots(slots, dataset.num_lanes)
    decoder = _decoder(kind, predictor, threshold, decoding)
    categories = kind.categories(root) if group_folders is None else _folders(kind, dataset, group_folders, report)
    loading = _Loading(batch_size, num_workers, max_images)
    scoring = _Scoring(kind, dataset, predictor, decoder, canvas_width, categories, slots, loading, progress)
    errors = None if report is None else _error_report(report, kind, dataset, split, canvas_width)
    score, paths = scoring.scored(predictor.network, out / "predictions", errors=errors)
    described = {**_described(benchmark, split, predictor, decoder), "exit": exit, "slots": slots}
    score_path = _write_score(out, score, described, len(paths))
    page = None if errors is None else _write_page(errors, score, command_of(evaluate, given))
    tables: list[Path] = []
    if exits:
        view = torch.zeros(1, 3, *predictor.view.input_size, device=predictor.device)
        tables += write_exit_table(out, exit_rows(exits, scoring.values({WHOLE: score}), view), score, described)
    if weight_noise:
        figure = scoring.values({})
        noisy = noise_rows(predictor.network, weight_noise, noise_seeds, figure, undisturbed=score.value)
        tables += write_noise_table(out, noisy, score, described)
    return Evaluation(score, score_path, tuple(paths), tuple(dict.fromkeys(scoring.faults)), tuple(tables), page)


class _Loading(NamedTuple):
    """How images are read."""

    batch_size: int
    num_workers: int
    max_images: int | None


@dataclass
class _Scoring:
    """Scores networks on one dataset, all in the same way."""

    kind: Benchmark
    dataset: LaneDataset
    predictor: Predictor
    decoder: LaneDecoder
    canvas_width: int | None
    categories: dict[str, str]
    slots: list[int] | None
    loading: _Loading
    progress: bool
    faults: list[str] = field(default_factory=list)

    def scored(
        self,
        network: nn.Module,
        predictions: Path | None = None,
        title: str = "evaluating",
        errors: ErrorReport | None = None,
    ) -> tuple[Score, Sequence[Path]]:
        """The score of a network, and the prediction files written into a folder, if one is given.

        An error report gets all images.
        """
        metric = self.kind.metric(self.canvas_width)
        pairs = predict_dataset(
            network,
            self.dataset,
            self.predictor.view,
            self.decoder,
            **self.loading._asdict(),
            faults=self.faults,
            normalization=self.predictor.card.normalization,
        )
        total = min(self.loading.max_images or len(self.dataset), len(self.dataset))
        shown = with_progress(pairs, description=title, total=total, enabled=self.progress)
        lanes = _scored(shown, metric, self.categories, self.slots, errors)
        paths: Sequence[Path] = ()
        if predictions is None:
            deque(lanes, maxlen=0)
        else:
            paths = self.kind.write_predictions(predictions, lanes)
        return metric.compute(), paths

    def values(self, known: dict[str, Score]) -> Callable[[str, nn.Module], float]:
        """A function from a network, and what it is called, to the one figure of its score, where it is not known."""
        return lambda title, network: (known.get(title) or self.scored(network, title=title)[0]).value


def _write_score(out: Path, score: Score, described: dict[str, object], num_files: int) -> Path:
    """Prints the score and writes `score.json`; returns its path."""
    print(score)
    path = out / "score.json"
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({**described, **score.to_dict()}, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {path} and {num_files} prediction file{'s' * (num_files != 1)} in {out / 'predictions'}")
    return path


def _error_report(
    directory: Path, kind: Benchmark, dataset: LaneDataset, split: str, canvas_width: int | None
) -> ErrorReport:
    """A report of errors that counts as the benchmark does, if that compares lanes by IoU."""
    indices = {dataset.name(index): index for index in range(len(dataset))}
    title, metric = f"Errors on {kind.name}, {split}", kind.metric(canvas_width)

    def image_path(name: str) -> Path | None:
        return dataset.image_path(indices[name])

    if not isinstance(metric, CULaneMetric):
        return ErrorReport(directory, title=title, image_path=image_path)
    return ErrorReport(
        directory,
        title=title,
        image_path=image_path,
        lane_width=metric.lane_width,
        canvas_width=metric.canvas_width,
        iou_threshold=metric.iou_thresholds[0],
    )


def _write_page(errors: ErrorReport, score: Score, command: str) -> Path:
    """Writes the error-analysis page and says where."""
    page = errors.write(score, command)
    print(f"wrote {page}")
    return page


def _check_slots(slots: list[int] | None, num_lanes: int) -> None:
    if slots is not None and not set(slots) <= set(range(1, num_lanes + 1)):
        raise ValueError(f"slots: expected numbers from 1 to {num_lanes}, got {slots}.")


def _check_numbers(at_least: dict[str, tuple[int | None, int]]) -> None:
    for name, (value, least) in at_least.items():
        if value is not None and value < least:
            raise ValueError(f"{name}: expected at least {least}, got {value}.")


def _check_experiments(exit: Exit, all_exits: bool, weight_noise: list[float] | None) -> None:
    if exit is not None and all_exits:
        raise ValueError(f"exit {exit} and all_exits: the table holds every exit; give one of the two.")
    if weight_noise is not None and not all(math.isfinite(sigma) and sigma >= 0 for sigma in weight_noise):
        raise ValueError(f"weight_noise: expected finite deviations of 0 or more, got {weight_noise}.")


def _decoder(kind: Benchmark, predictor: Predictor, threshold: float | None, decoding: str) -> LaneDecoder:
    chosen = None if decoding == "published" else predictor.card.threshold
    lowest = next(value for value in (threshold, chosen, kind.threshold) if value is not None)
    return LaneDecoder.published(lowest) if decoding == "published" else LaneDecoder(threshold=lowest)


def _folders(kind: Benchmark, dataset: LaneDataset, depth: int, report: Path | None) -> dict[str, str]:
    """The first folders of each image's name as its category."""
    if report is None and not isinstance(kind.metric(), CULaneMetric):
        warnings.warn(f"group_folders has no effect: {kind.name} is not scored by group.", stacklevel=3)
    names = [dataset.name(index).strip("/") for index in range(len(dataset))]
    return {name: "/".join(name.split("/")[:-1][:depth]) for name in names}


def _dataset(kind: Benchmark, root: Path, split: str, predictor: Predictor, weights: Path) -> LaneDataset:
    """The split; what does not fit is said of the network too, whose lane count may be the cause."""
    num_lanes = predictor.network.num_lanes
    try:
        dataset = kind.dataset(root, split, num_lanes)
    except ValueError as error:
        if num_lanes == kind.num_lanes:
            raise
        raise ValueError(f"{error} Weights {weights}: this network has {num_lanes} lane slots.") from error
    if num_lanes != kind.num_lanes and predictor.card.history.get("benchmark") != kind.name:
        message = f"Weights {weights}: the network has {num_lanes} lane slots, {kind.name} has {kind.num_lanes}."
        warnings.warn(message, stacklevel=3)
    return dataset


def _scored(
    pairs: Iterator[tuple[LanePrediction, LanePrediction]],
    metric: LaneMetric,
    categories: dict[str, str],
    slots: list[int] | None,
    errors: ErrorReport | None,
) -> Iterator[LanePrediction]:
    """Feed the metric and the error report; pass the predictions on."""
    for number, pair in enumerate(pairs):
        prediction, truth = (_only_slots(each, slots) for each in pair)
        if number == 0:
            warn_of_other_size(metric, truth)
        category, comparison = categories.get(truth.name.lstrip("/")), None
        if isinstance(metric, CULaneMetric):
            comparison = metric.compare(prediction, truth)
            metric.count_comparison(comparison, category=category)
        else:
            metric.update(prediction, truth)
        if errors:
            errors.add(prediction, truth, category=category, comparison=comparison)
        yield prediction


def _only_slots(lanes: LanePrediction, slots: list[int] | None) -> LanePrediction:
    """The lanes of some slots; all with None."""
    return lanes if slots is None else replace(lanes, lanes=tuple(lane for lane in lanes.lanes if lane.slot in slots))


def _described(benchmark: str, split: str, predictor: Predictor, decoder: LaneDecoder) -> dict[str, object]:
    return {
        "benchmark": benchmark,
        "split": split,
        "threshold": decoder.threshold,
        "decoding": decoder.column,
        "input_size": list(predictor.view.input_size),
        "network": predictor.card.recipe,
        "history": predictor.card.history,
    }
