"""Figures of training runs as curves, drawn with OpenCV: no plotting library is needed."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from lanenet_sad.lanes.lane import Image
from lanenet_sad.visualization.palette import Color

# Okabe and Ito's colours for readers of any eyesight.
_BLUE: Final = (0, 114, 178)
_ORANGE: Final = (230, 159, 0)
_GREEN: Final = (0, 158, 115)
_VERMILION: Final = (213, 94, 0)
_PURPLE: Final = (204, 121, 167)
_BLOCK_COLORS: Final = (_PURPLE, _BLUE, _ORANGE, _GREEN, _VERMILION)
_SHARES: Final = {
    "distillation_loss_share": ("loss", _BLUE),
    "distillation_gradient_share": ("gradient", _VERMILION),
}

_FONT: Final = cv2.FONT_HERSHEY_DUPLEX
_INK: Final = (52, 52, 52)
_FAINT: Final = (140, 140, 140)
_GRID: Final = (228, 228, 228)
_FINE: Final = 2  # everything is drawn so many times larger and then shrunk: smoother than OpenCV's own antialiasing

# In pixels of the finished picture.
_LEFT: Final = 62
_GAP: Final = 36
_TITLE: Final = 34
_LEGEND: Final = 30
_BOTTOM: Final = 44


@dataclass(frozen=True)
class Curve:
    """One line of a panel.

    Attributes:
        name: in the legend.
        color: RGB.
        steps: training steps, ascending.
        values: one for each step, finite.
    """

    name: str
    color: Color
    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class _Axis:
    """A range of values on a stretch of pixels, `start` for `low` and `end` for `high`."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (math.log(v) if self.logarithmic else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (value - low) / (high - low)


