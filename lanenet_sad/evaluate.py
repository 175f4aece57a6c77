"""Evaluate: network -> lanes -> the official metric of a benchmark."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lanenet_sad.benchmarks import Benchmark, find_benchmark
from lanenet_sad.datasets.base import LaneDataset
from lanenet_sad.inference.predictor import Predictor, shipped_weights
from lanenet_sad.inference.progress import with_progress
from lanenet_sad.lanes.files import replacing
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.metrics.base import LaneMetric, Score
from lanenet_sad.metrics.culane import CULaneMetric
from lanenet_sad.postprocess.decode import LaneDecoder
from lanenet_sad.training.validation import predict_dataset, warn_of_other_size


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found and wrote.

    Attributes:
        score: the official score.
        score_path: the JSON file with all its figures.
        prediction_paths: files in the benchmark's own format.
        faults: one sentence per image that could not be read; its lanes count as missed.
    """

    score: Score
    score_path: Path
    prediction_paths: tuple[Path, ...]
    faults: tuple[str, ...]


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
    decoding: Literal["soft_argmax", "published"] = "soft_argmax",
    canvas_width: int | None = None,
    slots: list[int] | None = None,
    group_folders: int | None = None,
    max_images: int | None = None,
    progress: bool = True,
) -> Evaluation:
    """Score a network on a benchmark's split; prints the official table, writes JSON and prediction files.

    Args:
        benchmark: culane or tusimple.
        root: the benchmark's folder.
        out: folder for `score.json` and `predictions/`.
        weights: `.safetensors` file or `last.pt`; default: the weights in the package.
        split: train, val or test, or the name of a list of your own.
        device: auto, cpu, cuda or mps.
        batch_size: images at a time.
        num_workers: processes that read images.
        threshold: lowest probability of a lane point; default: the weights' own, else the benchmark's published one.
        crop_top: fraction of the height to cut off the top instead of the network's own rule.
        decoding: soft_argmax (sub-pixel) or published (whole-pixel argmax, fixed 9x9 filter).
        canvas_width: scale each image to this width before scoring (CULane metric, images of mixed sizes).
        slots: score these lane slots alone, in predictions and labels: `2 3` is the ego lane of four slots.
        group_folders: score images by the first so many folders of their name, instead of by a benchmark's categories.
        max_images: evaluate the first so many images only.
        progress: show progress.
    """
    at_least = {"batch_size": (batch_size, 1), "num_workers": (num_workers, 0), "max_images": (max_images, 1)}
    for name, (value, least) in {**at_least, "group_folders": (group_folders, 1)}.items():
        if value is not None and value < least:
            raise ValueError(f"{name}: expected at least {least}, got {value}.")
    kind = find_benchmark(benchmark)
    weights = weights or shipped_weights()
    predictor = Predictor.from_weights(weights, device=device, crop_top=crop_top)
    dataset = _dataset(kind, root, split, predictor, weights)
    if slots is not None and not set(slots) <= set(range(1, dataset.num_lanes + 1)):
        raise ValueError(f"slots: expected numbers from 1 to {dataset.num_lanes}, got {slots}.")
    metric = kind.metric(canvas_width)
    chosen = None if decoding == "published" else predictor.card.threshold
    lowest = next(value for value in (threshold, chosen, kind.threshold) if value is not None)
    decoder = LaneDecoder.published(lowest) if decoding == "published" else LaneDecoder(threshold=lowest)
    faults: list[str] = []
    pairs = predict_dataset(
        predictor.network,
        dataset,
        predictor.view,
        decoder,
        batch_size=batch_size,
        num_workers=num_workers,
        max_images=max_images,
        faults=faults,
        normalization=predictor.card.normalization,
    )
    total = len(dataset) if max_images is None else min(max_images, len(dataset))
    shown = with_progress(pairs, description="evaluating", total=total, enabled=progress)
    categories = kind.categories(root)
    if group_folders is not None:
        names = [dataset.name(index).strip("/") for index in range(len(dataset))]
        categories = {name: "/".join(name.split("/")[:-1][:group_folders]) for name in names}
        if not isinstance(metric, CULaneMetric):
            warnings.warn(f"group_folders has no effect: {benchmark} is not scored by group.", stacklevel=2)
    paths = kind.write_predictions(out / "predictions", _scored(shown, metric, categories, slots))
    score = metric.compute()
    print(score)
    score_path = out / "score.json"
    content = {**_described(benchmark, split, predictor, decoder), "slots": slots, **score.to_dict()}
    with replacing(score_path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {score_path} and {len(paths)} prediction file{'s' * (len(paths) != 1)} in {out / 'predictions'}")
    return Evaluation(score, score_path, tuple(paths), tuple(faults))


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
) -> Iterator[LanePrediction]:
    """Feed the metric; pass the predictions on."""
    for number, pair in enumerate(pairs):
        prediction, truth = (_only_slots(each, slots) for each in pair)
        if number == 0:
            warn_of_other_size(metric, truth)
        if isinstance(metric, CULaneMetric):
            metric.update(prediction, truth, category=categories.get(truth.name.lstrip("/")))
        else:
            metric.update(prediction, truth)
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
