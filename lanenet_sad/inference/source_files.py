"""Which files a folder, a pattern or a list names."""

from __future__ import annotations

import glob
from pathlib import Path

from lanenet_sad.inference.image_files import IMAGE_SUFFIXES, natural_key
from lanenet_sad.inference.stream_address import is_address
from lanenet_sad.inference.video_files import VIDEO_SUFFIXES
from lanenet_sad.lanes.files import read_text

LIST_SUFFIXES = frozenset({".txt", ".lst", ".list"})


def list_folder(folder: Path) -> list[Path]:
    """All files in a folder and its subfolders, in natural order."""
    # Hidden files are left out, above all the "._photo.jpg" that macOS puts beside photos on a stick.
    files = [
        file
        for file in folder.rglob("*")
        if not any(part.startswith(".") for part in file.relative_to(folder).parts) and file.is_file()
    ]
    return sorted(files, key=natural_key)


def list_pattern(pattern: str) -> list[Path]:
    """All files that match a pattern or lie in a folder that does, in natural order.

    Raises:
        FileNotFoundError: if nothing matches.
    """
    # Path.glob takes no absolute patterns.
    matches = [Path(match) for match in glob.glob(pattern, recursive=True)]  # noqa: PTH207
    if not matches:
        raise FileNotFoundError(f"{pattern}: no file matches this pattern.")
    files = {file for match in matches for file in (list_folder(match) if match.is_dir() else [match])}
    return sorted(files, key=natural_key)


def fixed_part(pattern: str) -> str:
    """The folder below which all lies that a pattern may match: that in front of its first wildcard."""
    parts = Path(pattern).parts
    num_fixed = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return str(Path(*parts[:num_fixed]))


def read_source_list(path: Path) -> list[str]:
    """The entries of a list file: one source a line; blank lines and what follows a # at a line's start are left out.

    A relative path is taken from the list's folder if there is such a file or folder, else from the current one.

    Raises:
        ValueError: if it is no text, or has no entry.
    """
    lines = [line.strip() for line in read_text(path, f"List of sources {path}", "Check the name.").splitlines()]
    entries = [line for line in lines if line and not line.startswith("#")]
    if not entries:
        raise ValueError(f"List of sources {path}: expected an image, video, folder or address a line, got none.")
    return [_beside(path.parent, entry) for entry in entries]


def without(files: list[Path], left_out: Path | None, source: Path | None) -> list[Path]:
    """The files that are not below a folder, unless the user named that folder itself or one in it."""
    if left_out is None or (source is not None and source.resolve().is_relative_to(left_out.resolve())):
        return files
    return [file for file in files if not file.resolve().is_relative_to(left_out.resolve())]


def known_suffixes() -> str:
    """What files are read, for error messages."""
    return " ".join(sorted(IMAGE_SUFFIXES) + sorted(VIDEO_SUFFIXES))


def _beside(folder: Path, entry: str) -> str:
    if is_address(entry) or Path(entry).is_absolute():
        return entry
    beside = folder / entry
    is_there = bool(glob.glob(str(beside), recursive=True)) if glob.has_magic(entry) else beside.exists()  # noqa: PTH207
    return str(beside) if is_there else entry
