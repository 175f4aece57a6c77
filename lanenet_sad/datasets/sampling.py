"""Which samples make up the batch of which step, and how worker processes load them.

Order and augmentation are functions of (seed, step): a run that starts at step k sees the same batches as one that
has come to step k from the beginning, with any number of worker processes.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Sequence
from itertools import count
from types import FrameType
from typing import ClassVar, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler, get_worker_info

from lanenet_sad.datasets.base import LaneDataset, LaneRecord
from lanenet_sad.datasets.mixture import Mixture
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.models.interface import LaneSample, LaneTargets

_log = logging.getLogger(__name__)


class BadSampleError(ValueError):
    """A picture or label of a dataset that cannot be used; the message names the file.

    A DataLoader wraps the error of a worker process into its whole traceback; of that, the message keeps the sentence.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rpartition(f"{type(self).__name__}: ")[2].strip())


class SampleTransform(Protocol):
    """What makes a network sample of a record: `TrainTransform` or `EvalTransform`."""

    def min_size(self, image_size: tuple[int, int]) -> tuple[int, int] | None:
        """(height, width) that is enough of a picture of this size; None for all of it."""

    def __call__(self, record: LaneRecord, num_lanes: int, seed: int) -> LaneSample:
        """The sample; all that is random in it follows from `seed`."""


class StepBatches(Sampler[list[tuple[int, int]]]):
    """The batches of `num_steps` steps from `start_step` on, as a DataLoader's `batch_sampler`.

    The samples are gone through in epochs, each in its own random order; a batch may reach over the end of an
    epoch. Where the dataset is a mixture, each part has epochs of its own, and every `BLOCK` samples hold the parts
    in proportion to their shares. Each batch is a list of (index, draw seed) pairs for `SampleSet`.

    Args:
        num_samples: size of the dataset, or of each part of a mixture.
        batch_size: samples per step, over all ranks.
        seed: of the run, 0 or more.
        start_step: first step, greater than 0 to resume.
        num_steps: how many steps there are from there on.
        rank: number of this process.
        world_size: how many processes share each batch.
        shares: of the parts of a mixture, summing to 1; None: in proportion to their sizes.

    Raises:
        ValueError: there are no samples, or the batch cannot be shared out evenly.
    """

    BLOCK: ClassVar[int] = 1000

    def __init__(
        self,
        num_samples: int | Sequence[int],
        batch_size: int,
        seed: int,
        start_step: int,
        num_steps: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        shares: Sequence[float] | None = None,
    ) -> None:
        sizes = (num_samples,) if isinstance(num_samples, int) else tuple(num_samples)
        if min(sizes) < 1:
            raise ValueError("Batches: expected at least one sample, got an empty dataset.")
        if batch_size < 1 or batch_size % world_size:
            raise ValueError(
                f"Batches: expected a batch size that {world_size} processes can share evenly, got {batch_size}."
            )
        self.sizes = sizes
        self.shares = tuple(size / sum(sizes) for size in sizes) if shares is None else tuple(shares)
        self.batch_size = batch_size
        self.seed = seed
        if len(set(self._parts(0).tolist())) < len(sizes):
            raise ValueError(
                f"Batches: expected shares of at least {1 / self.BLOCK} for each part, got {list(self.shares)}."
            )
        self.steps = range(start_step, start_step + num_steps)
        self.rank = rank
        self.world_size = world_size

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        samples = self._samples(self.steps.start * self.batch_size)
        for step in self.steps:
            batch = [(next(samples), _draw_seed(self.seed, step, position)) for position in range(self.batch_size)]
            yield batch[self.rank :: self.world_size]

    def _samples(self, first: int) -> Iterator[int]:
        """The index of sample `first` and of all that follow it."""
        starts = np.cumsum([0, *self.sizes])
        drawn = np.zeros(len(self.sizes), dtype=np.int64)
        orders = [(-1, np.empty(0, dtype=np.int64)) for _ in self.sizes]
        for block in count():
            parts = self._parts(block)
            skipped = min(max(0, first - block * self.BLOCK), self.BLOCK)
            drawn += np.bincount(parts[:skipped], minlength=len(self.sizes))
            for part in parts[skipped:].tolist():
                epoch, place = divmod(int(drawn[part]), self.sizes[part])
                if epoch != orders[part][0]:
                    stream = (self.seed, epoch, part) if part else (self.seed, epoch)
                    orders[part] = (epoch, np.random.default_rng(stream).permutation(self.sizes[part]))
                drawn[part] += 1
                yield int(starts[part] + orders[part][1][place])

    def _parts(self, block: int) -> NDArray[np.int64]:
        """Which part each sample of a block comes from, (BLOCK,)."""
        bounds = np.rint(np.cumsum(self.shares) * self.BLOCK).astype(np.int64)
        parts: NDArray[np.int64] = np.repeat(np.arange(len(self.sizes)), np.diff(bounds, prepend=0))
        return np.random.default_rng((self.seed, block, 0x5EED)).permutation(parts) if len(self.sizes) > 1 else parts


