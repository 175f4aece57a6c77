"""Any other benchmark looked through, by what every `LaneDataset` offers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import final

from lanenet_sad.checking.findings import Findings
from lanenet_sad.checking.layout import PART_SIZE, Layout, Part, Source, Task, name_key
from lanenet_sad.checking.pictures import Report, look_at_image
from lanenet_sad.checking.tusimple import report_lanes
from lanenet_sad.datasets.base import LaneDataset


@final
class DatasetLayout(Layout):
    """The datasets of a benchmark; a list that a dataset refuses is one finding, and its pictures are not looked at.

    Of datasets that do not say where their pictures lie, copies under other names are not found, nor are files cut off
    behind their header, unless they are decoded.

    Args:
        root: the dataset's folder.
        datasets: by split; what went wrong where there is none.
        num_lanes: L.
        max_listed: examples that findings keep.
        decode: whether pictures are decoded in full.
    """

    def __init__(
        self,
        root: Path,
        datasets: dict[str, LaneDataset | Exception],
        num_lanes: int,
        *,
        max_listed: int = 10,
        decode: bool = False,
    ) -> None:
        self._datasets = [(split, one) for split, one in datasets.items() if isinstance(one, LaneDataset)]
        sources = [Source(split, f"split {split}") for split, _ in self._datasets]
        super().__init__(root, sources, num_lanes=num_lanes, max_listed=max_listed, decode=decode)
        for split, problem in datasets.items():
            if isinstance(problem, Exception):
                kind = "list_missing" if isinstance(problem, FileNotFoundError) else "list_line"
                self.findings.add(kind, f"split {split}", None, str(problem))

    def num_lines(self) -> int:
        """Pictures of all splits."""
        return sum(len(dataset) for _, dataset in self._datasets)

    def tasks(self) -> Iterator[Task]:
        """Ranges of pictures, whose "line" is their index from 1."""
        for source, (_, dataset) in enumerate(self._datasets):
            for first in range(0, len(dataset), PART_SIZE):
                yield Task(source, first + 1, [""] * min(PART_SIZE, len(dataset) - first))

    def names(self, source: int, numbers: Iterable[int]) -> dict[int, str]:
        """The names of some pictures."""
        return {number: self.name(source, "", number) for number in numbers}

    def name(self, source: int, line: str, number: int) -> str:
        """The picture's name in the dataset."""
        return self._datasets[source][1].name(number - 1)

    def image_path(self, source: int, name: str, number: int) -> Path:
        """As the dataset says, or else below the root."""
        return self._datasets[source][1].image_path(number - 1) or self.root / name.lstrip("/")

    def inspect(self, task: Task) -> Part:
        """Looks at a range of pictures."""
        part = Part(task.source, len(task.lines), Findings(self.max_listed))
        for number in range(task.first, task.first + len(task.lines)):
            self._inspect_picture(self._datasets[task.source][1], number, part)
        return part

    def _inspect_picture(self, dataset: LaneDataset, number: int, part: Part) -> None:
        file, index = self.sources[part.source].file, number - 1
        name = dataset.name(index)

        def report(kind: str, detail: str) -> None:
            part.findings.add(kind, file, number, f"{name}: {detail}")

        part.statistics.add_picture(name)
        size, fingerprint, key = self._look_at_image(dataset, index, report)
        part.keys.append((number, key, fingerprint))
        if size is not None:
            part.statistics.image_sizes[size] += 1
        size = size or dataset.usual_size
        try:
            label = dataset.label(index, size)
        except (ValueError, OSError) as error:
            kind = "label_missing" if isinstance(error, FileNotFoundError) else "label_unreadable"
            report(kind, str(error))
            return
        report_lanes(label, size, dataset.num_lanes, part, number, file)

    def _look_at_image(
        self, dataset: LaneDataset, index: int, report: Report
    ) -> tuple[tuple[int, int] | None, int, int]:
        """The size of a picture, its fingerprint, and a key of its file: its name alone may be in two splits."""
        path = dataset.image_path(index)
        if path is not None:
            return *look_at_image(path, report, decode=self.decode), name_key(str(path))
        size = None
        try:
            size = dataset.image_size(index)
            if self.decode:
                dataset.image(index)
        except FileNotFoundError as error:
            report("image_missing", str(error))
        except (ValueError, OSError) as error:
            report("image_unreadable", str(error))
        return size, 0, name_key(dataset.name(index))
