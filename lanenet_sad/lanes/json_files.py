"""JSON label files: read whole or piece by piece, with every defect named."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lanenet_sad.lanes.files import read_text

#: Beyond this no coordinate of a label is meant, and squares of coordinates stay finite.
FARTHEST = 1e6

_SPACE = re.compile(r"[ \t\n\r]*")


def read_json(path: Path, what: str, advice: str) -> Any:
    """The content of a JSON file.

    Args:
        path: of the file.
        what: it is, as errors begin.
        advice: with which an error about a missing file ends.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no JSON.
    """
    return _decoded(read_text(path, what, advice), what)


def read_json_list(path: Path, what: str, advice: str, *, key: str) -> Iterator[Any]:
    """The elements of a JSON file that is a list, or an object with a list at `key`, one after the other.

    A list is decoded element by element, so that a file of gigabytes needs little more memory than its text.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no JSON, or neither of the two.
    """
    text = read_text(path, what, advice)
    position = _skip_space(text, 0)
    if not text.startswith("[", position):
        content = _decoded(text, what)
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise ValueError(f"{what}: expected a list, or an object with a list {key!r}, got {text[:40]!r}.")
        yield from content[key]
        return
    decoder, separator = json.JSONDecoder(), "["
    position = _skip_space(text, position + 1)
    while not (separator == "[" and text.startswith("]", position)):
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{what}: expected JSON, got something else ({error}).") from error
        yield value
        position = _skip_space(text, position)
        separator = text[position : position + 1]
        if separator == "]":
            break
        if separator != ",":
            raise ValueError(f"{what}: expected a comma or the end of the list at position {position}.")
        position = _skip_space(text, position + 1)
    if _skip_space(text, position + 1) != len(text):
        raise ValueError(f"{what}: expected nothing behind the list, got {text[position + 1 : position + 40]!r}.")


def coordinate(value: Any, where: str) -> float:
    """A coordinate, which some datasets write as a string of digits.

    Raises:
        ValueError: it is no number, or one that no label means; the message begins with `where`.
    """
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not abs(number) <= FARTHEST:
        raise ValueError(f"{where}: expected a coordinate in pixels, got {value!r:.40}.")
    return number


def member(values: Any, key: str, kind: type, where: str) -> Any:
    """`values[key]`, which must be of a kind; ValueError if it is not, or if `values` is no object."""
    value = values.get(key) if isinstance(values, dict) else None
    if not isinstance(value, kind):
        raise ValueError(f"{where}: expected an object with {key!r}, a {kind.__name__}, got {values!r:.60}.")
    return value


def _decoded(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what}: expected JSON, got {text[:40]!r} ({error}).") from error


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
