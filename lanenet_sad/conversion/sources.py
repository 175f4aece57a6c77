"""The pictures and lines of label files of people's own: labelme, CVAT, COCO, and CULane's text without lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lanenet_sad.conversion.kinds import LabelFormat, files_below
from lanenet_sad.conversion.pictures import PictureFinder, dataset_name
from lanenet_sad.inference.image_files import IMAGE_SUFFIXES
from lanenet_sad.lanes.coco_files import read_coco
from lanenet_sad.lanes.cvat_files import read_cvat
from lanenet_sad.lanes.files import read_culane_lines
from lanenet_sad.lanes.label_pictures import LabelFile, LabelledLine, LabelledPicture, checked_points, drawn_line
from lanenet_sad.lanes.labelme_files import read_labelme

_ENDINGS: dict[str, tuple[str, ...]] = {
    "labelme": (".json",),
    "coco": (".json",),
    "cvat": (".xml",),
    "culane": (".lines.txt",),
}
DRAWN = "lanes.jsonl"
"""`predict` writes this beside its drawn pictures, which nobody wants to train on."""
Progress = Callable[[Iterable[Path], int], Iterator[Path]]


@dataclass(frozen=True, eq=False)
class SourcePicture:
    """A labelled picture that was found.

    Attributes:
        name: in the new dataset.
        file: of the picture; None where it is embedded in the label file.
        label_file: that it came from.
        lines: what was drawn.
        image_size: (height, width) that the labelling program saw; None if not said.
    """

    name: str
    file: Path | None
    label_file: Path
    lines: tuple[LabelledLine, ...]
    image_size: tuple[int, int] | None


@dataclass(eq=False)
class SourceContent:
    """All that a source holds.

    Attributes:
        pictures: in the order of the label files.
        passed_over: shapes that are no lines, by label and kind.
        left_out: pictures beside the labels that no label file names.
        faults: a sentence for each label file or picture that is broken or missing.
    """

    pictures: list[SourcePicture] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    faults: list[str] = field(default_factory=list)


def read_source(source: Path, kind: LabelFormat, images: Path | None, progress: Progress) -> SourceContent:
    """Reads every label file of a source, which is one file or a folder of them.

    Args:
        source: file or folder.
        kind: labelme, cvat, coco or culane.
        images: where the pictures are; default: beside the label files, in folders `images` there or next to it, or
            where labelme's `imagePath` says.
        progress: wraps the label files to show how far it is.

    Raises:
        FileNotFoundError: there is no label file, or no folder `images`.
    """
    if images is not None and not images.is_dir():
        raise FileNotFoundError(f"--images {images}: expected the folder of the pictures, there is none of that name.")
    files = [source] if source.is_file() else list(files_below(source, _ENDINGS[kind]))
    if not files:
        raise FileNotFoundError(f"Source {source}: there is no file that ends in {_ENDINGS[kind][0]}.")
    base = source.parent if source.is_file() else source
    finder = PictureFinder([images] if images is not None else _usual_folders(base, kind))
    content = SourceContent()
    names: dict[str, Path] = {}
    used: set[Path] = set()
    for path in progress(files, len(files)):
        try:
            pictures, faults = _read(path, kind, base)
        except (ValueError, OSError) as error:
            content.faults.append(str(error))
            continue
        content.faults += faults
        for picture in pictures:
            content.passed_over.update(picture.passed_over)
            try:
                found = _found(picture, path, base, finder, kind)
            except (ValueError, OSError) as error:
                content.faults.append(str(error))
                continue
            stem = found.name[: found.name.rfind(".")] if "." in found.name else found.name
            if stem in names:
                content.faults.append(
                    f"{path}: the picture {found.name} is labelled a second time (first in {names[stem]}); "
                    "the first counts."
                )
                continue
            names[stem] = path
            if found.file is not None:
                used.add(found.file.resolve())
            content.pictures.append(found)
    content.left_out = len(finder.all() - used)
    return content


def _usual_folders(base: Path, kind: LabelFormat) -> list[Path]:
    """Where the pictures of label files in `base` are looked for; those of COCO often have a folder of their own."""
    if (base / DRAWN).is_file():
        return [base / "images"]
    if kind == "coco":
        return [base / "images", base, base.parent / "images", base.parent]
    return [base] if kind == "culane" else [base / "images", base]


def embedded_picture(label_file: Path) -> bytes:
    """The picture inside a labelme file."""
    data = read_labelme(label_file).embedded
    if data is None:
        raise ValueError(f"Labelme file {label_file}: the picture inside it is gone.")
    return data


def _read(path: Path, kind: LabelFormat, base: Path) -> LabelFile:
    if kind == "labelme":
        return LabelFile((read_labelme(path),))
    if kind == "cvat":
        return read_cvat(path)
    if kind == "coco":
        return read_coco(path)
    return LabelFile((_culane_picture(path, base),))


def _culane_picture(path: Path, base: Path) -> LabelledPicture:
    """The lanes of a `*.lines.txt`; its picture has the same name with the ending of a picture."""
    lines, passed_over = [], []
    for lane in read_culane_lines(path):
        points = checked_points(lane.points.tolist(), f"CULane labels {path}")
        line = drawn_line("lane", points)
        if line is None:
            passed_over.append("lane (line of fewer than two points)")
        else:
            lines.append(line)
    name = path.relative_to(base).as_posix().removesuffix(".lines.txt")
    return LabelledPicture(name, tuple(lines), None, tuple(passed_over))


def _found(
    picture: LabelledPicture, label_file: Path, base: Path, finder: PictureFinder, kind: LabelFormat
) -> SourcePicture:
    """A label's picture; FileNotFoundError if it is nowhere."""
    below = label_file.parent.relative_to(base)
    file, name = None, picture.name.replace("\\", "/")
    if kind in ("labelme", "culane"):
        stem = label_file.name.removesuffix(".lines.txt").removesuffix(".json")
        beside = [label_file.parent / name] if kind == "labelme" else []
        if (base / DRAWN).is_file():
            beside = [path for path in beside if not path.resolve().is_relative_to(base.resolve())]
        beside += [folder / below / f"{stem}{ending}" for folder in finder.folders for ending in _endings(name)]
        file = next((path for path in beside if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()), None)
        if file is not None:
            # below the folder of the labels where it lies there, otherwise as the label file lies
            home = next((one for one in finder.folders if file.resolve().is_relative_to(one.resolve())), None)
            name = (
                file.resolve().relative_to(home.resolve()).as_posix()
                if home is not None
                else (below / f"{stem}{file.suffix}").as_posix()
            )
    if file is None and (found := finder.find(name)) is not None:
        file, name = found[0], found[0].relative_to(found[1]).as_posix()
    if file is None and picture.embedded is not None:
        name = (below / f"{label_file.stem}{Path(name).suffix or '.jpg'}").as_posix()
    elif file is None:
        folders = ", ".join(map(str, finder.folders)) or "any folder"
        if (base / DRAWN).is_file():
            folders += f" (those in {base} have lanes drawn into them by predict)"
        raise FileNotFoundError(
            f"{label_file}: its picture {picture.name!r} is not in {folders}; name the folder of the pictures with "
            "--images."
        )
    return SourcePicture(dataset_name(name), file, label_file, picture.lines, picture.image_size)


def _endings(name: str) -> list[str]:
    """Endings of pictures, that of the name first."""
    return [Path(name).suffix, *(ending for one in sorted(IMAGE_SUFFIXES) for ending in (one, one.upper()))]
