"""CULane's layout looked through, and everything that is laid out like it."""

from __future__ import annotations

from pathlib import Path
from typing import final

from lanenet_sad.checking.findings import Findings
from lanenet_sad.checking.layout import Layout, Part, Source, Task, is_text, read_lines
from lanenet_sad.checking.pictures import MaskFacts, count_drawn, is_there, look_at_lines, look_at_mask
from lanenet_sad.lanes.files import CULaneListEntry, lines_path, parse_culane_list_line, relative_name
from lanenet_sad.lanes.lane import Lane
from lanenet_sad.lanes.slots import slots_by_existence, slots_by_geometry

USUAL_SPLITS = ("train", "val", "test")
_LOOKED_AT = 100  # lines of a list in which existence flags are looked for


@final
class CULaneLayout(Layout):
    """Lists below `list/`, line labels beside the images, lane masks where the lists say.

    Args:
        root: the dataset's folder.
        splits: stems of lists; None is train, val and test as far as they are there, or else every list.
        num_lanes: L; None is the number of existence flags in the lists, or the `usual_lanes`.
        usual_lanes: of the benchmark.
        max_listed: examples that findings keep.
        decode: whether pictures are decoded in full.
        masks: whether lane masks are read, not only looked for.

    Raises:
        FileNotFoundError: there is no list at all.
    """

    def __init__(
        self,
        root: Path,
        splits: list[str] | None,
        num_lanes: int | None,
        *,
        usual_lanes: int = 4,
        max_listed: int = 10,
        decode: bool = False,
        masks: bool = True,
    ) -> None:
        there = sorted(path.name for path in (root / "list").glob("*.txt") if path.is_file())
        if not there:
            raise FileNotFoundError(
                f"CULane root {root}: expected lists such as list/train_gt.txt, but there is none. Check the path."
            )
        stems = sorted({name.removesuffix(".txt").removesuffix("_gt") for name in there})
        chosen = splits or [name for name in USUAL_SPLITS if name in stems] or stems
        found = {split: _list_of(there, split) for split in chosen}
        sources = [Source(split, f"list/{name}") for split, name in found.items() if name]
        lanes = num_lanes or _number_of_flags(root, sources) or usual_lanes
        super().__init__(root, sources, num_lanes=lanes, max_listed=max_listed, decode=decode, masks=masks)
        for split in (split for split, name in found.items() if not name):
            wanted = f"no list/{split}_gt.txt and no list/{split}.txt; there are {', '.join(there)}"
            self.findings.add("list_missing", f"list/{split}_gt.txt", None, wanted)
        for path in sorted((root / "list" / "test_split").glob("*.txt")) if "test" in found else ():
            file = path.relative_to(root).as_posix()
            for number, line in enumerate(read_lines(path), 1):
                if line.strip():
                    _parse(line, file, number, None, self.findings)
        self.others = tuple(stem for stem in stems if stem not in found)

    def inspect(self, task: Task) -> Part:
        """Looks at the pictures of some lines of a list."""
        part = Part(task.source, len(task.lines), Findings(self.max_listed))
        for number, line in enumerate(task.lines, task.first):
            if line.strip():
                self._inspect_line(line, number, part)
        return part

    def name(self, source: int, line: str, number: int) -> str:
        """The first word of the line."""
        return line.split()[0]

    def image_path(self, source: int, name: str, number: int) -> Path:
        """Below the root."""
        return self.root / relative_name(name)

    def _inspect_line(self, line: str, number: int, part: Part) -> None:
        file = self.sources[part.source].file
        entry = _parse(line, file, number, self.num_lanes, part.findings)
        if entry is None:
            return
        size, report = self.look_at_picture(part, number, entry.image)
        mask_path = self.root / relative_name(entry.mask) if entry.mask else None
        has_mask = mask_path is not None and is_there(mask_path)
        mask = None
        if mask_path and has_mask and self.masks:
            mask = look_at_mask(mask_path, size, self.num_lanes, report)
        lanes = self._lanes(entry, size, part)
        if lanes is None:
            kind, detail = ("lines_missing", "only a mask") if has_mask else ("label_missing", "no mask and no lines")
            report(kind, f"{detail}; expected {lines_path(Path(), relative_name(entry.image))}")
        elif mask_path is not None and not has_mask:
            report("mask_missing", f"there is no {entry.mask}")
        self._compare(entry, lanes, mask, size, part, number)

    def _lanes(self, entry: CULaneListEntry, size: tuple[int, int] | None, part: Part) -> list[Lane] | None:
        """The line labels of a picture, having reported what is odd; None if there are none."""
        path = lines_path(self.root, relative_name(entry.image))
        file = path.relative_to(self.root).as_posix()
        if not is_there(path):
            return None
        try:
            data = path.read_bytes()
        except OSError as error:
            part.findings.add("label_unreadable", file, None, f"{error.strerror}")
            return []

        def report(kind: str, line: int, detail: str) -> None:
            part.findings.add(kind, file, line, detail)

        return look_at_lines(data, size, report)

    def _compare(
        self,
        entry: CULaneListEntry,
        lanes: list[Lane] | None,
        mask: MaskFacts | None,
        size: tuple[int, int] | None,
        part: Part,
        number: int,
    ) -> None:
        """Flags, lines and mask of a picture against each other, and its lanes counted."""

        def report(kind: str, detail: str) -> None:
            part.findings.add(kind, self.sources[part.source].file, number, f"{entry.image}: {detail}")

        num_lines = None if lanes is None else count_drawn(lanes)
        flagged = None
        if entry.existence is not None:
            flagged = tuple(slot for slot, exists in enumerate(entry.existence, 1) if exists)
        if flagged is not None and mask is not None and flagged != mask.slots:
            report("flags_against_mask", f"flags for slots {_slots(flagged)}, the mask has {_slots(mask.slots)}")
        if flagged is not None and mask is None and num_lines is not None and len(flagged) != num_lines:
            report("flags_against_lines", f"{len(flagged)} flags set, {num_lines} lines")
        if mask is not None and num_lines is not None and len(mask.slots) != num_lines:
            report("lines_against_mask", f"{num_lines} lines, slots {_slots(mask.slots)} in the mask")
        slots: tuple[int, ...] | None = None if mask is None else mask.slots
        if mask is None and lanes is not None and size is not None:
            given = slots_by_existence(lanes, size, entry.existence) if entry.existence else None
            given = given or slots_by_geometry(lanes, size, self.num_lanes)
            slots = tuple(slot for slot in given if slot is not None)
            for index, (lane, slot) in enumerate(zip(lanes, given, strict=True), 1):
                if slot is None and len(lane.points):
                    report("beyond_slots", f"lane {index} of {len(lanes)}")
        if num_lines is not None or slots is not None:
            part.statistics.lanes_per_image[len(slots or ()) if num_lines is None else num_lines] += 1
        part.statistics.slots.update(slots or ())


def _parse(line: str, file: str, number: int, num_lanes: int | None, findings: Findings) -> CULaneListEntry | None:
    """What a line of a list says; a finding and None where it cannot be read."""
    if not is_text(line):
        findings.add("list_line", file, number, "expected text in UTF-8, got other bytes")
        return None
    try:
        return parse_culane_list_line(line, file, num_lanes)
    except ValueError as error:
        findings.add("list_line", file, number, str(error).removeprefix(f"{file}: "))
        return None


def _list_of(there: list[str], split: str) -> str | None:
    """The list of a split, as training finds it."""
    return next((name for name in (f"{split}_gt.txt", f"{split}.txt") if name in there), None)


def _number_of_flags(root: Path, sources: list[Source]) -> int:
    """How many existence flags most of the first lines of the lists have; 0 if none have any."""
    counts = [0]
    for source in sources:
        for _, line in zip(range(_LOOKED_AT), read_lines(root / source.file), strict=False):
            words = line.split()[2:]
            if words and set(words) <= {"0", "1"}:
                counts.append(len(words))
    return max(set(counts[1:]) or {0}, key=counts[1:].count)


def _slots(slots: tuple[int, ...]) -> str:
    return ", ".join(map(str, slots)) or "none"
