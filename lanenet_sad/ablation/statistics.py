"""What a few seeds say: mean, spread, and the difference to a baseline, seed by seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats


@dataclass(frozen=True)
class PairedDifference:
    """The mean difference of two rows over the seeds that both have.

    Attributes:
        mean: row - baseline.
        low, high: its 95 % confidence interval (Student's t); None with fewer than two seeds.
        num_seeds: how many seeds both have.
    """

    mean: float
    low: float | None
    high: float | None
    num_seeds: int


def mean_and_deviation(scores: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (n - 1); None for the deviation of fewer than two scores."""
    return statistics.fmean(scores), statistics.stdev(scores) if len(scores) > 1 else None


def paired_difference(
    row: Mapping[int, float], baseline: Mapping[int, float], confidence: float = 0.95
) -> PairedDifference | None:
    """Compare scores by seed; None where no seed is in both.

    Runs with one seed share their initial weights and the order of their samples, so that their difference spreads
    less than the two scores do. The interval assumes normally distributed differences; with two or three seeds it is
    wide, as it should be.
    """
    seeds = sorted(row.keys() & baseline.keys())
    if not seeds:
        return None
    mean, deviation = mean_and_deviation([row[seed] - baseline[seed] for seed in seeds])
    if deviation is None:
        return PairedDifference(mean, None, None, 1)
    half = float(stats.t.ppf((1 + confidence) / 2, len(seeds) - 1)) * deviation / math.sqrt(len(seeds))
    return PairedDifference(mean, mean - half, mean + half, len(seeds))
