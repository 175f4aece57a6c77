"""Files that are there whole or not at all, and CULane's line labels and lists, read and written."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

import numpy as np

from lanenet_sad.lanes.lane import Lane

# What a C++ stream takes for one number: it goes on while characters fit, and fails if they make no number.
_NEXT_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d*)?)", re.ASCII)


class CULaneListEntry(NamedTuple):
    """One line of a CULane list.

    Attributes:
        image: name of the image as the list has it, with its leading slash.
        mask: name of the label mask, if the line has one.
        existence: one flag (0 or 1) per lane slot, if the line has them.
    """

    image: str
    mask: str | None = None
    existence: tuple[int, ...] | None = None


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Writes a file so that it is there whole or not at all.

    Gives a temporary path beside `path`, with the same suffix, to write to; on success it takes the place of
    `path`, on any error it is removed and what stood at `path` stays. Missing parent folders are made.

    Raises:
        OSError: the folder cannot be made or written to; the message names it.
    """
    path = Path(path)
    temporary = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    make_folder_of(path)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.filename is not None and str(error.filename) != str(temporary):
            raise  # about another file, which the body of the with statement reads or writes
        raise _cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def make_folder_of(path: Path) -> None:
    """Make the folder that a file is to stand in, and those above it.

    Raises:
        OSError: it cannot be made; the message names it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error


def relative_name(name: str) -> str:
    """A file name of a list or label file as a path below the dataset's folder, without its leading slash.

    Raises:
        ValueError: the name is empty or climbs out of the folder.
    """
    below = name.lstrip("/\\")
    parts = PureWindowsPath(below).parts
    if not parts or ".." in parts or Path(below).drive or "\0" in below:
        raise ValueError(f"expected the name of a file inside the dataset's folder, got {name!r}")
    return below


def lines_path(folder: Path, name: str) -> Path:
    """Where the lanes of an image stand: its name up to the last dot, with `.lines.txt`, below `folder`."""
    return folder / f"{(name[: name.rfind('.')] if '.' in name else name).lstrip('/')}.lines.txt"


def parse_culane_lines(text: str) -> list[Lane]:
    """The lanes of a CULane label or prediction file, as the official evaluator reads them.

    Every text line is a lane, a blank one too (without points): pairs of numbers up to the first thing that is
    no number, an unpaired last number dropped. Coordinates are rounded to single precision. Follows
    `tools/lane_evaluation` of XingangPan/SCNN, where C++ streams read the numbers.

    Args:
        text: of the file; any text is accepted.

    Returns:
        The lanes in the file's order (on which the official matching depends), without slots.
    """
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()  # what follows the last line feed is no line
    return [_lane(_line_numbers(line)) for line in lines]


def read_culane_lines(path: str | Path) -> list[Lane]:
    """The lanes of a `*.lines.txt` file; a missing file has none, as in the official evaluator.

    Raises:
        OSError: the file is there but cannot be read.
    """
    try:
        return parse_culane_lines(Path(path).read_bytes().decode("latin-1"))
    except (FileNotFoundError, NotADirectoryError):
        return []


def write_culane_lines(path: str | Path, lanes: Iterable[Lane]) -> None:
    """Writes a `*.lines.txt` file: one lane per line as `x y x y ...`, in pixels with three decimals.

    Raises:
        ValueError: a coordinate is not finite.
        OSError: the folder cannot be written to.
    """
    lines = []
    for number, lane in enumerate(lanes):
        check_finite(lane, f"Lane {number} for {path}")
        lines.append(" ".join(_short(value) for value in lane.points.ravel().tolist()) + "\n")
    with replacing(path) as temporary:
        temporary.write_text("".join(lines), encoding="ascii")


def read_culane_list(path: str | Path, num_lanes: int | None = None) -> list[CULaneListEntry]:
    """The entries of a CULane list: lines of an image, of an image and its mask, or of both and existence flags.

    Blank lines are skipped. Names are those of the file; whether the files exist is not looked at.

    Args:
        path: of the list, such as `list/train_gt.txt`.
        num_lanes: number of flags that a line with flags must have; None accepts any number.

    Raises:
        FileNotFoundError: there is no such list.
        ValueError: the list is empty or no text, a line has another number of fields, a flag that is not 0 or 1,
            or a name outside the dataset's folder; the message says which line.
    """
    what = f"CULane list {path}"
    lines = read_text(Path(path), what, "Check the path, or the dataset's root folder and list name.").split("\n")
    entries = [
        parse_culane_list_line(line, f"{what}, line {n}", num_lanes) for n, line in enumerate(lines, 1) if line.strip()
    ]
    if not entries:
        raise ValueError(f"{what}: expected one image per line, got an empty list.")
    return entries


def parse_culane_list_line(line: str, where: str, num_lanes: int | None = None) -> CULaneListEntry:
    """One line of a CULane list, see `read_culane_list`.

    Args:
        line: that is not blank.
        where: begins the message of an error.
        num_lanes: number of flags that a line with flags must have; None accepts any number.

    Raises:
        ValueError: the line is not as described.
    """
    fields = line.split()
    num_flags = len(fields) - 2
    if num_flags > 0 and num_lanes not in (None, num_flags):
        raise ValueError(
            f"{where}: expected an image, a mask and {num_lanes} existence flags, got {len(fields)} fields."
        )
    check_names(fields[:2], where)
    if wrong := [flag for flag in fields[2:] if flag not in ("0", "1")]:
        raise ValueError(f"{where}: expected existence flags of 0 or 1 after the image and the mask, got {wrong[0]!r}.")
    existence = tuple(int(flag) for flag in fields[2:])
    return CULaneListEntry(fields[0], fields[1] if len(fields) > 1 else None, existence or None)


def write_culane_list(path: str | Path, entries: Iterable[CULaneListEntry]) -> None:
    """Writes a CULane list, the inverse of `read_culane_list`.

    Raises:
        ValueError: an entry has flags but no mask, which the format cannot say, or a name with a space.
        OSError: the folder cannot be written to.
    """
    lines = []
    for entry in entries:
        names = [name for name in (entry.image, entry.mask) if name is not None]
        if (entry.existence and not entry.mask) or any(name.split() != [name] for name in names):
            raise ValueError(f"CULane list {path}: expected names without spaces, a mask where flags are, got {entry}.")
        lines.append(" ".join([*names, *map(str, entry.existence or ())]) + "\n")
    with replacing(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def _cannot_write(path: Path, error: OSError) -> OSError:
    reason = error.strerror or error
    return OSError(f"Cannot write {path.name} into the folder {path.parent}: {reason}. Choose another output folder.")


def read_text(path: Path, what: str, advice: str) -> str:
    """A text file, or an error that begins with `what` and ends with `advice`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"{what}: there is no such file. {advice}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{what}: expected text in UTF-8, got other bytes at position {error.start}.") from error
    except IsADirectoryError as error:
        raise ValueError(f"{what}: expected a file, got a folder. {advice}") from error


