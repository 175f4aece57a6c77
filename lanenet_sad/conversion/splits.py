"""Which pictures train and which validate: whole folders apart, or one block of a video, never frames at random."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from lanenet_sad.inference.image_files import natural_key


def split_names(names: Sequence[str], val_share: float, val_folders: Sequence[str] = ()) -> tuple[list[str], str]:
    """Which of the names train and which validate.

    Neighbouring frames of a drive are almost the same picture, so a random choice of frames would let a network pass
    by remembering. With several folders, each of which is taken for a drive, whole ones validate: the largest that
    fit into the share, at least the smallest. Pictures of a single folder are parted once, in their natural order: the
    last ones validate.

    Args:
        names: of pictures, with slashes.
        val_share: of the pictures that is to validate, 0 to less than 1; 0 for none.
        val_folders: the folders that validate instead, with those below them; patterns such as `drive_*` may be used.

    Returns:
        "train" or "val" for each name, and a sentence on how it was done.

    Raises:
        ValueError: the share has no meaning, a folder of `val_folders` has no picture, or nothing is left to train on.
    """
    if not 0 <= val_share < 1:
        raise ValueError(f"--val-share: expected a share from 0 to less than 1, got {val_share}.")
    folders = [str(PurePosixPath(name).parent) for name in names]
    if val_folders:
        chosen = _named(folders, val_folders)
        how = f"validation: {len(chosen)} of {len(set(folders))} folders, as named"
    elif val_share == 0 or len(names) < 2:
        return ["train"] * len(names), "validation: none"
    elif len(set(folders)) > 1:
        chosen = _fitting(Counter(folders), val_share * len(names))
        how = f"validation: {len(chosen)} of {len(set(folders))} folders as a whole"
    else:
        order = sorted(range(len(names)), key=lambda index: natural_key(Path(names[index])))
        last = set(order[-min(len(names) - 1, max(1, math.ceil(val_share * len(names) - 1e-9))) :])
        splits = ["val" if index in last else "train" for index in range(len(names))]
        return splits, "validation: the last pictures of the one folder, in the order of their names"
    splits = ["val" if folder in chosen else "train" for folder in folders]
    if "train" not in splits:
        raise ValueError("--val-folders: expected folders to be left to train on, but every picture is in one of them.")
    return splits, how


def _named(folders: Sequence[str], patterns: Sequence[str]) -> set[str]:
    chosen: set[str] = set()
    for pattern in (pattern.strip("/") for pattern in patterns):
        matching = {
            folder
            for folder in folders
            if any(fnmatchcase(str(part), pattern) for part in (PurePosixPath(folder), *PurePosixPath(folder).parents))
        }
        if not matching:
            there = ", ".join(sorted(set(folders))[:10])
            raise ValueError(f"--val-folders {pattern}: no picture lies in a folder of that name; there are {there}.")
        chosen |= matching
    return chosen


def _fitting(counts: Counter[str], target: float) -> set[str]:
    """Folders with about `target` pictures: largest first while they fit, at least the smallest one."""
    chosen: set[str] = set()
    total = 0
    for folder, count in sorted(counts.items(), key=lambda item: (-item[1], natural_key(Path(item[0])))):
        if total + count <= target + 1e-9:
            chosen.add(folder)
            total += count
    return chosen or {min(counts, key=lambda folder: (counts[folder], natural_key(Path(folder))))}
