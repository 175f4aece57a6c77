"""What can be wrong with a dataset, how much it matters, and where it was found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

Severity: TypeAlias = Literal["fault", "note"]
SEVERITIES: tuple[Severity, ...] = ("fault", "note")


class Kind(NamedTuple):
    """A kind of finding.

    Attributes:
        severity: `fault` if training would stop, lose the picture, or learn or score something wrong; else `note`.
        explanation: what it means and what to do, in a sentence.
    """

    severity: Severity
    explanation: str


KINDS: dict[str, Kind] = {
    "list_missing": Kind("fault", "A list or label file of a split is not there; put it there or name other splits."),
    "list_empty": Kind("fault", "A list names no picture; a run would stop at it."),
    "list_line": Kind("fault", "A line of a list or label file cannot be read; a run would stop at it."),
    "image_missing": Kind("fault", "A listed picture is not there; training would take another in its place."),
    "image_unreadable": Kind(
        "fault", "A picture is empty, cut off or no picture; copy it again or take it off the list."
    ),
    "image_size": Kind("fault", "The labels of this benchmark are for pictures of one size, and this one has another."),
    "label_missing": Kind(
        "fault", "A picture has neither a lane mask nor line labels; a road without lanes has an empty file."
    ),
    "label_unreadable": Kind("fault", "A label file is there but cannot be read."),
    "no_number": Kind(
        "fault", "A line label has something that is no finite number; what follows on its line is lost."
    ),
    "unpaired_number": Kind(
        "fault", "A line label has an odd count of numbers; the last one, or every pair, is wrong."
    ),
    "lane_outside": Kind("fault", "A whole lane lies outside its picture; is it labelled in pixels of another size?"),
    "mask_unreadable": Kind("fault", "A lane mask is empty, cut off, in colour or no picture."),
    "mask_size": Kind("fault", "A lane mask has another size than its picture."),
    "mask_values": Kind("fault", "A lane mask has values that are no lane slot; check the number of lanes."),
    "mask_order": Kind(
        "fault", "The slots of a lane mask do not go from left to right; the network would learn both ways."
    ),
    "flags_against_mask": Kind(
        "fault", "Existence flags say other slots than the mask shows; one of the two is wrong."
    ),
    "split_overlap": Kind("fault", "A picture is listed in two splits; the score would be of pictures trained on."),
    "split_copies": Kind("fault", "The same picture lies under different names in two splits; take one off its list."),
    "lines_missing": Kind("note", "A picture has a mask but no line labels; scores take it for a road without lanes."),
    "mask_missing": Kind("note", "A listed lane mask is not there; it is drawn from the line labels instead."),
    "single_point": Kind(
        "note", "A lane has a single point: it leaves no trace in masks, and no prediction can match it."
    ),
    "no_points": Kind("note", "A lane has no point (a blank line in CULane's layout); scores count it as missed."),
    "repeated_points": Kind("note", "Neighbouring points of a lane are equal; they count once."),
    "turning_back": Kind(
        "note", "The points of a lane go up and down the picture; drawn in their order they may loop."
    ),
    "points_outside": Kind("note", "Points of a lane lie far outside the picture; what is outside does not count."),
    "flags_against_lines": Kind(
        "note", "There is no mask, and not as many existence flags set as lines; slots come from geometry."
    ),
    "lines_against_mask": Kind(
        "note", "A mask does not show as many lanes as there are lines; scores go by the lines."
    ),
    "beyond_slots": Kind("note", "A lane is beyond the outermost slots; it is not trained on but counts in scores."),
    "lanes_cross": Kind(
        "note", "Two lanes of a mask cross each other, so that one of them is likely to be traced wrongly."
    ),
    "side_of_car": Kind(
        "note", "A slot left of the car is right of the picture's centre, or the reverse, as in lane changes."
    ),
    "listed_twice": Kind("note", "A picture is twice in one split; it counts twice."),
    "copies": Kind("note", "The same picture lies under different names in one split."),
    "no_lanes": Kind("note", "A split has no lane at all; there is nothing to learn from it or to score."),
}


class Example(NamedTuple):
    """One place of a finding: a file below the root, a line of it counted from 1 if it has any, and what is there."""

    file: str
    line: int | None
    detail: str

    def __str__(self) -> str:
        line = "" if self.line is None else f", line {self.line}"
        return f"{self.file}{line}: {self.detail}"


@dataclass
class Findings:
    """Counts by kind, with the first examples of each.

    Attributes:
        max_listed: examples kept of a kind.
        counts: how often a kind was found.
        examples: the first of them.
    """

    max_listed: int = 10
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)

    def add(self, kind: str, file: str, line: int | None, detail: str) -> None:
        """Counts one finding; `detail` is cut to a readable length."""
        assert kind in KINDS
        self.counts[kind] += 1
        listed = self.examples.setdefault(kind, [])
        if len(listed) < self.max_listed:
            listed.append(Example(_printable(file), line, _printable(detail)))

    def merge(self, other: Findings) -> None:
        """Adds what a later part of the dataset has."""
        self.counts.update(other.counts)
        for kind, examples in other.examples.items():
            self.examples[kind] = [*self.examples.get(kind, []), *examples][: self.max_listed]

    def of(self, severity: Severity) -> list[str]:
        """The kinds of a severity that were found, in the order of `KINDS`."""
        return [kind for kind in KINDS if self.counts[kind] and KINDS[kind].severity == severity]

    def number(self, severity: Severity) -> int:
        """How many findings of a severity there are."""
        return sum(self.counts[kind] for kind in self.of(severity))


@dataclass
class Statistics:
    """What a split consists of.

    Attributes:
        num_images: pictures listed.
        lanes_per_image: pictures by the number of their lanes.
        slots: pictures by slot that they have a lane in.
        image_sizes: pictures by (height, width), of those that can be read.
        folders: pictures by folder, two levels deep.
    """

    num_images: int = 0
    lanes_per_image: Counter[int] = field(default_factory=Counter)
    slots: Counter[int] = field(default_factory=Counter)
    image_sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    folders: Counter[str] = field(default_factory=Counter)

    def merge(self, other: Statistics) -> None:
        """Adds another part of the split."""
        self.num_images += other.num_images
        self.lanes_per_image.update(other.lanes_per_image)
        self.slots.update(other.slots)
        self.image_sizes.update(other.image_sizes)
        self.folders.update(other.folders)

    def add_picture(self, name: str) -> None:
        """Counts a picture and its folder."""
        self.num_images += 1
        parts = name.replace("\\", "/").strip("/").split("/")[:-1]
        self.folders[_printable("/".join(parts[:2]) or ".")] += 1

    @property
    def num_lanes(self) -> int:
        """Lanes of all pictures."""
        return sum(number * images for number, images in self.lanes_per_image.items())

    @property
    def num_labelled(self) -> int:
        """Pictures whose lanes are known, be there any or none."""
        return self.lanes_per_image.total()

    @property
    def empty_share(self) -> float:
        """Share of pictures without lanes among those whose lanes are known; 0 where there are none."""
        return self.lanes_per_image[0] / self.num_labelled if self.num_labelled else 0.0


def _printable(text: str, length: int = 200) -> str:
    """One line of text that any terminal and file takes."""
    short = text if len(text) <= length else f"{text[: length - 1]}…"
    return "".join(letter if letter.isprintable() else "�" for letter in short)
