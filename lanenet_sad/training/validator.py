"""The validations of a run, and which of its networks is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from lanenet_sad.benchmarks import Benchmark
from lanenet_sad.datasets.base import LaneDataset
from lanenet_sad.postprocess.decode import LaneDecoder
from lanenet_sad.training.keeper import Keeper
from lanenet_sad.training.validation import validate


@dataclass
class Validator:
    """Scores a run's network and keeps it if it is the best so far.

    Attributes:
        kind: of benchmark, whose metric and threshold count.
        held_out: what to score on; None: the newest network is kept unscored.
        canvas_width: for a CULane metric of mixed image sizes; None: the benchmark's own.
        max_images: score the first so many images only.
        batch_size: images at a time.
        num_workers: processes that read images.
        faults: one sentence for each image that could not be read.
    """

    kind: Benchmark
    held_out: LaneDataset | None
    canvas_width: int | None
    max_images: int | None
    batch_size: int
    num_workers: int
    faults: list[str] = field(default_factory=list)

    def __call__(self, keeper: Keeper) -> float | None:
        """The score of the network as it stands; None where there is nothing to score on."""
        progress = keeper.progress
        if self.held_out is None:
            keeper.save_network("best.safetensors")
            return None
        lowest = self.kind.threshold if keeper.card.threshold is None else keeper.card.threshold
        metric, decoder = self.kind.metric(self.canvas_width), LaneDecoder(threshold=lowest)
        with keeper.network() as network:
            score = validate(
                network,
                self.held_out,
                metric,
                keeper.card.view,
                decoder,
                batch_size=self.batch_size,
                num_workers=self.num_workers,
                max_images=self.max_images,
                faults=self.faults,
            ).value
        if progress.best_score is None or score > progress.best_score:
            progress.best_score, progress.best_step = score, progress.step
            keeper.save_network("best.safetensors", val_score=score)
        return score
