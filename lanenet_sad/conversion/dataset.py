"""Labels of any kind -> a dataset in CULane's layout, and the account of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from lanenet_sad.benchmarks import find_benchmark
from lanenet_sad.conversion.kinds import LabelFormat
from lanenet_sad.conversion.pictures import dataset_name
from lanenet_sad.conversion.sources import SourceContent, SourcePicture, embedded_picture, read_source
from lanenet_sad.conversion.splits import split_names
from lanenet_sad.datasets.base import LaneDataset
from lanenet_sad.datasets.culane_writer import CULaneWriter
from lanenet_sad.inference.progress import with_progress
from lanenet_sad.lanes.lane import Lane

Item = TypeVar("Item")
BENCHMARK_SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class LabelChoice:
    """What to take of a source, and what to make of it.

    Attributes:
        labels: patterns of the labels that are lanes; none: all.
        label_slots: the number at the end of a label, or CVAT's attribute `slot`, is the lane's slot.
        num_lanes: lane slots; None: 4, or as many as the benchmark has.
        val_share: of the pictures that is to validate.
        val_folders: the folders that validate.
        empty: keep pictures without lanes.
        masks: draw masks.
        line_width: of the masks at a width of 1640.
        copy: copy pictures, or link them.
        progress: show how far it is.
    """

    labels: Sequence[str] = ()
    label_slots: bool = False
    num_lanes: int | None = None
    val_share: float = 0.2
    val_folders: Sequence[str] = ()
    empty: bool = True
    masks: bool = True
    line_width: int = 16
    copy: bool = True
    progress: bool = True

    def takes(self, label: str) -> bool:
        """Whether a label is that of a lane."""
        return not self.labels or any(fnmatchcase(label, pattern) for pattern in self.labels)


@dataclass(eq=False)
class LabelConversion:
    """What was made of labels.

    Attributes:
        kind: of the labels.
        root: the new dataset.
        pictures: how many each split has.
        slots: how many lanes each slot has.
        without_slot: lanes beyond the outermost slots.
        empty: pictures without lanes among `pictures`.
        labels: how many lanes had each label.
        passed_over: how many shapes were not taken, by label and kind.
        left_out: pictures that nobody has labelled.
        splitting: how training and validation were parted.
        faults: a sentence for each label or picture that could not be taken.
    """

    kind: str
    root: Path
    pictures: Counter[str] = field(default_factory=Counter)
    slots: Counter[int] = field(default_factory=Counter)
    without_slot: int = 0
    empty: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    splitting: str = ""
    faults: list[str] = field(default_factory=list)

    @property
    def num_lanes(self) -> int:
        """Lanes in all, with and without a slot."""
        return self.slots.total() + self.without_slot

    def count(self, split: str, lanes: Sequence[Lane]) -> None:
        """Take account of one picture that was written."""
        self.pictures[split] += 1
        self.empty += not lanes
        for lane in lanes:
            if lane.slot is None:
                self.without_slot += 1
            else:
                self.slots[lane.slot] += 1

    def summary(self) -> str:
        """What the verb prints."""
        splits = ", ".join(f"{self.pictures[split]} {split}" for split in BENCHMARK_SPLITS if self.pictures[split])
        rows = [f"{self.kind} labels -> {self.root}: {self.pictures.total()} pictures ({splits}); {self.splitting}"]
        slots = ", ".join(f"slot {slot}: {self.slots[slot]}" for slot in sorted(self.slots))
        beyond = f"; {self.without_slot} beyond the outermost slots" if self.without_slot else ""
        rows.append(f"{self.num_lanes} lanes ({slots or 'no slots'}){beyond}; {self.empty} pictures without lanes")
        if self.labels:
            rows.append("labels taken as lanes: " + _listed(self.labels))
        if self.passed_over:
            rows.append("not taken: " + _listed(self.passed_over))
        if self.left_out:
            rows.append(f"left out: {self.left_out} pictures that no label file names")
        if self.faults:
            rows.append(f"faults: {len(self.faults)}, see below")
        return "\n".join(rows)


def convert_labels(
    source: Path, *, kind: LabelFormat, out: Path, images: Path | None, choice: LabelChoice
) -> LabelConversion:
    """Write a dataset in CULane's layout from labels, see `lanenet_sad.convert.convert`."""
    _refuse_inside(out, source, images)
    is_benchmark = kind not in ("labelme", "cvat", "coco", "culane") or (kind == "culane" and _has_lists(source))
    num_lanes = choice.num_lanes
    if num_lanes is None:
        num_lanes = find_benchmark(kind).num_lanes if is_benchmark else 4
    if choice.label_slots and not choice.masks:
        raise ValueError("--label-slots: expected masks, which keep the slots; leave out --no-masks.")
    result = LabelConversion(kind, out)
    with CULaneWriter(
        out, num_lanes=num_lanes, masks=choice.masks, line_width=choice.line_width, copy=choice.copy
    ) as layout:
        if is_benchmark:
            _write_benchmark(source, kind, layout, choice, result)
        else:
            _write_own(source, kind, images, layout, choice, result)
        result.faults += layout.write_lists()
    if not result.pictures:
        first = f" The first fault: {result.faults[0]}" if result.faults else ""
        raise ValueError(f"Source {source}: there is no picture with labels that can be taken.{first}")
    return result


