"""Check: every list, label and picture of a dataset on disk, looked at before a long run, without torch."""

from __future__ import annotations

import json as json_format
from dataclasses import dataclass
from pathlib import Path

from lanenet_sad.checking.inspection import Inspection, find_layout, inspect
from lanenet_sad.checking.report import report_object, report_text
from lanenet_sad.lanes.files import replacing


@dataclass(frozen=True)
class Check:
    """What checking found and wrote.

    Attributes:
        inspection: findings and statistics.
        json_path: the file with all of them, if one was asked for.
        faults: why the dataset is not fit to train, a sentence; empty if it is. With `strict`, notes count as well.
    """

    inspection: Inspection
    json_path: Path | None
    faults: tuple[str, ...]


def check(
    root: Path,
    benchmark: str,
    *,
    splits: list[str] | None = None,
    num_lanes: int | None = None,
    masks: bool = True,
    decode: bool = False,
    max_listed: int = 10,
    strict: bool = False,
    json: Path | None = None,
    num_workers: int | None = None,
    progress: bool = True,
) -> Check:
    """Look through a dataset: files that are missing or broken, labels that contradict each other, copies.

    Prints what the splits consist of, each kind of finding with its first examples, and whether it is fit to train.

    Args:
        root: the dataset's folder.
        benchmark: culane (and all in its layout, your own labels too), tusimple or another one's name.
        splits: those to look at; default: train, val and test as far as they are there, or else all.
        num_lanes: lane slots; default: as many as the lists have existence flags, or the benchmark's.
        masks: look into the lane masks, too, which takes most of the time.
        decode: decode the pictures in full, instead of looking at their beginning and end; takes ten times as long.
        max_listed: examples of each kind of finding.
        strict: notes end in exit code 2, too.
        json: file for everything found.
        num_workers: processes; default: one for each core.
        progress: show progress.
    """
    if max_listed < 0:
        raise ValueError(f"--max-listed: expected 0 or more examples, got {max_listed}.")
    layout = find_layout(
        root, benchmark, splits=splits, num_lanes=num_lanes, max_listed=max_listed, decode=decode, masks=masks
    )
    inspection = inspect(layout, num_workers=num_workers, progress=progress)
    print(report_text(inspection))
    if json is not None:
        with replacing(json) as temporary:
            content = {"benchmark": benchmark, **report_object(inspection)}
            temporary.write_text(json_format.dumps(content, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {json}")
    return Check(inspection, json, _faults(inspection, strict))


def _faults(inspection: Inspection, strict: bool) -> tuple[str, ...]:
    findings = inspection.findings
    number = findings.number("fault"), findings.number("note")
    if number[0]:
        return (f"{inspection.layout.root} is not fit to train; faults, listed above: {number[0]}.",)
    if strict and number[1]:
        return (f"{inspection.layout.root}: notes count with --strict; listed above: {number[1]}.",)
    return ()
