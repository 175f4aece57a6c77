"""Network -> lanes -> metric, over a dataset; used by `train` and `evaluate`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.utils.data import DataLoader, Dataset, Subset

from lanenet_sad.datasets.base import LaneDataset
from lanenet_sad.datasets.sampling import initialize_worker
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.lanes.view import InputView, extract_view
from lanenet_sad.metrics.base import LaneMetric, Score
from lanenet_sad.metrics.culane import CULaneMetric
from lanenet_sad.models.lanenet import LaneNet
from lanenet_sad.models.normalization import Normalization, normalize_image
from lanenet_sad.postprocess.decode import LaneDecoder


def predict_dataset(
    network: nn.Module,
    dataset: LaneDataset,
    view: InputView,
    decoder: LaneDecoder,
    *,
    batch_size: int = 8,
    num_workers: int = 0,
    max_images: int | None = None,
    faults: list[str] | None = None,
    part: tuple[int, int] = (0, 1),
    normalization: Normalization | None = None,
) -> Iterator[tuple[LanePrediction, LanePrediction]]:
    """Decoded lanes and labels of every image, batch by batch; unreadable ones come first in theirs.

    Args:
        network: a lane network in eval mode; the batches go to the device of its weights.
        dataset: images and labels.
        view: what part of a picture the network sees.
        decoder: network output -> lanes; it samples the rows that a label names.
        batch_size: images at a time.
        num_workers: processes that read images; 0 reads in this one.
        max_images: stop after the first so many.
        faults: gets one sentence per image that cannot be read. Its lanes count as missed, as the official tools
            count an image without a prediction; where its label cannot be read either, it does not count.
        part: (rank, world size): which share of the images this process takes.
        normalization: of the network's card; None as in training.

    Yields:
        (prediction, truth) per image, both in pixels of the original image.
    """
    rank, world_size = part
    num_images = len(dataset) if max_images is None else min(max_images, len(dataset))
    chosen = Subset(_Images(dataset, view, normalization), range(rank, num_images, world_size))
    device = next(network.parameters()).device
    loader = DataLoader(
        chosen,
        batch_size=batch_size,
        num_workers=min(num_workers, os.cpu_count() or 1),
        collate_fn=_split_readable,
        worker_init_fn=initialize_worker,
    )
    for readable, unreadable in loader:
        for bad in unreadable:
            if faults is not None:
                faults.append(bad.reason)
            if bad.truth is not None:
                yield LanePrediction((), bad.truth.image_size, bad.truth.name, bad.truth.row_anchors), bad.truth
        if not readable:
            continue
        images, truths = torch.stack([item.view for item in readable]), [item.truth for item in readable]
        with torch.inference_mode():
            output = network(images.to(device, memory_format=torch.channels_last))
        placements = [view.place(truth.image_size) for truth in truths]
        sizes = [truth.image_size for truth in truths]
        predictions = decoder(output, placements, sizes, [truth.row_anchors for truth in truths])
        for prediction, truth in zip(predictions, truths, strict=True):
            yield replace(prediction, name=truth.name), truth


def validate(
    network: LaneNet,
    dataset: LaneDataset,
    metric: LaneMetric,
    view: InputView,
    decoder: LaneDecoder,
    *,
    batch_size: int = 8,
    num_workers: int = 0,
    max_images: int | None = None,
    faults: list[str] | None = None,
) -> Score:
    """The official score of a network on a dataset; it is put into eval mode and left as it was found.

    Where several processes train together, each takes its share of the images, and all get the score of all.
    """
    was_training = network.training
    network.eval()
    pairs = predict_dataset(
        network,
        dataset,
        view,
        decoder,
        batch_size=batch_size,
        num_workers=num_workers,
        max_images=max_images,
        faults=faults,
        part=(distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1),
    )
    for number, (prediction, truth) in enumerate(pairs):
        if number == 0:
            warn_of_other_size(metric, truth)
        metric.update(prediction, truth)
    network.train(was_training)
    return _over_ranks(metric).compute()


def warn_of_other_size(metric: LaneMetric, truth: LanePrediction) -> None:
    """Point out images that are not of the size that the CULane metric draws on, where it does not scale them."""
    if not isinstance(metric, CULaneMetric) or metric.canvas_width or truth.image_size == metric.canvas_size:
        return
    got, expected = (f"{height}x{width}" for height, width in (truth.image_size, metric.canvas_size))
    warnings.warn(
        f"{truth.name} is {got} pixels, and lanes are drawn on the benchmark's {expected} canvas, as the official "
        f"tool does. For your own images give --canvas-width {metric.canvas_size[1]}.",
        stacklevel=3,
    )


def _over_ranks(metric: LaneMetric) -> LaneMetric:
    """What all processes have counted together."""
    if not distributed.is_initialized():
        return metric
    parts: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(parts, metric)
    for other in parts[1:]:
        parts[0].merge(other)
    whole: LaneMetric = parts[0]
    return whole


class _Readable(NamedTuple):
    """An image as the network sees it, and its label."""

    view: Tensor  # (3, H, W) normalised
    truth: LanePrediction


class _Unreadable(NamedTuple):
    """An image that cannot be read; its label stands for an image of the benchmark's usual size, if need be."""

    reason: str
    truth: LanePrediction | None


class _Images(Dataset["_Readable | _Unreadable"]):
    """Images and labels by index, without masks; an unreadable image is an item too, so that the rest goes on."""

    def __init__(self, dataset: LaneDataset, view: InputView, normalization: Normalization | None) -> None:
        self.dataset, self.view, self.normalization = dataset, view, normalization

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> _Readable | _Unreadable:
        try:
            image = self.dataset.image(index)
            size = (int(image.shape[0]), int(image.shape[1]))
            cut = extract_view(image, self.view.place(size))
            return _Readable(normalize_image(cut, self.normalization), self.dataset.label(index, size))
        except (ValueError, OSError) as error:
            return _Unreadable(str(error), self._label_of_unreadable(index))

    def _label_of_unreadable(self, index: int) -> LanePrediction | None:
        for size in (self.dataset.image_size, lambda _: self.dataset.usual_size):
            try:
                return self.dataset.label(index, size(index))
            except (ValueError, OSError):
                continue
        return None


def _split_readable(items: list[_Readable | _Unreadable]) -> tuple[list[_Readable], list[_Unreadable]]:
    return [i for i in items if isinstance(i, _Readable)], [i for i in items if isinstance(i, _Unreadable)]
