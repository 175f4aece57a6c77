"""Pictures that are listed more than once, by name or by content, found in a table of a few bytes for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.checking.findings import Findings
from lanenet_sad.checking.layout import Layout

_ROW = np.dtype([("line", np.uint32), ("source", np.uint32), ("name", np.uint64), ("content", np.uint64)])


class PictureTable:
    """24 bytes for each picture: where it is listed, a key of its name and one of its content."""

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.void]] = []

    def add(self, source: int, keys: list[tuple[int, int, int]]) -> None:
        """Adds pictures of a source by line, name key and content key."""
        if keys:
            self._blocks.append(np.array([(line, source, name, content) for line, name, content in keys], dtype=_ROW))

    def report(self, layout: Layout, findings: Findings) -> None:
        """Adds a finding for each picture that is listed again, in another split or in its own."""
        rows = np.concatenate(self._blocks) if self._blocks else np.empty(0, dtype=_ROW)
        by_name = list(_groups(rows, "name"))
        _, first = np.unique(rows["name"], return_index=True)
        once = rows[np.sort(first)]
        by_content = list(_groups(once[once["content"] != 0], "content"))
        names = _names(layout, [*by_name, *by_content])
        for group in by_name:
            _report(layout, findings, names, group.tolist(), ("split_overlap", "listed_twice"))
        for group in by_content:
            for same in _same_files(layout, names, group.tolist()):
                _report(layout, findings, names, same, ("split_copies", "copies"))


def _groups(rows: NDArray[np.void], key: str) -> Iterator[NDArray[np.void]]:
    """Rows with equal keys, where there is more than one, in the order of their first."""
    values, inverse, counts = np.unique(rows[key], return_inverse=True, return_counts=True)
    if len(values) == len(rows):
        return
    shared = rows[counts[inverse] > 1]
    order = np.argsort(shared[key], kind="stable")
    ends = np.flatnonzero(np.diff(shared[key][order])) + 1
    groups = np.split(order, ends)
    for group in sorted(groups, key=lambda one: int(one[0])):
        yield shared[group]


def _names(layout: Layout, groups: Iterable[NDArray[np.void]]) -> dict[tuple[int, int], str]:
    """(source, line) -> name for all rows of some groups; each source is read once more at most."""
    wanted: dict[int, set[int]] = {}
    for group in groups:
        for line, source, *_ in group.tolist():
            wanted.setdefault(source, set()).add(line)
    return {
        (source, line): name for source, lines in wanted.items() for line, name in layout.names(source, lines).items()
    }


def _same_files(
    layout: Layout, names: dict[tuple[int, int], str], rows: list[tuple[int, int, int, int]]
) -> list[list[tuple[int, int, int, int]]]:
    """Those rows of a group whose files are equal from the first byte to the last."""
    by_digest: dict[bytes, list[tuple[int, int, int, int]]] = {}
    for row in rows:
        digest = _digest(layout.image_path(row[1], names[row[1], row[0]], row[0]))
        by_digest.setdefault(digest, []).append(row)
    return [same for digest, same in by_digest.items() if digest and len(same) > 1]


def _digest(path: Path) -> bytes:
    """Of a whole file; empty where it cannot be read any more."""
    digest = blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return b""
    return digest.digest()


def _report(
    layout: Layout,
    findings: Findings,
    names: dict[tuple[int, int], str],
    rows: list[tuple[int, int, int, int]],
    kinds: tuple[str, str],
) -> None:
    """A finding for each row but the first of its split, as far as another split has it, or its own."""
    first_of_split: dict[str, tuple[int, int]] = {}
    for line, source, *_ in rows:
        split, file = layout.sources[source]
        name = names[source, line]
        here = first_of_split.get(split)
        others = [place for other, place in first_of_split.items() if other != split]
        known = here or (others[0] if others else None)
        first_of_split.setdefault(split, (source, line))
        if known is not None and (layout.sources[known[0]].file, known[1]) != (file, line):
            kind = kinds[1] if here else kinds[0]
            where = f"{layout.sources[known[0]].file}, line {known[1]}"
            also = "" if names[known] == name else f" as {names[known]}"
            findings.add(kind, file, line, f"{name} is in {where} too{also}")
