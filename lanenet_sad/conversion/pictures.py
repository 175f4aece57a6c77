"""Which picture file a label file means, and what it is called in the new dataset."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lanenet_sad.conversion.kinds import files_below
from lanenet_sad.inference.image_files import IMAGE_SUFFIXES
from lanenet_sad.lanes.files import relative_name

_FRAME = re.compile(r"frame_(\d+)$", re.ASCII)


class PictureFinder:
    """Finds pictures by the names that label files give.

    Looked for in this order: the name below each of the folders; a file name that only one picture below them has,
    with the name's ending or, where the name has none, any; for `frame_000007` the only picture whose name ends in
    the number 7, with any number of zeros.

    Args:
        folders: where pictures are; those that are not there are left out.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        kept: list[Path] = []
        for folder in folders:
            if folder.is_dir() and folder.resolve() not in [one.resolve() for one in kept]:
                kept.append(folder)
        self.folders = tuple(kept)
        self._by_name: defaultdict[str, list[tuple[Path, Path]]] | None = None

    def find(self, name: str) -> tuple[Path, Path] | None:
        """The picture's file and the folder of `folders` that it was found in; None if there is none or no single one.

        A name may have slashes of either kind and lead out of the folder, as those of other computers do; then only
        its last part is looked for.
        """
        parts = name.replace("\\", "/")
        try:
            below = relative_name(parts)
        except ValueError:
            below = parts.rpartition("/")[2]
        for folder in self.folders:
            if below and (folder / below).is_file() and _is_picture(folder / below):
                return folder / below, folder
        last = PurePosixPath(below).name
        frame = _FRAME.search(PurePosixPath(last).stem)
        index = self._index()
        keys = [last, *([f"#{int(frame[1])}"] if frame else [])]
        return next((index[key][0] for key in keys if len(index.get(key, ())) == 1), None)

    def all(self) -> set[Path]:
        """Every picture below the folders, as whole paths."""
        return {path.resolve() for folder in self.folders for path in files_below(folder, tuple(IMAGE_SUFFIXES))}

    def _index(self) -> defaultdict[str, list[tuple[Path, Path]]]:
        """File names, names without endings, and `#7` for names that end in the number 7 -> picture and its folder."""
        if self._by_name is None:
            self._by_name = defaultdict(list)
            known: set[Path] = set()
            for folder in self.folders:
                for path in files_below(folder, tuple(IMAGE_SUFFIXES)):
                    whole = path.resolve()
                    if whole in known:
                        continue
                    known.add(whole)
                    number = re.search(r"(\d+)$", path.stem, re.ASCII)
                    keys = {path.name, path.stem, *([f"#{int(number[1])}"] if number else [])}
                    for key in keys:
                        self._by_name[key].append((path, folder))
        return self._by_name


def dataset_name(path: str) -> str:
    """A picture's name in the new dataset: slashes, and underscores for spaces, which CULane's lists cannot have."""
    return "_".join(relative_name(path.replace("\\", "/")).split())


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES
