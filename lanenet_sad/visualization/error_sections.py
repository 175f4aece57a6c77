"""The parts of an error page that are there without asking; every text from data is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from lanenet_sad.metrics.culane_score import FALSE_POSITIVES_ONLY
from lanenet_sad.visualization.error_charts import MIN_ROWS, Line, bar, coverage_chart, iou_chart, row_chart
from lanenet_sad.visualization.error_pictures import (
    FALSE_POSITIVE,
    FOUND_LABEL,
    MISSED_LABEL,
    TRUE_POSITIVE,
    BadFrame,
    picture,
)
from lanenet_sad.visualization.error_rows import END_TOLERANCE

_MAX_CATEGORY_CHARTS = 24
_LINES = {
    TRUE_POSITIVE: "predicted, found (TP)",
    FALSE_POSITIVE: "predicted, wrong (FP)",
    MISSED_LABEL: "label, missed (FN)",
    FOUND_LABEL: "label, found",
}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def score_section(table: str, figures: dict[str, Any]) -> str:
    """The official table and the counts that the rest of the page is about."""
    totals = figures["totals"]
    tiles = [
        ("", f"{totals['num_images']:,}", "images"),
        ("", f"{totals['num_labels']:,}", "label lanes"),
        ("", f"{totals['num_predictions']:,}", "predicted"),
        ("good", f"{totals['tp']:,}", "found (TP)"),
        ("bad", f"{totals['fp']:,}", "wrong (FP)"),
        ("warn", f"{totals['fn']:,}", "missed (FN)"),
        ("", _percent(totals["precision"]), "precision, %"),
        ("", _percent(totals["recall"]), "recall, %"),
        ("", _percent(totals["f1"]), "F1, %"),
        ("", _percent(totals["mean_f1"]), "mF1, %"),
    ]
    shown = "".join(f'<div class="{kind}"><b>{number}</b><span>{name}</span></div>' for kind, number, name in tiles)
    return (
        f'<section id="score"><h2>Score</h2><pre>{escape(table)}</pre><div class="tiles">{shown}</div>'
        f"<p>{_how_compared(figures)}</p></section>"
    )


def worst_section(worst: Sequence[BadFrame]) -> str:
    """Pictures of the frames with the most wrong and missed lanes."""
    if not worst:
        return '<section id="worst"><h2>Worst frames</h2><p>No frame has a wrong or a missed lane.</p></section>'
    shown = "".join(f"<figure>{picture(frame)}<figcaption>{_caption(frame)}</figcaption></figure>" for frame in worst)
    return (
        '<section id="worst"><h2>Worst frames</h2><p>The frames with the most wrong and missed lanes; among equals, '
        f'those that lose most IoU.</p>{line_legend()}<div class="pictures">{shown}</div></section>'
    )


def iou_section(figures: dict[str, Any]) -> str:
    """F1 by category and by the IoU above which a lane is found."""
    totals, categories, threshold = figures["totals"], figures["categories"], figures["iou_threshold"]
    lines = [Line(kind, name, _over_iou(totals, kind)) for kind, name in _RATIOS.items()]
    charts = f'<figure style="max-width:40rem">{iou_chart(lines, "F1, precision and recall in % by IoU")}</figure>'
    most = sorted(categories, key=lambda name: -categories[name]["num_images"])[:_MAX_CATEGORY_CHARTS]
    shown = [name for name in categories if name in most and categories[name]["num_labels"]]
    if shown:
        small = "".join(
            f"<figure><figcaption>{escape(name)}</figcaption>{_category_chart(name, totals, categories[name])}</figure>"
            for name in shown
        )
        which = " The 24 largest categories:" if len(categories) > _MAX_CATEGORY_CHARTS else ""
        charts += (
            f"<h3>F1 by IoU in each category (bold), and of all images (dashed).{which}</h3>"
            f'<div class="charts">{small}</div>'
        )
    rows = [_category_row(name, summary) for name, summary in categories.items()]
    rows.append(_category_row("all images", totals))
    heads = ["category", "images", "labels", "TP", "FP", "FN", "precision", "recall", "F1", "", "mF1"]
    by_iou = [[name, *_f1_by_iou(summary)] for name, summary in (*categories.items(), ("all images", totals))]
    ious = [f"{each['iou_threshold']:g}" for each in totals["by_iou"]]
    return (
        f'<section id="iou"><h2>F1 by category and by IoU</h2><p>In per cent. mF1 is the mean of F1 over the IoU '
        f"thresholds 0.5, 0.55, …, 0.95. Where F1 falls early, lanes are seen but not placed well; where it is low "
        f"from the start, they are not seen.</p>{charts}<h3>At IoU above {threshold:g}</h3>{_table(heads, rows)}"
        f"<h3>F1 by IoU</h3>{_table(['category', *ious], by_iou)}</section>"
    )


def row_section(figures: dict[str, Any]) -> str:
    """Distances by image row, and over which rows lanes are there."""
    rows, head = figures["rows"], '<section id="rows"><h2>Errors by image row</h2>'
    if not rows["all"]["num_rows"]:
        return f"{head}<p>No label lane is found, so that there is no distance to measure.</p></section>"
    height = rows["image_height"]
    unit = f"pixels of images scaled to {figures['canvas_width']} across" if figures["canvas_width"] else "pixels"
    bands = rows["bands"]
    farthest = max([band["p90"] for band in bands if band["num_rows"] >= MIN_ROWS], default=1.0) * 1.05
    charts = (
        f"<figure><figcaption>Distance from the label, all lanes</figcaption>"
        f"{row_chart(bands, 'distance from the label by image row', height, farthest)}{_distance_legend()}</figure>"
        f"<figure><figcaption>What becomes of label lanes, row by row</figcaption>"
        f"{coverage_chart(bands, 'label rows found, too short, missed', height)}{_coverage_legend()}</figure>"
    )
    slots = "".join(_slot_chart(slot, each, height, farthest) for slot, each in rows["slots"].items())
    by_slot = f'<h3>By lane slot of the label</h3><div class="charts large">{slots}</div>' if slots else ""
    heads = ["image rows", "mean", "median", "90 %", "bias", "rows"]
    heads += ["found, %", "too short, %", "missed, %", "beyond the label, %"]
    table = [_band_row(band, height) for band in reversed(bands) if band["num_rows"] or sum(band["rows"].values())]
    return (
        f"{head}<p>Along image rows, between a found lane and its label, in {unit}. Lanes that lie too far off are not "
        "found and so not measured here. Bias is positive where predictions lie right of their labels. The charts are "
        "laid out as the picture, with the bottom near the car; bands of rows with fewer than "
        f'{MIN_ROWS} measurements are left out of them.</p><div class="charts large">{charts}</div>{by_slot}'
        f"<h3>From the bottom of the picture up</h3>{_table(heads, table)}{_ends(rows['ends'])}</section>"
    )


def lane_number_section(figures: dict[str, Any]) -> str:
    """Counts by the number of lanes in the label, and false lanes where there is none."""
    heads = ["lanes in the label", "images", "as many predicted", "fewer", "more", "TP", "FP", "FN"]
    heads += ["precision", "recall", "F1", ""]
    rows = [_number_row(each) for each in figures["by_num_lanes"]]
    numbers = figures["lane_numbers"]
    widths = range(max((predicted for _, predicted, _ in numbers), default=0) + 1)
    images = {(labels, predicted): count for labels, predicted, count in numbers}
    matrix = [
        [str(labels), *(str(images.get((labels, predicted), "")) for predicted in widths)]
        for labels in sorted({labels for labels, _, _ in numbers})
    ]
    cross = _table(["label \\ predicted", *map(str, widths)], matrix) if matrix else ""
    return (
        f'<section id="numbers"><h2>By number of lanes in the label</h2>{_unmarked(figures)}{_table(heads, rows)}'
        f"<h3>Images by number of lanes in the label and in the prediction</h3>{cross}</section>"
    )


def line_legend() -> str:
    """What the lines in pictures mean."""
    items = "".join(
        f'<li><svg viewBox="0 0 54 18" aria-hidden="true"><polyline class="rim" points="5,9 49,9"/>'
        f'<polyline class="{kind}" points="5,9 49,9"/></svg>{text}</li>'
        for kind, text in _LINES.items()
    )
    return f'<ul class="legend">{items}</ul>'


def _how_compared(figures: dict[str, Any]) -> str:
    drawn = f"drawn {figures['lane_width']} px wide"
    canvas = f" with every image scaled to a width of {figures['canvas_width']} px" if figures["canvas_width"] else ""
    above = f"found means an IoU above {figures['iou_threshold']:g}"
    if figures["compared_by_report"]:
        return (
            "The table is this benchmark's official score. The counts below it, and the rest of this page, come from "
            f"comparing lanes as the CULane evaluator does, {drawn}{canvas}: {above}."
        )
    return f"The counts and the rest of this page are of the lanes as the official score has paired them: {above}."


_RATIOS = {"precision": "precision", "recall": "recall", "f1": "F1"}  # the last one is drawn on top


def _over_iou(summary: dict[str, Any], kind: str) -> list[tuple[float, float | None]]:
    return [(each["iou_threshold"], each[kind]) for each in summary["by_iou"]]


def _category_chart(name: str, totals: dict[str, Any], summary: dict[str, Any]) -> str:
    lines = [Line("all", "all images", _over_iou(totals, "f1")), Line("f1", name, _over_iou(summary, "f1"))]
    return iou_chart(lines, f"F1 in % by IoU, {name}", size=(170, 280), named=False)


def _category_row(name: str, summary: dict[str, Any]) -> list[str]:
    numbers = [f"{summary[key]:,}" for key in ("num_images", "num_labels", "tp", "fp", "fn")]
    if name in FALSE_POSITIVES_ONLY:  # its labels have no lane, so that nothing but these means anything
        return [name, numbers[0], numbers[1], "-", numbers[3], "-", "-", "-", "-", "", "-"]
    ratios = [_percent(summary[key]) for key in ("precision", "recall", "f1")]
    return [name, *numbers, *ratios, Markup(bar(summary["f1"])), _percent(summary["mean_f1"])]


def _f1_by_iou(summary: dict[str, Any]) -> list[str]:
    return [_percent(each["f1"], digits=1) for each in summary["by_iou"]]


def _slot_chart(slot: str, each: dict[str, Any], height: int | None, farthest: float) -> str:
    figures, label = each["all"], f"distance of slot {slot} by image row"
    caption = f"Slot {slot}: mean {_pixels(figures['mean'])}, bias {_signed(figures['bias'])}"
    return f"<figure><figcaption>{caption}</figcaption>{row_chart(each['bands'], label, height, farthest)}</figure>"


def _band_row(band: dict[str, Any], height: int | None) -> list[str]:
    low, high = band["to"], band["from"]
    place = f"{low * height:.0f} to {high * height:.0f}" if height else f"{100 * low:.0f} to {100 * high:.0f} % down"
    distances = [_pixels(band[key]) for key in ("mean", "median", "p90")]
    rows = band["rows"]
    label = rows["found"] + rows["too_short"] + rows["missed"]
    shares = [_percent(rows[key] / label if label else None, digits=1) for key in ("found", "too_short", "missed")]
    predicted = rows["found"] + rows["too_long"]
    beyond = _percent(rows["too_long"] / predicted if predicted else None, digits=1)
    return [place, *distances, _signed(band["bias"]), f"{band['num_rows']:,}", *shares, beyond]


def _ends(ends: dict[str, Any]) -> str:
    """Whether found lanes end where their labels do."""
    names = {"far": "far end, towards the horizon", "near": "near end, towards the car"}
    rows = []
    for end, name in names.items():
        each = ends[end]
        total = each["too_short"] + each["as_label"] + each["too_long"]
        shares = [
            _percent(each[key] / total if total else None, digits=1) for key in ("too_short", "as_label", "too_long")
        ]
        rows.append([name, *shares, _signed(each["mean_gap"]), _pixels(each["mean_absolute_gap"])])
    heads = ["end of the lane", "too short, %", "as the label, %", "too long, %", "mean gap", "mean |gap|"]
    return (
        f"<h3>Where found lanes end</h3><p>Too short: the prediction ends more than {100 * END_TOLERANCE:g} % of the "
        "picture's height before its label does; too long: as much beyond it. The gap is in the same pixels, positive "
        f"where the prediction is short.</p>{_table(heads, rows)}"
    )


def _number_row(each: dict[str, Any]) -> list[str]:
    counts = [f"{each[key]:,}" for key in ("num_images", "same_number", "fewer", "more", "tp", "fp", "fn")]
    ratios = [_percent(each[key]) for key in ("precision", "recall", "f1")]
    return [str(each["num_lanes"]), *counts, *ratios, Markup(bar(each["f1"]))]


def _unmarked(figures: dict[str, Any]) -> str:
    """What is predicted where the label has nothing."""
    without = next((each for each in figures["by_num_lanes"] if each["num_lanes"] == 0), None)
    if without is None:
        return "<p>Every image has a lane to find.</p>"
    images, false = without["num_images"], without["num_predictions"]
    return (
        f"<p>{images:,} {'image has' if images == 1 else 'images have'} no lane to find: {false:,} false "
        f"{'lane' if false == 1 else 'lanes'} there, {false / images:.2f} an image, on {without['more']:,} of them.</p>"
    )


def _caption(frame: BadFrame) -> str:
    outcome, name = frame.outcome, frame.truth.name
    category = f"{escape(frame.category)}: " if frame.category else ""
    ious = ", ".join(f"{iou:.3f}" if p >= 0 else "-" for iou, p in zip(outcome.ious, outcome.partners, strict=True))
    of_labels = f"IoU of the label lanes: {ious}" if ious else "no label lane"
    return (
        f'<a href="#number={frame.number}">{escape(name) or "(no name)"}</a><br>{category}<span class="counts">'
        f'<span class="bad">{outcome.fp} wrong</span>, <span class="warn">{outcome.fn} missed</span>, '
        f'<span class="good">{outcome.tp} found</span></span><br><small>{of_labels}</small>'
    )


def _distance_legend() -> str:
    names = {"median": "median", "mean": "mean", "p90": "90 % are closer"}
    items = "".join(
        f'<li><svg class="plain chart" viewBox="0 0 54 18" aria-hidden="true">'
        f'<polyline class="line {kind}" points="3,9 51,9"/></svg>{text}</li>'
        for kind, text in names.items()
    )
    return f'<ul class="legend">{items}</ul>'


def _coverage_legend() -> str:
    names = {"found": "found", "too_short": "found, but the prediction does not reach here", "missed": "lane missed"}
    return f'<ul class="legend">{"".join(f"<li><i class={kind}></i>{text}</li>" for kind, text in names.items())}</ul>'


def _percent(ratio: float | None, digits: int = 2) -> str:
    return "-" if ratio is None else f"{100 * ratio:.{digits}f}"


def _pixels(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 1) + 0.0:+.1f}"  # + 0.0: no minus before a zero


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose last row is in bold where it is that of all images."""
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    body = []
    for first, *others in rows:
        cells = "".join(f"<td>{cell if isinstance(cell, Markup) else escape(cell)}</td>" for cell in others)
        total = ' class="total"' if first == "all images" else ""
        body.append(f'<tr{total}><th scope="row">{escape(first)}</th>{cells}</tr>')
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
