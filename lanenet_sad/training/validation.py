"""Network -> lanes -> metric, over a dataset; used by `train` and `evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset, Subset

from lanenet_sad.datasets.base import LaneDataset
from lanenet_sad.datasets.sampling import BadSampleError, SampleSet, collate, initialize_worker
from lanenet_sad.datasets.transforms import EvalTransform
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.lanes.view import InputView
from lanenet_sad.metrics.base import LaneMetric, Score
from lanenet_sad.models.interface import LaneSample
from lanenet_sad.models.lanenet import LaneNet
from lanenet_sad.postprocess.decode import LaneDecoder


def predict_dataset(
    network: LaneNet,
    dataset: LaneDataset,
    view: InputView,
    decoder: LaneDecoder,
    *,
    batch_size: int = 8,
    num_workers: int = 0,
    max_images: int | None = None,
    faults: list[str] | None = None,
) -> Iterator[tuple[LanePrediction, LanePrediction]]:
    """Decoded lanes and labels of every image, in the dataset's order.

    Args:
        network: in eval mode; the batches go to the device of its weights.
        dataset: images and labels.
        view: what part of a picture the network sees.
        decoder: network output -> lanes; it samples the rows that a label names.
        batch_size: images at a time.
        num_workers: processes that read images; 0 reads in this one.
        max_images: stop after the first so many.
        faults: gets one sentence per image that cannot be read. Its lanes count as missed, as the official tools
            count an image without a prediction; where its label cannot be read either, it does not count.

    Yields:
        (prediction, truth) per image, both in pixels of the original image.
    """
    samples = _ReadableSamples(SampleSet(dataset, EvalTransform(view)))
    chosen = Subset(samples, range(len(dataset) if max_images is None else min(max_images, len(dataset))))
    device = next(network.parameters()).device
    loader = DataLoader(
        chosen,
        batch_size=batch_size,
        num_workers=num_workers,
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
        images, _, truths = collate(readable)
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
    progress: Callable[[], None] = lambda: None,
) -> Score:
    """The official score of a network on a dataset; it is put into eval mode and left as it was found."""
    was_training = network.training
    network.eval()
    pairs = predict_dataset(
        network, dataset, view, decoder, batch_size=batch_size, num_workers=num_workers, max_images=max_images
    )
    for prediction, truth in islice(pairs, max_images):
        metric.update(prediction, truth)
        progress()
    network.train(was_training)
    return metric.compute()


class _Unreadable(NamedTuple):
    """An image that gave no sample."""

    reason: str
    truth: LanePrediction | None


class _ReadableSamples(Dataset["LaneSample | _Unreadable"]):
    """Samples by index; an unreadable image is an item too, so that the rest goes on."""

    def __init__(self, samples: SampleSet) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> LaneSample | _Unreadable:
        try:
            return self.samples[index]
        except BadSampleError as error:
            try:
                truth = self.samples.dataset.truth(index)
            except (ValueError, OSError):
                truth = None
            return _Unreadable(str(error), truth)


def _split_readable(items: list[LaneSample | _Unreadable]) -> tuple[list[LaneSample], list[_Unreadable]]:
    return [i for i in items if isinstance(i, LaneSample)], [i for i in items if isinstance(i, _Unreadable)]
