"""The CULane score of many images at a time: the same figures as image by image, in a fraction of the time."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.lanes.processes import in_processes
from lanenet_sad.metrics.culane import CULaneMetric, LaneComparison
from lanenet_sad.metrics.culane_files import LABELS, PREDICTIONS, LaneBatch, Oddities, read_lane_files

_CHUNK = 256  # images that a process reads and compares at a time
_WORTH_COMPILING = 1000  # images; the compiled comparison takes seconds to make, once on a machine
_NARROWEST = 2  # OpenCV draws lines of one pixel by other rules


class BatchComparison(NamedTuple):
    """How the lanes of a batch compare, before any threshold.

    Attributes:
        images: IoUs and pairs of each image.
        matched: for each lane of the batch, (M,), the IoU of a label lane with its partner; -1 where it has none.
    """

    images: Sequence[LaneComparison]
    matched: NDArray[np.float64]


class MissingFiles(NamedTuple):
    """Names of images for which a folder has no `*.lines.txt`; the score counts them as images without lanes."""

    annotations: list[str]
    predictions: list[str]


class ScoredImages(NamedTuple):
    """What one part of a list came to.

    Attributes:
        category: of the images.
        metric: with their counts alone.
        missing: images without files.
        oddities: of their lanes.
        batch: their lanes, where asked for.
        comparison: of these lanes, where asked for.
    """

    category: str | None
    metric: CULaneMetric
    missing: MissingFiles
    oddities: Oddities
    batch: LaneBatch | None
    comparison: BatchComparison | None


class _Flat(NamedTuple):
    """IoUs, partners and IoUs with the partners in flat arrays, see `compare_images`."""

    ious: NDArray[np.float64]
    partners: NDArray[np.int64]
    matched: NDArray[np.float64]


def compare_batch(
    batch: LaneBatch, metric: CULaneMetric, sizes: NDArray[np.int64] | None = None, *, compiled: bool = True
) -> BatchComparison:
    """IoUs and pairs of many images, equal to what `CULaneMetric.compare` says of each.

    Args:
        batch: the lanes.
        metric: whose settings hold; nothing is counted.
        sizes: (I, 2) height and width of the images; needed only when the metric has a `canvas_width`.
        compiled: use the compiled comparison where it can be used; else image by image with OpenCV.
    """
    flat = _compare(batch, metric, sizes, compiled)
    return BatchComparison(_images(batch, flat), flat.matched)


def count_batch(batch: LaneBatch, matched: NDArray[np.float64], metric: CULaneMetric, category: str | None) -> None:
    """Adds the images of a batch to a metric, from the IoU of each label lane with its partner."""
    num_labels, num_predictions = _counts(batch)
    hits = np.array([np.count_nonzero(matched > threshold) for threshold in metric.counted_thresholds])  # (T,)
    totals = np.stack([hits, num_predictions.sum() - hits, num_labels.sum() - hits], axis=1)
    unmarked = num_labels == 0
    metric.count(
        totals,
        category=category,
        num_images=len(batch.names),
        num_unmarked=int(unmarked.sum()),
        false_on_unmarked=int(num_predictions[unmarked].sum()),
    )


def score_culane_lists(
    annotations: Path,
    predictions: Path,
    lists: Mapping[str | None, Sequence[str]],
    metric: CULaneMetric,
    *,
    image_sizes: Mapping[str, tuple[int, int]] | None = None,
    num_workers: int = 1,
    keep_lanes: bool = False,
) -> Generator[ScoredImages, None, None]:
    """Adds the images of lists to a metric, reading `*.lines.txt` files as the official evaluator does.

    The file of an image is its name up to the last dot with `.lines.txt` appended, below each folder. A file that is
    not there counts as an image without lanes, for labels too.

    Args:
        annotations: folder of the label files.
        predictions: folder of the prediction files.
        lists: image names, with or without leading slash, by category.
        metric: is updated with every part that is yielded.
        image_sizes: (height, width) by name; needed only when the metric has a `canvas_width`.
        num_workers: processes that read and compare; 1: this one.
        keep_lanes: whether to yield the lanes and how they compare.

    Yields:
        Parts of the lists, in order.

    Raises:
        FileNotFoundError: one of the folders does not exist.
        ValueError: the metric scales images to a canvas width and the size of an image is not given.
    """
    for folder, what in ((annotations, "labels"), (predictions, "predictions")):
        if not folder.is_dir():
            raise FileNotFoundError(f"CULane {what}: expected the folder {folder}, but there is none.")
    compiled = pays_to_compile(metric, sum(map(len, lists.values())))
    if compiled:
        compile_comparison(metric)  # before other processes start, which read it from disk then
    tasks = [
        (category, list(names[start : start + _CHUNK]), _sizes(names[start : start + _CHUNK], image_sizes, metric))
        for category, names in lists.items()
        for start in range(0, len(names), _CHUNK)
    ]
    work = partial(_score_part, annotations, predictions, metric.empty(), compiled, keep_lanes)
    if num_workers == 1 or len(tasks) == 1:
        for task in tasks:
            yield _added(metric, work(task))
        return
    for part in in_processes(work, tasks, num_workers):
        yield _added(metric, part)


def score_culane_files(
    annotations: Path,
    predictions: Path,
    names: Sequence[str],
    metric: CULaneMetric,
    category: str | None = None,
    *,
    image_sizes: Mapping[str, tuple[int, int]] | None = None,
) -> MissingFiles:
    """Adds the images of one list to a metric, see `score_culane_lists`; returns the names without files."""
    missing = MissingFiles([], [])
    for part in score_culane_lists(annotations, predictions, {category: names}, metric, image_sizes=image_sizes):
        for names_without, more in zip(missing, part.missing, strict=True):
            names_without += more
    return missing


def pays_to_compile(metric: CULaneMetric, num_images: int) -> bool:
    """Whether so many images are compared by the compiled comparison."""
    return num_images >= _WORTH_COMPILING and not _too_wide(metric)


def compile_comparison(metric: CULaneMetric) -> None:
    """Has the compiled comparison made, or read from where an earlier process kept it."""
    lane = np.array([[1.0, 9.0], [3.0, 4.0], [5.0, 1.0]])
    compare_batch(LaneBatch.of([("", [lane], [lane])]), metric, np.array([[10, 10]]))


def _score_part(
    annotations: Path,
    predictions: Path,
    metric: CULaneMetric,
    compiled: bool,
    keep_lanes: bool,
    task: tuple[str | None, list[str], NDArray[np.int64] | None],
) -> ScoredImages:
    category, names, sizes = task
    batch, missing, oddities = read_lane_files(annotations, predictions, names)
    flat = _compare(batch, metric, sizes, compiled)
    counted = metric.empty()
    count_batch(batch, flat.matched, counted, category)
    comparison = BatchComparison(_images(batch, flat), flat.matched) if keep_lanes else None
    return ScoredImages(category, counted, MissingFiles(*missing), oddities, batch if keep_lanes else None, comparison)


def _added(metric: CULaneMetric, part: ScoredImages) -> ScoredImages:
    metric.merge(part.metric)
    return part


def _compare(batch: LaneBatch, metric: CULaneMetric, sizes: NDArray[np.int64] | None, compiled: bool) -> _Flat:
    canvases, scales = metric.canvases(len(batch.names), sizes)
    if scales is not None:
        batch = batch._replace(points=_scaled(batch, scales))
    if compiled and not _too_wide(metric):
        from lanenet_sad.metrics import culane_kernels, lane_bits

        pen = lane_bits.make_pen(metric.lane_width)
        flat = _Flat(*culane_kernels.compare_images(*batch[1:], canvases, pen))
        left = flat.partners == culane_kernels.NOT_COMPARED
    else:
        num_lanes = len(batch.lane_ends)
        num_ious = int((_counts(batch)[0] * _counts(batch)[1]).sum())
        flat = _Flat(np.zeros(num_ious), np.full(num_lanes, -1), np.full(num_lanes, -1.0))
        left = np.ones(num_lanes, dtype=bool)
    for image, (first, middle, last), ious in _spans(batch, flat.ious):
        if first == last or (metric.matching == "official" and not left[first]):
            continue
        if left[first]:
            ious[:] = metric.ious(batch.lanes(image, LABELS), batch.lanes(image, PREDICTIONS), tuple(canvases[image]))
        flat.partners[first:last] = -1
        flat.partners[first:middle] = pairs = metric.pair(ious)
        flat.matched[first:middle] = [ious[g, p] if p >= 0 else -1.0 for g, p in enumerate(pairs)]
    return flat


def _scaled(batch: LaneBatch, scales: NDArray[np.float64]) -> NDArray[np.float32]:
    """The points of each image times its factor, (I,)."""
    ends = np.concatenate([[0], batch.lane_ends])[batch.image_ends[:, 1]]  # behind the last point of each image
    factors = np.repeat(scales, np.diff(ends, prepend=0))[:, None]
    return (batch.points.astype(np.float64) * factors).astype(np.float32)


def _counts(batch: LaneBatch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number of label lanes and of predicted lanes of each image, (I,) each."""
    before = np.concatenate([[0], batch.image_ends[:-1, 1]]).astype(np.int64)
    return batch.image_ends[:, 0] - before, np.diff(batch.image_ends, axis=1)[:, 0]