def plot_training(metrics: Mapping[str, Path], *, panel_size: tuple[int, int] = (220, 460)) -> Image:
    """Show whether distillation was alive: effective support of each block, and its share of loss and gradient.

    A column for each run. The upper row is the number of pixels over which each block's normalised attention map is
    spread (logarithmic; 1 is a dead map), the lower row what distillation adds to the task's loss and to its gradient
    in the encoder. A dotted line marks where distillation began to act. All columns have the same scales.

    Args:
        metrics: title of each run -> its `metrics.csv`, as `train` writes it.
        panel_size: (height, width) in pixels of the drawing area of each panel.

    Returns:
        (rows, columns, 3) RGB uint8 on white; its size follows from the number of runs alone.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: there is no run, or a file is not a table of numbers with a column `step`.
    """
    if not metrics:
        raise ValueError("Plot of training: expected one run or more, got none.")
    if min(panel_size) < 80:
        raise ValueError(f"Plot of training: expected panels of at least 80x80 pixels, got {panel_size}.")
    tables = [read_metrics(path) for path in metrics.values()]
    rows = [
        _Row("effective support (pixels)", [_supports(table) for table in tables], logarithmic=True),
        _Row("distillation / task (%)", [_shares(table) for table in tables]),
    ]
    height, width = panel_size
    size = (_TITLE + 2 * (_LEGEND + height) + _BOTTOM, _LEFT + len(tables) * (width + _GAP))
    sheet = np.full((size[0] * _FINE, size[1] * _FINE, 3), 255, np.uint8)
    for column, (title, table) in enumerate(zip(metrics, tables, strict=True)):
        left = _LEFT + column * (width + _GAP)
        _write(sheet, title, (left + width / 2, _TITLE / 2), width=width, size=0.56)
        steps, acted = _column(table, "step")[0], _column(table, "distillation_loss_share")[0]
        begins = acted[0] if acted and acted[0] > steps[0] else None
        span = _Axis(0, max(1, *steps), left, left + width)
        for number, row in enumerate(rows):
            top = _TITLE + _LEGEND + number * (_LEGEND + height)
            panel = _Panel(sheet, span, _Axis(*row.range, top + height, top, row.logarithmic))
            panel.draw(row.curves[column], begins=begins)
            if column == 0:
                panel.label_values()
                _write(sheet, row.title, (left, top - _LEGEND / 2), align=0)
            if column == len(tables) - 1:
                _draw_legend(sheet, row.legend, (left + width, top - _LEGEND / 2))
        panel.label_steps()
    return np.asarray(cv2.resize(sheet, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The rows of a run's `metrics.csv`; what is empty in a row is left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: there is no column `step`, no row, or a value that is no number.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Metrics {path}: there is no such file; `lanenet-sad train` writes one in its folder.")
    table = []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.DictReader(file)
        if "step" not in (reader.fieldnames or ()):
            raise ValueError(f"Metrics {path}: expected a table with a column 'step', got {reader.fieldnames}.")
        for row in reader:
            try:
                table.append({name: float(value) for name, value in row.items() if value})
            except (TypeError, ValueError) as error:
                raise ValueError(f"Metrics {path}, line {reader.line_num}: expected numbers ({error}).") from error
    table = [row for row in table if "step" in row]
    if not table:
        raise ValueError(f"Metrics {path}: there is no row; the run has logged nothing yet.")
    return table


class _Row:
    """Panels side by side that share their scale of values."""

    def __init__(self, title: str, curves: Sequence[Sequence[Curve]], *, logarithmic: bool = False) -> None:
        self.title, self.curves, self.logarithmic = title, curves, logarithmic
        self.legend = {curve.name: curve.color for panel in curves for curve in panel}
        values = [value for panel in curves for curve in panel for value in curve.values]
        if not values:
            self.range = (1.0, 10.0) if logarithmic else (0.0, 1.0)
        elif logarithmic:
            self.range = (min(values) / 1.25, max(values) * 1.25)
        else:
            self.range = (0.0, 1.1 * max(max(values), 1e-6))


class _Panel:
    """One drawing area with its scales; `sheet` is `_FINE` times as large as the numbers here."""

    def __init__(self, sheet: Image, steps: _Axis, values: _Axis) -> None:
        self.sheet, self.steps, self.values = sheet, steps, values

    def draw(self, curves: Sequence[Curve], *, begins: int | None) -> None:
        """The grid, the curves in it, and a dotted line at step `begins`."""
        left, right, bottom, top = self.steps.start, self.steps.end, self.values.start, self.values.end
        for value in axis_ticks(self.values.low, self.values.high, logarithmic=self.values.logarithmic):
            _line(self.sheet, [(left, self.values(value)), (right, self.values(value))], _GRID, 1)
        for step in axis_ticks(self.steps.low, self.steps.high):
            _line(self.sheet, [(self.steps(step), top), (self.steps(step), bottom)], _GRID, 1)
        if begins is not None:
            x = self.steps(begins)
            for y in np.arange(top, bottom, 7):
                _line(self.sheet, [(x, y), (x, min(y + 3, bottom))], _FAINT, 1)
        for curve in curves:
            points = [(self.steps(s), self.values(v)) for s, v in zip(curve.steps, curve.values, strict=True)]
            _line(self.sheet, points, curve.color, 2)
            if len(points) == 1:
                _dot(self.sheet, points[0], curve.color)
        if not curves:
            _write(self.sheet, "not logged", ((left + right) / 2, (top + bottom) / 2), color=_FAINT)
        _line(self.sheet, [(left, top), (left, bottom), (right, bottom)], _FAINT, 1)

    def label_values(self) -> None:
        """Numbers left of the panel."""
        for value in axis_ticks(self.values.low, self.values.high, logarithmic=self.values.logarithmic):
            _write(self.sheet, short_number(value), (self.steps.start - 7, self.values(value)), align=1)

    def label_steps(self) -> None:
        """Numbers below the panel."""
        for step in axis_ticks(self.steps.low, self.steps.high):
            _write(self.sheet, short_number(step), (self.steps(step), self.values.start + 12))
        _write(self.sheet, "step", ((self.steps.start + self.steps.end) / 2, self.values.start + 31), color=_FAINT)


def axis_ticks(low: float, high: float, *, logarithmic: bool = False) -> list[float]:
    """About five round numbers between two values; on a logarithmic axis 1, 2 and 5 times powers of ten if enough."""
    if logarithmic:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for leads in ((1,), (1, 3), (1, 2, 5)):
            found = [lead * 10.0**decade for decade in decades for lead in leads if low <= lead * 10.0**decade <= high]
            if len(found) >= 4:
                return found
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * lead for lead in (1, 2, 2.5, 5, 10) if unit * lead >= rough * 0.999)
    return [step * number for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def short_number(value: float) -> str:
    """As few characters as tell a tick's value: 0.25, 750, 20k, 1.5M."""
    for least, unit, suffix in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= least:
            return f"{value / unit:.4g}{suffix}"
    return f"{value:.4g}"


def _supports(table: Sequence[Mapping[str, float]]) -> list[Curve]:
    blocks = sorted({int(name[8:]) for row in table for name in row if name[:8] == "support_" and name[8:].isdigit()})
    curves = []
    for block in blocks:
        steps, values = _column(table, f"support_{block}", is_usable=lambda value: value > 0)
        if steps:
            curves.append(Curve(f"E{block}", _BLOCK_COLORS[(block - 1) % len(_BLOCK_COLORS)], steps, values))
    return curves


def _shares(table: Sequence[Mapping[str, float]]) -> list[Curve]:
    curves = []
    for name, (title, color) in _SHARES.items():
        steps, values = _column(table, name, is_usable=lambda value: value >= 0)
        if steps:
            curves.append(Curve(title, color, steps, tuple(100 * value for value in values)))
    return curves


def _column(
    table: Sequence[Mapping[str, float]], name: str, is_usable: Callable[[float], bool] = lambda value: True
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Steps and values of a column where it holds a finite number that is usable."""
    rows = [row for row in table if name in row and math.isfinite(row[name]) and is_usable(row[name])]
    return tuple(int(row["step"]) for row in rows), tuple(row[name] for row in rows)


def _draw_legend(sheet: Image, names: Mapping[str, Color], right_end: tuple[float, float]) -> None:
    x, y = right_end
    for name, color in reversed(list(names.items())):
        x -= _write(sheet, name, (x, y), align=1) + 6
        _line(sheet, [(x - 20, y), (x, y)], color, 3)
        x -= 34


def _line(sheet: Image, points: Sequence[tuple[float, float]], color: Color, thickness: int) -> None:
    fractions = 4  # binary digits of a pixel
    fine = np.round(np.array(points) * _FINE * 2**fractions).astype(np.int32)
    cv2.polylines(sheet, [fine], False, color, thickness * _FINE, cv2.LINE_AA, fractions)


def _dot(sheet: Image, point: tuple[float, float], color: Color) -> None:
    cv2.circle(sheet, (round(point[0] * _FINE), round(point[1] * _FINE)), 3 * _FINE, color, -1, cv2.LINE_AA)


def _write(
    sheet: Image,
    text: str,
    at: tuple[float, float],
    *,
    align: float = 0.5,
    color: Color = _INK,
    size: float = 0.44,
    width: float | None = None,
) -> float:
    """Text beside or around a point: align 0 begins there, 0.5 is centred, 1 ends there; returns its width."""
    plain = text.encode("ascii", "replace").decode()
    size *= _FINE
    (text_width, _), _ = cv2.getTextSize(plain, _FONT, size, 1)
    if width is not None and text_width > width * _FINE:
        size *= width * _FINE / text_width
    (text_width, text_height), _ = cv2.getTextSize(plain, _FONT, size, 1)
    corner = (round(at[0] * _FINE - align * text_width), round(at[1] * _FINE + text_height / 2))
    cv2.putText(sheet, plain, corner, _FONT, size, color, 1, cv2.LINE_AA)
    return text_width / _FINE
