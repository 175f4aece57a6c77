"""The report of a grid: one table as Markdown, HTML and CSV, whichever way it falls."""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from lanenet_sad.ablation.grid import Grid, PlannedRun
from lanenet_sad.ablation.results import RunResult
from lanenet_sad.ablation.statistics import PairedDifference, mean_and_deviation, paired_difference
from lanenet_sad.lanes.files import replacing

COLUMNS = ("row", "seeds", "score", "by seed", "difference to {baseline} (95 % interval)", "gradient share", "note")


@dataclass(frozen=True)
class RowSummary:
    """One row of the table; scores are fractions, as the metrics return them.

    Attributes:
        name: of the row.
        scores: by seed, of the runs that are finished.
        num_planned: how many runs the grid asks for.
        mean, deviation: of the scores; None without any, or with one.
        difference: to the baseline, over common seeds; None for the baseline itself or without common seeds.
        gradient_share: distillation / task in the encoder's gradient at the end, mean over the seeds.
        missing: names of values that nobody gave, without which the row cannot be run.
        failures: by seed, what the last attempt of a run that failed said.
    """

    name: str
    scores: Mapping[int, float]
    num_planned: int
    mean: float | None
    deviation: float | None
    difference: PairedDifference | None
    gradient_share: float | None
    missing: tuple[str, ...]
    failures: Mapping[int, str]

    @property
    def note(self) -> str:
        """What the reader has to know of a row that is not complete."""
        if self.missing and not self.scores:
            return f"not run: needs {', '.join(self.missing)}"
        notes = []
        if self.failures:
            seeds = ", ".join(map(str, sorted(self.failures)))
            notes.append(f"failed with seed {seeds}: {self.failures[min(self.failures)]}")
        if not self.scores:
            notes.append("not run" if not self.failures else "no score")
        elif len(self.scores) < self.num_planned:
            notes.append(f"{len(self.scores)} of {self.num_planned} seeds run")
        return "; ".join(notes)


def summarize(
    grid: Grid, results: Mapping[str, RunResult], failures: Mapping[str, str] | None = None
) -> list[RowSummary]:
    """The rows of the table, in the grid's order, also those that were not run.

    Args:
        grid: what was asked for.
        results: by digest.
        failures: by digest, what runs that failed said last.
    """
    runs = grid.runs()
    by_row = {name: _results_of(name, runs, results) for name in grid.rows}
    scores = {name: {seed: result.score for seed, result in found.items()} for name, found in by_row.items()}
    summaries = []
    for name, found in by_row.items():
        planned = [run for run in runs if run.row == name]
        mean, deviation = mean_and_deviation(list(scores[name].values())) if found else (None, None)
        difference = None if name == grid.baseline else paired_difference(scores[name], scores[grid.baseline])
        shares = [result.gradient_share for result in found.values()]
        share = sum(shares) / len(shares) if shares else None
        missing = tuple(sorted({each for run in planned for each in run.missing}))
        reasons = {run.seed: (failures or {}).get(run.digest) for run in planned if run.seed not in found}
        failed = {seed: reason for seed, reason in reasons.items() if reason is not None}
        summaries.append(
            RowSummary(name, scores[name], len(planned), mean, deviation, difference, share, missing, failed)
        )
    return summaries


