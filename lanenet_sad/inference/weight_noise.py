"""How much of its score does a network keep when noise is added to its weights?"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lanenet_sad.inference.exit_table import markdown_table, write_table
from lanenet_sad.metrics.base import Score
from lanenet_sad.models.perturbation import perturb_weights


@dataclass(frozen=True)
class NoiseRow:
    """The scores at one strength of noise.

    Attributes:
        sigma: deviation of the noise, in units of the deviation of each tensor.
        scores: one for each seed, 0 to 1; a single one without noise.
    """

    sigma: float
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.fmean(self.scores)

    @property
    def deviation(self) -> float:
        """Standard deviation over the seeds; 0 for a single one."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else 0.0


def noise_rows(
    network: nn.Module,
    sigmas: Sequence[float],
    num_seeds: int,
    score: Callable[[str, nn.Module], float],
    *,
    undisturbed: float,
) -> list[NoiseRow]:
    """Scores a network with each strength of noise and each seed (`perturb_weights`).

    Args:
        network: is left as it was.
        sigmas: strengths; at 0 the score is the `undisturbed` one.
        num_seeds: noises of each strength.
        score: title and network -> the benchmark's figure.
        undisturbed: the network's figure as it is.
    """
    rows = []
    for sigma in sigmas:
        scores = [] if sigma else [undisturbed]
        for seed in range(num_seeds if sigma else 0):
            with perturb_weights(network, sigma, seed):
                scores.append(score(f"noise {sigma:g}, seed {seed}", network))
        rows.append(NoiseRow(sigma, tuple(scores)))
    return rows


def write_noise_table(out: Path, rows: Sequence[NoiseRow], score: Score, described: Mapping[str, Any]) -> list[Path]:
    """Prints the table and writes it as `weight_noise.md` and `weight_noise.json`; returns the two paths.

    Args:
        out: the folder.
        rows: what was found.
        score: one of the scores, for the name of its metric.
        described: what else to keep with the figures.
    """
    metric = str(score.to_dict()["metric"])
    cells = [
        (f"{row.sigma:g}", f"{row.mean:.4f}", f"{row.deviation:.4f}", f"{min(row.scores):.4f}", str(len(row.scores)))
        for row in rows
    ]
    table = markdown_table(("noise", metric, "deviation", "worst", "seeds"), cells)
    noise = [{**asdict(row), "mean": row.mean, "deviation": row.deviation} for row in rows]
    return write_table(out / "weight_noise", table, {**described, "metric": metric, "noise": noise})
