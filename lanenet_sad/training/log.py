"""The figures of a run: one CSV file, and TensorBoard where it is installed."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from types import TracebackType
from typing import Any

from lanenet_sad.lanes.files import replacing


class MetricLog:
    """Writes named numbers per step to `metrics.csv` and to TensorBoard event files.

    A new column makes the file be written anew; a resumed run drops the rows that it will repeat.

    Args:
        directory: the run's folder.
        start_step: rows after this step are dropped.
        enabled: write at all; off on all processes of a run but one.
    """

    def __init__(self, directory: Path, start_step: int = 0, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self._board: Any = None
        if not enabled:
            return
        self.path = directory / "metrics.csv"
        self._rows = [row for row in _read_rows(self.path) if int(row["step"]) <= start_step] if start_step else []
        self._columns = list(dict.fromkeys(name for row in self._rows for name in row))
        self._rewrite()
        self._board = _tensorboard_writer(directory, start_step)

    def write(self, step: int, values: dict[str, float]) -> None:
        """Record the figures of one step."""
        if not self._enabled:
            return
        row = {"step": str(step), **{name: f"{value:.6g}" for name, value in values.items()}}
        if self._rows and self._rows[-1]["step"] == row["step"]:
            self._rows[-1] |= row
            self._columns = list(dict.fromkeys([*self._columns, *row]))
            self._rewrite()
        else:
            self._append(row)
        for name, value in values.items():
            if self._board is not None:
                self._board.add_scalar(name, value, step)

    def lacks(self, name: str, step: int) -> bool:
        """Whether the rows of a step, if they are written here, have no such figure."""
        return self._enabled and not any(row["step"] == str(step) and row.get(name) for row in self._rows)

    def _append(self, row: dict[str, str]) -> None:
        self._rows.append(row)
        new = [name for name in row if name not in self._columns]
        if new:
            self._columns += new
            self._rewrite()
        else:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns).writerow(row)

    def __enter__(self) -> MetricLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._board is not None:
            self._board.close()

    def _rewrite(self) -> None:
        if not self._columns:
            return
        with replacing(self.path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(self._rows)


def _read_rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {k: v for k, v in row.items() if v} for row in csv.DictReader(file) if (row.get("step") or "").isdigit()
        ]


def _tensorboard_writer(directory: Path, start_step: int) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(directory / "tensorboard"), purge_step=start_step or None)