def write_report(
    out: Path,
    grid: Grid,
    results: Mapping[str, RunResult],
    command: str,
    pictures: Mapping[str, Path] | None = None,
    failures: Mapping[str, str] | None = None,
) -> tuple[Path, ...]:
    """Write `report.md`, `report.html` and `report.csv` into `out`; returns their paths.

    Args:
        out: folder.
        grid: what was asked for.
        results: by digest.
        command: what makes the report, for its last lines.
        pictures: caption -> PNG or JPEG file in `out`; in the HTML file they are embedded.
        failures: as in `summarize`.
    """
    rows = summarize(grid, results, failures)
    used = [results[run.digest] for run in grid.runs() if run.digest in results]
    out.mkdir(parents=True, exist_ok=True)
    texts = {
        "report.md": _markdown(grid, rows, used, command, pictures or {}),
        "report.html": _html(grid, rows, used, command, pictures or {}),
        "report.csv": _csv(rows),
    }
    for name, text in texts.items():
        with replacing(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return tuple(out / name for name in texts)


def _results_of(name: str, runs: Sequence[PlannedRun], results: Mapping[str, RunResult]) -> dict[int, RunResult]:
    return {run.seed: results[run.digest] for run in runs if run.row == name and run.digest in results}


def _cells(row: RowSummary) -> tuple[str, ...]:
    """The texts of a row, in the order of `COLUMNS`; scores in per cent."""
    score = "-" if row.mean is None else f"{100 * row.mean:.2f}"
    if row.deviation is not None:
        score += f" ± {100 * row.deviation:.2f}"
    by_seed = " / ".join(f"{100 * score:.2f}" for _, score in sorted(row.scores.items())) or "-"
    share = "-" if not row.gradient_share else f"{row.gradient_share:.3f}"
    return (
        row.name,
        f"{len(row.scores)} of {row.num_planned}",
        score,
        by_seed,
        _interval(row.difference),
        share,
        row.note,
    )


def _interval(difference: PairedDifference | None) -> str:
    if difference is None:
        return "-"
    mean = f"{100 * difference.mean:+.2f}"
    if difference.low is None or difference.high is None:
        return f"{mean} (one seed: no interval)"
    return f"{mean} ({100 * difference.low:+.2f} to {100 * difference.high:+.2f})"


def _headings(grid: Grid) -> list[str]:
    return [column.format(baseline=grid.baseline) for column in COLUMNS]


def _provenance(used: Sequence[RunResult], command: str) -> list[str]:
    """How the figures came about."""
    lines = [
        "Score: official score on the validation split in per cent, with the weights of the last step, by seed in "
        "ascending order; ± is the standard deviation over seeds. Differences are taken seed by seed; an interval that "
        "holds 0 shows nothing, and one in twenty that does not hold it is chance. Gradient share: of all losses that "
        "the row adds, label losses of exits and self-teachers among them, to those of the task, in the encoder at the "
        "end.",
        f"Command: `{command}`",
    ]
    if used:
        days = sorted(result.date[:10] for result in used)
        span = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
        commits = ", ".join(sorted({result.commit for result in used}))
        machines = "; ".join(sorted({result.machine for result in used}))
        lengths = sorted({result.steps for result in used})
        steps = str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
        data = ", ".join(sorted({result.data for result in used}))
        lines.append(
            f"Runs: {len(used)} of {steps} steps, {span}, commit {commits}, on {machines}; data with the fingerprint "
            f"{data}."
        )
    return lines


def _markdown(
    grid: Grid, rows: Sequence[RowSummary], used: Sequence[RunResult], command: str, pictures: Mapping[str, Path]
) -> str:
    headings = _headings(grid)
    table = [headings, ["---"] * len(headings), *(list(_cells(row)) for row in rows)]
    lines = [f"# {grid.title}", "", grid.about, ""] if grid.about else [f"# {grid.title}", ""]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table]
    for caption, path in pictures.items():
        lines += ["", f"![{caption}]({path.name})", "", caption]
    for line in _provenance(used, command):
        lines += ["", line]
    lines += ["", "What each row sets:", "", "```yaml", _settings(grid).rstrip(), "```", ""]
    return "\n".join(lines)


def _settings(grid: Grid) -> str:
    text: str = yaml.safe_dump({name: dict(row) for name, row in grid.rows.items()}, sort_keys=False, width=110)
    given = "".join(f"# ${{{name}}}: {Path(value).name}\n" for name, value in grid.values.items())
    return given + text


