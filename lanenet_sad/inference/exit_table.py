"""What each exit of a network gives and costs."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lanenet_sad.lanes.files import replacing
from lanenet_sad.metrics.base import Score
from lanenet_sad.models.exits import ExitEnsemble, truncate
from lanenet_sad.models.weights import NetworkWithExits, no_exits

WHOLE = "whole network"
ENSEMBLE = "ensemble"


@dataclass(frozen=True)
class ExitRow:
    """One exit, the whole network, or the ensemble of all.

    Attributes:
        name: of the exit.
        score: the benchmark's figure, 0 to 1.
        milliseconds: of one forward pass for one view, median.
        parameters: of all that is computed.
    """

    name: str
    score: float
    milliseconds: float
    parameters: int


def networks_of_exits(found: NetworkWithExits, path: Path) -> dict[str, nn.Module]:
    """Every way to predict with a network that has exits, by name: the exits shallow to deep, the whole, the ensemble.

    Args:
        found: the network and its exits.
        path: of their file, for the error.

    Raises:
        ValueError: there are no exits.
    """
    if not found.exits:
        raise no_exits(path)
    networks: dict[str, nn.Module] = {
        f"exit {block}": truncate(found.network, found.exits[block]) for block in sorted(found.exits)
    }
    return {**networks, WHOLE: found.network, ENSEMBLE: ExitEnsemble(found.network, found.exits)}


def exit_rows(
    networks: Mapping[str, nn.Module], score: Callable[[str, nn.Module], float], view: Tensor
) -> list[ExitRow]:
    """Scores, times and counts networks.

    Args:
        networks: in eval mode, by name.
        score: name and network -> the benchmark's figure.
        view: (1, 3, H, W), what the forward passes are timed with, on the networks' device.
    """
    times = latencies(networks, view)
    return [
        ExitRow(name, score(name, network), 1000 * times[name], sum(p.numel() for p in network.parameters()))
        for name, network in networks.items()
    ]


def latencies(networks: Mapping[str, nn.Module], view: Tensor, *, rounds: int = 11) -> dict[str, float]:
    """Seconds of one forward pass of each network: the median over rounds in which all take their turn.

    What else the machine does then slows all of them alike. Two rounds before warm up.
    """
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    view = view.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        for number in range(rounds + 2):
            for name, network in networks.items():
                started = time.perf_counter()
                network(view)
                if view.device.type != "cpu":
                    torch.accelerator.synchronize()
                if number >= 2:
                    seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def write_exit_table(out: Path, rows: Sequence[ExitRow], score: Score, described: Mapping[str, Any]) -> list[Path]:
    """Prints the table and writes it as `exits.md` and `exits.json`; returns the two paths.

    Args:
        out: the folder.
        rows: what was found.
        score: one of the scores, for the name of its metric.
        described: what else to keep with the figures.
    """
    metric = str(score.to_dict()["metric"])
    cells = [(row.name, f"{row.score:.4f}", f"{row.milliseconds:.1f}", f"{row.parameters:,}") for row in rows]
    table = markdown_table(("predicts", metric, "ms a view", "parameters"), cells)
    return write_table(out / "exits", table, {**described, "metric": metric, "exits": [asdict(row) for row in rows]})


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown whose columns also align as plain text; all but the first to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join((first, *others))} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(line(cells) for cells in (header, rule, *rows))


def write_table(path: Path, table: str, content: Mapping[str, Any]) -> list[Path]:
    """Prints a table and writes it as `<path>.md`, its figures as `<path>.json`; returns the two paths."""
    print(table)
    texts = {path.with_suffix(".md"): table, path.with_suffix(".json"): json.dumps(content, indent=2)}
    for target, text in texts.items():
        with replacing(target) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    return list(texts)
