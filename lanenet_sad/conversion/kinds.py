"""What kind of labels a file or folder holds, seen from its content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from lanenet_sad.inference.image_files import natural_key
from lanenet_sad.lanes.coco_files import is_coco
from lanenet_sad.lanes.json_files import read_json
from lanenet_sad.lanes.labelme_files import is_labelme

LabelFormat = Literal["labelme", "cvat", "coco", "culane", "bdd100k", "llamas", "curvelanes", "tusimple"]

# Files of a benchmark's folder by which it is known.
_BENCHMARK_FILES: dict[LabelFormat, tuple[str, ...]] = {
    "tusimple": ("label_data_*.json", "test_label.json"),
    "bdd100k": ("labels/lane/polygons/lane_*.json", "labels/bdd100k_labels_images_*.json"),
    "llamas": ("labels/*/*/*.json",),
    "curvelanes": ("train/train.txt", "valid/valid.txt"),
}
_MOST_LOOKED_AT = 200  # label files, until one tells its kind
_START = 512


def label_format(source: Path) -> LabelFormat | None:
    """The kind of labels that a file or a folder holds; None for a file that is none of them, such as a checkpoint.

    Raises:
        FileNotFoundError: there is nothing of that name.
        ValueError: a folder has no labels of a known kind, or of several.
    """
    if not source.exists():
        raise FileNotFoundError(f"Source {source}: there is no such file or folder.")
    if source.is_file():
        return _file_format(source)
    for name, patterns in _BENCHMARK_FILES.items():
        if name != "llamas" and any(next(source.glob(pattern), None) for pattern in patterns):
            return name
    if (source / "color_images").is_dir() and next(source.glob(_BENCHMARK_FILES["llamas"][0]), None):
        return "llamas"
    found: dict[LabelFormat, Path] = {}
    if (line := next(files_below(source, (".lines.txt",)), None)) is not None:
        found["culane"] = line
    for number, path in enumerate(files_below(source, (".json", ".xml"))):
        if number == _MOST_LOOKED_AT:
            break
        kind = _file_format(path)
        if kind is not None:
            found.setdefault(kind, path)
    if len(found) > 1:
        kinds = ", ".join(f"{kind} ({path.relative_to(source)})" for kind, path in found.items())
        raise ValueError(f"Source {source}: has labels of several kinds: {kinds}; choose one with --format.")
    if not found:
        raise ValueError(
            f"Source {source}: expected labels of labelme (.json), CVAT (.xml), COCO (.json), CULane (.lines.txt) or "
            f"one of the benchmarks in this folder; found none. Name the kind with --format."
        )
    return next(iter(found))


def files_below(folder: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    """Files with one of these endings in a folder and those below it, in natural order, without hidden ones."""
    paths = [path for path in folder.rglob("*") if path.name.lower().endswith(endings)]
    for path in sorted(paths, key=lambda path: natural_key(path.relative_to(folder))):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _file_format(path: Path) -> LabelFormat | None:
    with path.open("rb") as file:
        start = file.read(_START).lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<") and (b"<annotations" in start or path.suffix.lower() == ".xml"):
        return "cvat"
    if start.startswith(b"{") and b'"raw_file"' in start:
        return "tusimple"
    if path.name.endswith(".lines.txt"):
        return "culane"
    if not start.startswith(b"{"):
        return None
    try:
        content = read_json(path, f"Label file {path}", "Check the path.")
    except ValueError:
        return None
    if is_labelme(content):
        return "labelme"
    return "coco" if is_coco(content) else None
