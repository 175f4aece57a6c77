"""The charts of an error page as SVG; colours and line styles come from the page's style sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, NamedTuple

#: Bands with fewer rows say nothing and are left out of charts; tables have them.
MIN_ROWS = 30

_Place = Callable[[float], float]


class Line(NamedTuple):
    """One line of a chart: its class in the style sheet, what it is called, and (x, y), y None where there is none."""

    kind: str
    label: str
    points: Sequence[tuple[float, float | None]]


class _Frame(NamedTuple):
    """Where a chart's axes lie within its picture."""

    left: float
    top: float
    width: float
    height: float


def iou_chart(lines: Sequence[Line], label: str, *, size: tuple[int, int] = (220, 560), named: bool = True) -> str:
    """Ratios (0..1) over IoU thresholds; the lines' names stand at their right ends if `named`."""
    height, width = size
    frame = _Frame(38, 10, width - (130 if named else 54), height - 52)
    low, high = 0.5, 0.95
    if lines and lines[0].points:
        low, high = (edge(x for x, _ in lines[0].points) for edge in (min, max))

    def across(iou: float) -> float:
        return frame.left + frame.width * (iou - low) / max(high - low, 1e-9)

    def down(ratio: float) -> float:
        return frame.top + frame.height * (1 - ratio)

    steps = (0, 0.25, 0.5, 0.75, 1)
    parts = [_grid_row(frame, down(ratio), f"{100 * ratio:.0f}") for ratio in steps]
    ticks = [iou for iou, _ in lines[0].points] if lines else []
    for iou in ticks[:: 1 if named else 3]:
        parts.append(_text(across(iou), frame.top + frame.height + 16, f"{iou:g}", "middle"))
    parts.append(_text(frame.left + frame.width / 2, height - 6, "IoU above which a lane is found", "middle"))
    ends: list[tuple[float, Line]] = []
    for line in lines:
        parts.append(_path(line, across, down))
        last = next((y for _, y in reversed(line.points) if y is not None), None)
        if last is not None:
            ends.append((down(last), line))
    if named:
        for y, line in _spread(ends, 15, frame.top + frame.height):
            parts.append(_text(frame.left + frame.width + 8, y + 4, line.label, "start", line.kind))
    return _svg(parts, size, label)


def row_chart(bands: Sequence[dict[str, Any]], label: str, image_height: int | None, farthest: float) -> str:
    """Distances by image row, laid out as the picture is: its bottom is the chart's bottom.

    Args:
        bands: from the top of the picture, each with `mean`, `median` and `p90`.
        label: what is shown.
        image_height: in pixels, if all images have it; else rows are shares of the height.
        farthest: pixels at the right edge.
    """
    size = (300, 400)
    frame = _Frame(58, 12, size[1] - 78, size[0] - 62)
    down, parts = _rows_axis(frame, len(bands), image_height)

    def across(pixels: float) -> float:
        return frame.left + frame.width * min(pixels / max(farthest, 1e-9), 1.0)

    for pixels in _ticks(farthest):
        parts.append(_grid_column(frame, across(pixels), f"{pixels:g}"))
    parts.append(_text(frame.left + frame.width / 2, size[0] - 8, "distance from the label in pixels", "middle"))
    for kind in ("p90", "mean", "median"):
        known = [
            (across(band[kind]), down(number + 0.5))
            for number, band in enumerate(bands)
            if band["num_rows"] >= MIN_ROWS
        ]
        if known:
            parts.append(f'<polyline class="line {kind}" points="{_points(known)}"/>')
            parts += [f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="2.2"/>' for x, y in known]
    return _svg(parts, size, label)


def coverage_chart(bands: Sequence[dict[str, Any]], label: str, image_height: int | None) -> str:
    """What became of the rows of all label lanes, by image row: bars that add up to all rows in that band."""
    size = (300, 400)
    frame = _Frame(58, 12, size[1] - 78, size[0] - 62)
    down, parts = _rows_axis(frame, len(bands), image_height)
    for percent in (0, 25, 50, 75, 100):
        parts.append(_grid_column(frame, frame.left + frame.width * percent / 100, f"{percent}"))
    parts.append(_text(frame.left + frame.width / 2, size[0] - 8, "% of the label lanes' rows", "middle"))
    for number, band in enumerate(bands):
        rows = {kind: band["rows"][kind] for kind in ("found", "too_short", "missed")}
        total, x = sum(rows.values()), frame.left
        for kind, count in rows.items():
            width = frame.width * count / total if total else 0
            if width:
                top, height = down(number) + 0.5, down(number + 1) - down(number) - 1
                parts.append(
                    f'<rect class="bar {kind}" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
                )
            x += width
    return _svg(parts, size, label)


def bar(ratio: float | None) -> str:
    """A small bar for a cell of a table, 0..1; nothing for None."""
    if ratio is None:
        return ""
    value = f'<rect class="value" width="{100 * ratio:.1f}" height="10"/>'
    return (
        '<svg class="cell" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="100" height="10"/>{value}</svg>'
    )


def _rows_axis(frame: _Frame, num_bands: int, image_height: int | None) -> tuple[_Place, list[str]]:
    """From a place in bands (0 is the top of the picture) to one in the chart, and the axis."""

    def down(band: float) -> float:
        return frame.top + frame.height * band / num_bands

    parts = []
    for quarter in range(5):
        share = quarter / 4
        text = f"{share * image_height:.0f}" if image_height else f"{100 * share:.0f} %"
        parts.append(_grid_row(frame, down(share * num_bands), text))
    middle = frame.top + frame.height / 2
    parts.append(
        f'<text x="12" y="{middle:.0f}" text-anchor="middle" transform="rotate(-90 12 {middle:.0f})">image row</text>'
    )
    return down, parts


def _spread(ends: Sequence[tuple[float, Line]], gap: float, bottom: float) -> list[tuple[float, Line]]:
    """Moves names apart that would cover each other, upwards from the lowest one."""
    placed: list[tuple[float, Line]] = []
    for y, line in sorted(ends, key=lambda end: -end[0]):
        placed.append((min(y, placed[-1][0] - gap) if placed else min(y, bottom - 4), line))
    return placed


def _path(line: Line, across: _Place, down: _Place) -> str:
    """A line that breaks where it has no value."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in line.points:
        if y is None:
            pieces.append([])
        else:
            pieces[-1].append((across(x), down(y)))
    return "".join(f'<polyline class="line {line.kind}" points="{_points(piece)}"/>' for piece in pieces if piece)


def _ticks(farthest: float) -> list[float]:
    """Round numbers from 0 to `farthest`, at most six."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if farthest / step <= 5 or step == 500)
    return [number * step for number in range(int(farthest / step) + 1)]


def _grid_row(frame: _Frame, y: float, text: str) -> str:
    line = f'<line class="grid" x1="{frame.left}" x2="{frame.left + frame.width}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + _text(frame.left - 6, y + 4, text, "end")


def _grid_column(frame: _Frame, x: float, text: str) -> str:
    bottom = frame.top + frame.height
    line = f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{bottom}"/>'
    return line + _text(x, bottom + 16, text, "middle")


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    named = f' class="name {kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _svg(parts: Sequence[str], size: tuple[int, int], label: str) -> str:
    height, width = size
    return (
        f'<svg class="chart" role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" '
        f'style="max-width:{width}px">{"".join(parts)}</svg>'
    )