def _write_own(
    source: Path,
    kind: LabelFormat,
    images: Path | None,
    layout: CULaneWriter,
    choice: LabelChoice,
    result: LabelConversion,
) -> None:
    content = read_source(
        source, kind, images, lambda paths, total: _shown(paths, "reading", total, choice, unit="files")
    )
    result.passed_over, result.left_out = content.passed_over, content.left_out
    result.faults += content.faults
    pictures = [(picture, _lanes(picture, choice, result)) for picture in content.pictures]
    if not choice.empty:
        pictures = [(picture, lanes) for picture, lanes in pictures if lanes]
    _check_labels(content, choice, result)
    if not pictures:
        return
    splits, result.splitting = split_names([one.name for one, _ in pictures], choice.val_share, choice.val_folders)
    rows = list(zip(pictures, splits, strict=True))
    for (picture, lanes), split in _shown(rows, "writing", len(rows), choice):
        try:
            file = picture.file if picture.file is not None else embedded_picture(picture.label_file)
            written = layout.add(
                split,
                picture.name,
                file,
                lanes,
                label_size=picture.image_size,
                drawn_upright=kind in ("labelme", "cvat"),
            )
            result.count(split, written)
        except (ValueError, FileNotFoundError) as error:
            result.faults.append(str(error))


def _lanes(picture: SourcePicture, choice: LabelChoice, result: LabelConversion) -> list[Lane]:
    lanes = []
    for line in picture.lines:
        if not choice.takes(line.label):
            result.passed_over[line.label] += 1
            continue
        result.labels[line.label] += 1
        lanes.append(Lane(line.points, line.number if choice.label_slots else None))
    return lanes


def _check_labels(content: SourceContent, choice: LabelChoice, result: LabelConversion) -> None:
    """Patterns that no label fits are a slip of the pen."""
    for pattern in choice.labels:
        if content.pictures and not any(fnmatchcase(label, pattern) for label in result.labels):
            there = ", ".join(sorted({line.label for picture in content.pictures for line in picture.lines})[:10])
            raise ValueError(f"--labels {pattern}: no line has such a label; there are {there or 'none'}.")


def _write_benchmark(
    source: Path, kind: LabelFormat, layout: CULaneWriter, choice: LabelChoice, result: LabelConversion
) -> None:
    """Every split that a benchmark has, under its own name."""
    root = source.parent if source.is_file() else source
    missing: dict[str, Exception] = {}
    for split in BENCHMARK_SPLITS:
        try:
            dataset = find_benchmark(kind).dataset(root, split, layout.num_lanes)
        except FileNotFoundError as error:
            missing[split] = error
        except ValueError as error:
            missing[split] = error
            if split != "test" or kind in ("culane", "tusimple"):  # of the others no labels of that split are public
                result.faults.append(str(error))
        else:
            _write_split(dataset, split, layout, choice, result)
    if len(missing) == len(BENCHMARK_SPLITS):
        raise missing["train"]
    result.splitting = "the splits are those of the source"
    if missing:
        result.splitting += f", which has no labels to read for {', '.join(missing)}"


def _write_split(
    dataset: LaneDataset, split: str, layout: CULaneWriter, choice: LabelChoice, result: LabelConversion
) -> None:
    for index in _shown(range(len(dataset)), f"writing {split}", len(dataset), choice):
        try:
            truth = dataset.truth(index)
            if not truth.lanes and not choice.empty:
                continue
            path = dataset.image_path(index)
            picture = dataset.image(index) if path is None else path
            name = dataset_name(dataset.name(index))
            lanes = [lane for lane in truth.lanes if len(lane.points) >= 2]
            result.count(split, layout.add(split, name, picture, lanes, label_size=truth.image_size))
        except (ValueError, FileNotFoundError) as error:
            result.faults.append(str(error))


def _has_lists(source: Path) -> bool:
    names = (f"list/{split}{end}.txt" for split in BENCHMARK_SPLITS for end in ("_gt", ""))
    return source.is_dir() and any((source / name).is_file() for name in names)


def _refuse_inside(out: Path, source: Path, images: Path | None) -> None:
    """New files among those that are read would be read as labels of their own at the next run."""
    target = out.resolve()
    for folder in (source if source.is_dir() else None, images):
        if folder is not None and (target.is_relative_to(folder.resolve()) or folder.resolve().is_relative_to(target)):
            raise ValueError(f"--out {out}: expected a folder apart from {folder}, which is read; choose another.")


def _shown(
    items: Iterable[Item], description: str, total: int, choice: LabelChoice, unit: str = "images"
) -> Iterator[Item]:
    return with_progress(items, description=description, total=total, unit=unit, enabled=choice.progress)


def _listed(counts: Counter[str]) -> str:
    shown = ", ".join(f"{label} {count}" for label, count in counts.most_common(12))
    return shown + (f" and {len(counts) - 12} more" if len(counts) > 12 else "")