def check_finite(lane: Lane, where: str) -> None:
    """Refuse a lane that no file can hold, with an error that begins with `where`."""
    if not np.isfinite(lane.points).all():
        raise ValueError(f"{where}: expected finite coordinates, got {lane.points.tolist()}.")


def check_names(names: Iterable[str], where: str) -> None:
    """Refuse file names that `relative_name` refuses, with an error that begins with `where`."""
    for name in names:
        try:
            relative_name(name)
        except ValueError as error:
            raise ValueError(f"{where}: {error}.") from error


def _line_numbers(line: str) -> list[float]:
    """The leading numbers of a line, of even count, as a C++ stream sees them: `1-2` is two, `1e999` is none."""
    numbers: list[float] = []
    position = 0
    while match := _NEXT_NUMBER.match(line, position):
        try:
            number = float(match[1])
        except ValueError:  # an exponent without digits
            break
        if math.isinf(number):
            break
        numbers.append(number)
        position = match.end()
    return numbers[: len(numbers) // 2 * 2]


def _lane(numbers: Sequence[float]) -> Lane:
    with np.errstate(over="ignore"):  # beyond single precision is infinite, in the official evaluator too
        single = np.array(numbers, dtype=np.float64).astype(np.float32)
    return Lane(single.astype(np.float64).reshape(-1, 2))


def _short(value: float) -> str:
    """A coordinate without trailing zeros."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