def _spans(
    batch: LaneBatch, ious: NDArray[np.float64]
) -> Iterator[tuple[int, tuple[int, int, int], NDArray[np.float64]]]:
    """Each image with its first lane, its first predicted lane, its end, and its table of IoUs, (G, P)."""
    first = position = 0
    for image, (middle, last) in enumerate(batch.image_ends.tolist()):
        shape = middle - first, last - middle
        yield image, (first, middle, last), ious[position : position + shape[0] * shape[1]].reshape(shape)
        position += shape[0] * shape[1]
        first = last


def _images(batch: LaneBatch, flat: _Flat) -> list[LaneComparison]:
    return [
        LaneComparison(ious, flat.partners[first:middle].tolist())
        for _, (first, middle, _), ious in _spans(batch, flat.ious)
    ]


def _too_wide(metric: CULaneMetric) -> bool:
    """Whether the compiled comparison has no way to draw lanes of that width."""
    from lanenet_sad.metrics.lane_bits import WIDEST

    return not _NARROWEST <= metric.lane_width <= WIDEST


def _sizes(
    names: Sequence[str], image_sizes: Mapping[str, tuple[int, int]] | None, metric: CULaneMetric
) -> NDArray[np.int64] | None:
    if metric.canvas_width is None:
        return None
    known = image_sizes or {}
    for name in names:
        if name not in known:
            raise ValueError(f"CULane files scaled to a canvas width: the image size of {name} is not given.")
    return np.array([known[name] for name in names], dtype=np.int64).reshape(-1, 2)
