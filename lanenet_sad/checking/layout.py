"""What every layout on disk offers to be looked through: parts of work, and what a part comes to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from lanenet_sad.checking.findings import Findings, Statistics
from lanenet_sad.checking.pictures import Report, look_at_image

PART_SIZE = 64  # pictures that a process looks at between two reports


class Source(NamedTuple):
    """A list or label file of a split.

    Attributes:
        split: its name.
        file: the path relative to the root, as findings name it.
    """

    split: str
    file: str


class Task(NamedTuple):
    """A part of a source.

    Attributes:
        source: its number among the layout's sources.
        first: number of its first line, from 1.
        lines: of the source; for datasets without lines of their own, as many empty ones.
    """

    source: int
    first: int
    lines: list[str]


@dataclass
class Part:
    """What a task came to.

    Attributes:
        source: the task's.
        num_lines: lines looked at, blank ones too.
        findings: with their first examples.
        statistics: of its pictures.
        keys: for each picture that could be named its line, a key of its name and one of its content (0: unknown).
    """

    source: int
    num_lines: int
    findings: Findings
    statistics: Statistics = field(default_factory=Statistics)
    keys: list[tuple[int, int, int]] = field(default_factory=list)


class Layout(ABC):
    """A benchmark's layout below a root.

    Attributes:
        root: the dataset's folder.
        sources: its lists or label files.
        num_lanes: L, the number of lane slots.
        max_listed: examples that findings keep.
        decode: whether pictures are decoded in full.
        masks: whether lane masks are read.
        findings: what there was to say before any picture was looked at.
        others: lists beside the sources that are not looked at.
        usual_size: (height, width) of the benchmark's pictures; None if any will do.
    """

    usual_size: tuple[int, int] | None = None

    def __init__(
        self,
        root: Path,
        sources: list[Source],
        *,
        num_lanes: int,
        max_listed: int = 10,
        decode: bool = False,
        masks: bool = True,
    ) -> None:
        self.root = root
        self.sources = sources
        self.num_lanes = num_lanes
        self.max_listed = max_listed
        self.decode = decode
        self.masks = masks
        self.findings = Findings(max_listed)
        self.others: tuple[str, ...] = ()

    @abstractmethod
    def inspect(self, task: Task) -> Part:
        """Looks at the pictures of a task; whatever is wrong with them is a finding and no error."""

    @abstractmethod
    def name(self, source: int, line: str, number: int) -> str:
        """The name of the picture on a line that could be read."""

    @abstractmethod
    def image_path(self, source: int, name: str, number: int) -> Path:
        """Where the picture lies that a line names."""

    def look_at_picture(self, part: Part, number: int, name: str) -> tuple[tuple[int, int] | None, Report]:
        """Takes account of the picture on a line; gives its size, if it can be read, and where to report the rest."""

        def report(kind: str, detail: str) -> None:
            part.findings.add(kind, self.sources[part.source].file, number, f"{name}: {detail}")

        part.statistics.add_picture(name)
        size, fingerprint = look_at_image(self.image_path(part.source, name, number), report, decode=self.decode)
        part.keys.append((number, name_key(name), fingerprint))
        if size is not None:
            part.statistics.image_sizes[size] += 1
        return size, report

    def num_lines(self) -> int:
        """Lines of all sources, for showing progress."""
        return sum(1 for source in self.sources for _ in read_lines(self.root / source.file))

    def tasks(self) -> Iterator[Task]:
        """The sources in parts; no more than one part is in memory."""
        for index, source in enumerate(self.sources):
            first: int = 1
            lines: list[str] = []
            for line in read_lines(self.root / source.file):
                lines.append(line)
                if len(lines) == PART_SIZE:
                    yield Task(index, first, lines)
                    first, lines = first + PART_SIZE, []
            if lines:
                yield Task(index, first, lines)

    def names(self, source: int, numbers: Iterable[int]) -> dict[int, str]:
        """The names on some lines of a source."""
        wanted = set(numbers)
        lines = enumerate(read_lines(self.root / self.sources[source].file), 1)
        return {number: self.name(source, line, number) for number, line in lines if number in wanted}


def name_key(name: str) -> int:
    """A number of 64 bits for a file name, the same in every process."""
    same = name.replace("\\", "/").lstrip("/").encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(same, digest_size=8).digest(), "big")


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a text file as training reads them; bytes that are no UTF-8 are kept for `is_text` to see."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for line in file:
            yield line.removesuffix("\n")


def is_text(line: str) -> bool:
    """Whether a line of `read_lines` is UTF-8."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True