class SampleSet(Dataset[LaneSample]):
    """A lane dataset and a transform as a torch dataset.

    An item is asked for by an (index, draw seed) pair, in training, or by a plain index, in validation.

    Args:
        dataset: where the records come from.
        transform: what makes samples of them.
        skip_bad: whether, in training, a record that cannot be loaded is replaced by the next one, with a warning
            in the log. In validation nothing is ever replaced, since the score would be that of other pictures.
    """

    def __init__(self, dataset: LaneDataset, transform: SampleTransform, *, skip_bad: bool = False) -> None:
        self.dataset = dataset
        self.transform = transform
        self.skip_bad = skip_bad
        # In shared memory, so that worker processes count together and each file is reported once.
        self._bad = torch.zeros(len(dataset), dtype=torch.bool)
        self._bad.share_memory_()  # type: ignore[no-untyped-call]

    @property
    def num_bad(self) -> int:
        """How many records have turned out bad and been replaced so far, in all worker processes."""
        return int(self._bad.sum())

    @property
    def faults(self) -> list[str]:
        """What is wrong with each of these records, one sentence each."""
        return [self._fault(int(index)) for index in self._bad.nonzero()]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many pictures there are, for each part of a mixture."""
        return self.dataset.sizes if isinstance(self.dataset, Mixture) else (len(self.dataset),)

    @property
    def shares(self) -> tuple[float, ...]:
        """How often each part is drawn, summing to 1."""
        return self.dataset.shares if isinstance(self.dataset, Mixture) else (1.0,)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: int | tuple[int, int]) -> LaneSample:
        """The sample at an index, or at an (index, draw seed) pair.

        Raises:
            BadSampleError: the record cannot be loaded, or with `skip_bad` none of all records.
        """
        if isinstance(key, tuple):
            index, seed = key
            record = self._load_next_good(index) if self.skip_bad else self._load(index)
        else:
            seed = 0
            record = self._load(key)
        return self.transform(record, self.dataset.num_lanes, seed)

    def _load(self, index: int) -> LaneRecord:
        try:
            return self.dataset.load(index, min_size=self.transform.min_size(self.dataset.image_size(index)))
        except (ValueError, OSError) as error:
            raise BadSampleError(str(error)) from error

    def _fault(self, index: int) -> str:
        """The error of a bad record, by loading it again: the process that met it may be another."""
        try:
            self._load(index)
        except BadSampleError as error:
            return str(error)
        return f"{self.dataset.name(index)}: could not be read at first, but can be now."

    def _load_next_good(self, index: int) -> LaneRecord:
        first = ""
        ends = np.cumsum(self.sizes)
        part = int(np.searchsorted(ends, index, side="right"))
        start = int(ends[part]) - self.sizes[part]
        for offset in range(self.sizes[part]):
            candidate = start + (index - start + offset) % self.sizes[part]
            try:
                return self._load(candidate)
            except BadSampleError as error:
                first = first or str(error)
                if not self._bad[candidate]:
                    self._bad[candidate] = True
                    _log.warning("Skipping sample %d: %s", candidate, error)
        raise BadSampleError(
            f"Training data: expected some readable pictures, all {self.sizes[part]} are bad; one: {first}"
        )


def collate(samples: Sequence[LaneSample]) -> tuple[Tensor, LaneTargets, list[LanePrediction]]:
    """Samples -> images (B, 3, H, W), targets and truths of a batch, as a DataLoader's `collate_fn`."""
    images = torch.stack([sample.image for sample in samples])
    lane_mask = torch.stack([sample.lane_mask for sample in samples])
    existence = torch.stack([sample.existence for sample in samples])
    return images, LaneTargets(lane_mask, existence), [sample.truth for sample in samples]


def initialize_worker(worker_id: int) -> None:
    """Keeps a worker process to one thread, as a DataLoader's `worker_init_fn`: the processes are the parallelism.

    Ctrl-C on a terminal, and a scheduler's SIGTERM, reach workers too. They leave it to the training process to end
    them in order, after its last checkpoint.
    """
    if get_worker_info() is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _let_the_first_pass)
    cv2.setNumThreads(0)


def _let_the_first_pass(number: int, frame: FrameType | None) -> None:
    """The first SIGTERM may be the scheduler's; a second one is the training process's own."""
    signal.signal(number, signal.SIG_DFL)


def _draw_seed(seed: int, step: int, position: int) -> int:
    return int(np.random.SeedSequence((seed, step, position)).generate_state(1, np.uint64)[0])
