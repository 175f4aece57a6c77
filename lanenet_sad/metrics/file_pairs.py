"""Which label file belongs to which prediction file, and an error that names those that are not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from lanenet_sad.lanes.files import relative_name

_MAX_NAMES = 3


class FilePair(NamedTuple):
    """The files of one image.

    Attributes:
        name: of the image, without a suffix.
        label: its label file.
        prediction: its prediction file; None if there is none and that is allowed.
    """

    name: str
    label: Path
    prediction: Path | None


def pair_files(
    benchmark: str,
    names: Sequence[str],
    label_path: Callable[[str], Path],
    prediction_paths: Callable[[str], Sequence[Path]],
    *,
    predictions: Path,
    allow_missing: bool,
) -> list[FilePair]:
    """The label and the prediction file of every image.

    Args:
        benchmark: with which errors begin.
        names: of the images.
        label_path: from a name to its label file.
        prediction_paths: from a name to the places where its prediction may be, the first that exists counts.
        predictions: their folder, for errors.
        allow_missing: whether images may lack a prediction; a label is always needed.

    Raises:
        FileNotFoundError: there are no names, the folder of the predictions is not there, or files are missing; the
            message says how many and names the first ones.
    """
    if not names:
        raise FileNotFoundError(f"{benchmark} labels: expected the labels of one image or more, but there are none.")
    if not predictions.is_dir():
        raise FileNotFoundError(f"{benchmark} predictions: expected the folder {predictions}, but there is none.")
    labels = [label_path(name) for name in names]
    absent = [path for path in dict.fromkeys(labels) if not path.is_file()]
    if absent:
        raise FileNotFoundError(
            f"{benchmark} labels: {len(absent)} of {len(names)} files are missing: {_first(absent)}."
        )
    found = [next((path for path in prediction_paths(name) if path.is_file()), None) for name in names]
    missing = [prediction_paths(name)[0] for name, path in zip(names, found, strict=True) if path is None]
    if missing and not allow_missing:
        raise FileNotFoundError(
            f"{benchmark} predictions: {len(missing)} of {len(names)} files are missing: {_first(missing)}. Check the "
            "folder. With --allow-missing they count as images for which nothing was predicted."
        )
    return [FilePair(*files) for files in zip(names, labels, found, strict=True)]


def names_below(folder: Path, suffix: str, benchmark: str) -> list[str]:
    """The files of a folder and those below it that end with `suffix`, in order, as names without it.

    Raises:
        FileNotFoundError: there is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{benchmark} labels: expected the folder {folder}, but there is none.")
    names = sorted(path.relative_to(folder).as_posix().removesuffix(suffix) for path in folder.rglob(f"*{suffix}"))
    if not names:
        raise FileNotFoundError(f"{benchmark} labels: expected files *{suffix} below {folder}, but there are none.")
    return names


def stem_of(name: str, suffixes: Sequence[str] = ()) -> str:
    """The name of an image or of one of its files without slash and suffix, or ValueError if it leads elsewhere.

    Args:
        name: as a list has it.
        suffixes: endings with more than one dot that go as a whole; else what follows the last dot goes.
    """
    below = relative_name(name)
    for suffix in suffixes:
        if below.endswith(suffix):
            return below.removesuffix(suffix)
    folder, slash, last = below.rpartition("/")
    return f"{folder}{slash}{last[: last.rfind('.')] if '.' in last else last}"


def _first(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths[:_MAX_NAMES])) + " …" * (len(paths) > _MAX_NAMES)
