"""What was found in a dataset as a table, as JSON, and as a sentence that says what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from lanenet_sad.checking.findings import KINDS, SEVERITIES, Statistics
from lanenet_sad.checking.inspection import Inspection

_SHOWN = 8  # sizes and folders in the table
_KEPT = 1000  # folders and sizes in JSON


def report_text(inspection: Inspection) -> str:
    """Tables of the splits, of what was found with examples, and a last sentence."""
    layout, findings = inspection.layout, inspection.findings
    head = f"{inspection.num_images} pictures below {layout.root}, {layout.num_lanes} lane slots"
    parts = [f"{head}, looked through in {inspection.seconds:.1f} s"]
    if layout.others:
        parts[0] += f"; other lists, not looked at: {', '.join(layout.others[:_SHOWN])}"
    columns = ("split", "pictures", "lanes", "without", "share")
    rows = [
        (split, str(one.num_images), str(one.num_lanes), str(one.lanes_per_image[0]), f"{one.empty_share:.1%}")
        for split, one in inspection.statistics.items()
    ]
    parts.append(_table(columns, rows))
    whole = Statistics()
    for one in inspection.statistics.values():
        whole.merge(one)
    parts.append(
        "\n".join(
            [
                f"lanes in a picture  {_histogram(sorted(whole.lanes_per_image.items()))}",
                f"pictures by slot    {_histogram(sorted(whole.slots.items()))}",
                f"sizes               {_largest({_size(size): n for size, n in whole.image_sizes.items()})}",
                f"folders             {_largest(whole.folders)}",
            ]
        )
    )
    for severity in SEVERITIES:
        for kind in findings.of(severity):
            number = findings.counts[kind]
            lines = [f"{severity}: {kind}, {number} time{'s' * (number != 1)}. {KINDS[kind].explanation}"]
            lines += [f"    {example}" for example in findings.examples.get(kind, ())]
            if number > len(lines) - 1 > 0:
                lines.append(f"    … and {number - len(lines) + 1} more")
            parts.append("\n".join(lines))
    return "\n\n".join([*parts, verdict(inspection)])


def verdict(inspection: Inspection) -> str:
    """Whether the dataset is fit to train, and what to do."""
    findings, layout = inspection.findings, inspection.layout
    if faults := findings.of("fault"):
        return (
            f"Not fit to train: {_count(findings.number('fault'), 'fault')} of {_count(len(faults), 'kind')}: "
            f"{', '.join(faults)}. Mend what is listed under each or take the pictures off their lists; check again."
        )
    notes = findings.number("note")
    rest = f" {_count(notes, 'note')} above {'is' if notes == 1 else 'are'} worth a look." if notes else ""
    return f"Fit to train with {layout.num_lanes} lane slots (--model.num-lanes {layout.num_lanes}).{rest}"


def report_object(inspection: Inspection) -> dict[str, Any]:
    """Everything that was found, for a JSON file."""
    layout, findings = inspection.layout, inspection.findings
    return {
        "root": str(layout.root),
        "num_lanes": layout.num_lanes,
        "num_images": inspection.num_images,
        "seconds": round(inspection.seconds, 3),
        "splits": {
            split: {
                "lists": [source.file for source in layout.sources if source.split == split],
                "images": one.num_images,
                "lanes": one.num_lanes,
                "empty_images": one.lanes_per_image[0],
                "empty_share": round(one.empty_share, 6),
                "lanes_per_image": {str(number): count for number, count in sorted(one.lanes_per_image.items())},
                "slots": {str(slot): count for slot, count in sorted(one.slots.items())},
                "image_sizes": {_size(size): count for size, count in one.image_sizes.most_common(_KEPT)},
                "folders": dict(one.folders.most_common(_KEPT)),
            }
            for split, one in inspection.statistics.items()
        },
        "not_looked_at": list(layout.others),
        "findings": [
            {
                "kind": kind,
                "severity": KINDS[kind].severity,
                "count": findings.counts[kind],
                "explanation": KINDS[kind].explanation,
                "examples": [example._asdict() for example in findings.examples.get(kind, ())],
            }
            for kind in KINDS
            if findings.counts[kind]
        ],
        "faults": findings.number("fault"),
        "notes": findings.number("note"),
        "fit_to_train": not findings.of("fault"),
        "verdict": verdict(inspection),
    }


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            word.ljust(width) if number == 0 else word.rjust(width)
            for number, (word, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (columns, *rows)
    )


def _histogram(counts: Iterable[tuple[int, int]]) -> str:
    return "  ".join(f"{value}: {count}" for value, count in counts) or "none"


def _largest(counts: dict[str, int]) -> str:
    """The most frequent, and how many others there are."""
    common = Counter(counts).most_common(_SHOWN)
    more = f"  and {len(counts) - len(common)} others" if len(counts) > len(common) else ""
    return ("  ".join(f"{name}: {count}" for name, count in common) or "none") + more


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