def _csv(rows: Sequence[RowSummary]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["row", "seed", "score", "mean", "deviation", "difference", "low", "high", "gradient_share", "note"]
    )
    for row in rows:
        change = row.difference
        of_row = [row.mean, row.deviation, *((change.mean, change.low, change.high) if change else (None,) * 3)]
        of_row.append(row.gradient_share)
        numbers = ["" if value is None else f"{value:.6g}" for value in of_row]
        for seed, score in sorted(row.scores.items()):
            writer.writerow([row.name, seed, f"{score:.6g}", *numbers, row.note])
        if not row.scores:
            writer.writerow([row.name, "", "", *numbers, row.note])
    return file.getvalue()


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid #d8dde4; white-space: nowrap; }
th { background: #f2f4f7; } td:last-child { color: #8a4b08; white-space: normal; } tr.baseline { background: #eef5ff; }
img, svg { max-width: 100%; height: auto; margin: 1rem 0; } pre { background: #f2f4f7; padding: 1rem; overflow: auto; }
p.source { color: #566273; font-size: 13px; }
@media (prefers-color-scheme: dark) {
  body { background: #14181e; color: #dfe5ec; } th, pre { background: #1f262f; } tr.baseline { background: #1b2a3f; }
  th, td { border-color: #38414d; } td:last-child { color: #e0a35c; } p.source { color: #9aa7b6; } }
"""


def _html(
    grid: Grid, rows: Sequence[RowSummary], used: Sequence[RunResult], command: str, pictures: Mapping[str, Path]
) -> str:
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in _headings(grid))
    body = []
    for row in rows:
        kind = ' class="baseline"' if row.name == grid.baseline else ""
        body.append(f"<tr{kind}>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(row)) + "</tr>")
    images = [
        f'<figure><img alt="{html.escape(caption)}" src="data:image/{path.suffix[1:].replace("jpg", "jpeg")};base64,'
        f'{base64.b64encode(path.read_bytes()).decode()}"><figcaption>{html.escape(caption)}</figcaption></figure>'
        for caption, path in pictures.items()
    ]
    source = "".join(f'<p class="source">{html.escape(line)}</p>' for line in _provenance(used, command))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(grid.title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{html.escape(grid.title)}</h1><p>{html.escape(grid.about)}</p>{interval_plot(rows)}"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table>{''.join(images)}{source}"
        f"<h2>What each row sets</h2><pre>{html.escape(_settings(grid))}</pre></html>\n"
    )


def interval_plot(rows: Sequence[RowSummary]) -> str:
    """An SVG picture of the differences to the baseline: a point for the mean, a bar for the interval; "" if none."""
    shown = [(row.name, row.difference) for row in rows if row.difference is not None]
    if not shown:
        return ""
    edges = [100 * value for _, d in shown for value in (d.mean, d.low, d.high) if value is not None]
    reach = max(0.5, 1.08 * max(abs(edge) for edge in edges))
    left, width, step = 190, 620, 26

    def across(value: float) -> float:
        return left + width * (value + reach) / (2 * reach)

    height = step * len(shown) + 44
    parts = [f'<line x1="{across(0):.1f}" x2="{across(0):.1f}" y1="8" y2="{height - 32}" stroke="#8894a3"/>']
    for number, (name, difference) in enumerate(shown):
        y = 20 + number * step
        parts.append(f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{html.escape(name)}</text>')
        if difference.low is not None and difference.high is not None:
            low, high = across(100 * difference.low), across(100 * difference.high)
            parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" stroke="#2f74c0" stroke-width="3"/>')
        parts.append(f'<circle cx="{across(100 * difference.mean):.1f}" cy="{y}" r="5" fill="#2f74c0"/>')
    for value in (-reach, 0.0, reach):
        text = f"{value:+.1f}" if value else "0"
        parts.append(f'<text x="{across(value):.1f}" y="{height - 14}" text-anchor="middle">{text}</text>')
    label = "difference to the baseline in points, 95 % interval"
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {left + width + 40} {height}" font-size="13" '
        f'fill="currentColor">{"".join(parts)}</svg>'
    )
