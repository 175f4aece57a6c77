"""TuSimple's layout looked through."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import numpy as np

from lanenet_sad.checking.findings import Findings
from lanenet_sad.checking.layout import Layout, Part, Source, Task, is_text
from lanenet_sad.checking.pictures import count_drawn, is_there, look_at_points
from lanenet_sad.lanes.files import relative_name
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.lanes.slots import slots_by_geometry
from lanenet_sad.lanes.tusimple_files import parse_tusimple_line


@final
class TuSimpleLayout(Layout):
    """JSON lines with lanes at fixed rows, images beside the label files or below the root.

    Args:
        root: the dataset's folder.
        splits: names of splits; None is those of train, val and test that have a file.
        num_lanes: L.
        files: the label files of every split.
        max_listed: examples that findings keep.
        decode: whether pictures are decoded in full.

    Raises:
        FileNotFoundError: there is no label file at all.
        ValueError: there is no split of that name.
    """

    usual_size = (720, 1280)

    def __init__(
        self,
        root: Path,
        splits: list[str] | None,
        num_lanes: int,
        *,
        files: Mapping[str, Sequence[str]],
        max_listed: int = 10,
        decode: bool = False,
    ) -> None:
        for split in splits or ():
            if split not in files:
                raise ValueError(f"TuSimple has no split {split!r}; there are {', '.join(files)}.")
        there = {name for names in files.values() for name in names if (root / name).is_file()}
        if not there:
            wanted = ", ".join(dict.fromkeys(name for names in files.values() for name in names))
            raise FileNotFoundError(f"TuSimple root {root}: expected label files such as {wanted}, but there is none.")
        chosen = splits or [split for split in ("train", "val", "test") if there & set(files[split])]
        named = [Source(split, name) for split in chosen for name in files[split]]
        sources = [source for source in named if source.file in there]
        super().__init__(root, sources, num_lanes=num_lanes, max_listed=max_listed, decode=decode)
        for source in named:
            if source.file not in there:
                self.findings.add("list_missing", source.file, None, f"split {source.split} needs it")

    def inspect(self, task: Task) -> Part:
        """Looks at the pictures of some lines of a label file."""
        part = Part(task.source, len(task.lines), Findings(self.max_listed))
        file = self.sources[task.source].file
        for number, line in enumerate(task.lines, task.first):
            if not is_text(line):
                part.findings.add("list_line", file, number, "expected text in UTF-8, got other bytes")
                continue
            try:
                label = parse_tusimple_line(line, file)
            except ValueError as error:
                part.findings.add("list_line", file, number, str(error).removeprefix(file).lstrip(":, "))
            else:
                self._inspect_label(label, number, part)
        return part

    def name(self, source: int, line: str, number: int) -> str:
        """The picture's `raw_file`."""
        return str(json.loads(line)["raw_file"])

    def image_path(self, source: int, name: str, number: int) -> Path:
        """Beside the label file, or below the root."""
        below = relative_name(name)
        beside = (self.root / self.sources[source].file).parent / below
        return beside if is_there(beside) else self.root / below

    def _inspect_label(self, label: LanePrediction, number: int, part: Part) -> None:
        file = self.sources[part.source].file
        size, report = self.look_at_picture(part, number, label.name)
        if size is not None and size != self.usual_size:
            got, expected = (f"{height}x{width}" for height, width in (size, self.usual_size))
            report("image_size", f"expected {expected} pixels (height x width), got {got}")
        rows = label.row_anchors
        assert rows is not None
        steps = np.diff(rows)
        if (steps == 0).any():
            report("repeated_points", f"row {rows[int((steps == 0).argmax())]:g} stands twice in h_samples")
        if (steps > 0).any() and (steps < 0).any():
            report("turning_back", "h_samples go up and down")
        report_lanes(label, self.usual_size, self.num_lanes, part, number, file)


def report_lanes(
    label: LanePrediction, size: tuple[int, int], num_lanes: int, part: Part, number: int, file: str
) -> None:
    """Reports what is odd about labelled lanes that have no file of their own, and counts them."""
    for index, lane in enumerate(label.lanes, 1):

        def report(kind: str, detail: str, index: int = index) -> None:
            part.findings.add(kind, file, number, f"{label.name}: lane {index} of {len(label.lanes)}: {detail}")

        look_at_points(lane.points[np.isfinite(lane.points).all(axis=1)], size, report)
    slots: Sequence[int | None] = [lane.slot for lane in label.lanes]
    if not any(slots):
        slots = slots_by_geometry(label.lanes, size, num_lanes)
    for index, (lane, slot) in enumerate(zip(label.lanes, slots, strict=True), 1):
        if slot is None and len(lane.points):
            part.findings.add("beyond_slots", file, number, f"{label.name}: lane {index} of {len(label.lanes)}")
    part.statistics.lanes_per_image[count_drawn(label.lanes)] += 1
    part.statistics.slots.update(slot for slot in set(slots) if slot is not None)
