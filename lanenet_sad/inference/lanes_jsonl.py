"""`lanes.jsonl`: the lanes of pictures and videos as lines of JSON, written and read (see docs/outputs.md)."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO, cast, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.inference.growing_file import GrowingFile
from lanenet_sad.lanes.driving import DrivingEvent, RoadMeasures, Side
from lanenet_sad.lanes.files import check_finite
from lanenet_sad.lanes.json_files import member
from lanenet_sad.lanes.lane import Frame, Lane, LanePrediction, LaneType, LineColour, LineStyle

SCHEMA_VERSION = 2
"""Of what is written; a reader of this version takes all lower ones."""

_DECIMALS = {"curvature": 7, "heading": 5}  # others are metres and seconds: 3
_WORDS = {"crossing_side": get_args(Side), "scale": get_args(get_type_hints(RoadMeasures)["scale"])}
_KINDS = get_args(get_type_hints(DrivingEvent)["kind"])


@dataclass(frozen=True)
class FrameHeader:
    """Which picture a line of `lanes.jsonl` is about.

    Attributes:
        source: the file or camera.
        index: number of the frame within its source, from 0.
        time: seconds since the start of the source; 0.0 for single pictures.
        size: (height, width) in pixels.
        version: of the line's schema.
    """

    source: str
    index: int
    time: float
    size: tuple[int, int]
    version: int = SCHEMA_VERSION


class LanesJsonl:
    """Writes the lanes of pictures as JSON, one object a line, after `lanes_schema`.

    Points go near to far in pixels of the original picture with two decimals, time in seconds; what is not known is
    left out.

    A context manager. The file appears under its name when the block ends, also after an error, a full disk or Ctrl-C:
    then it holds the finished lines. Without a single line nothing is written, and a file already there stays.
    """

    def __init__(self, path: Path, *, point_confidences: bool = True) -> None:
        """Prepare a file; it is opened at the start of the `with` block.

        Args:
            path: of the file.
            point_confidences: write how sure each point is, where that is known; about a third of a line.
        """
        self.point_confidences = point_confidences
        self._lines = GrowingFile(path)
        self.path = self._lines.path

    @property
    def num_lines(self) -> int:
        """How many lines there are so far."""
        return self._lines.num_lines

    def __enter__(self) -> LanesJsonl:
        self._lines.__enter__()
        return self

    def write(self, frame: Frame, prediction: LanePrediction, *, drawn: str | None = None) -> None:
        """Append the lanes of one picture.

        Args:
            frame: the picture.
            prediction: its lanes.
            drawn: name of its drawn copy, below the folder of the file; None for those of a video.

        Raises:
            ValueError: a coordinate is not finite.
            OSError: the disk is full or gone; the message names the file.
        """
        described = describe_lanes(frame, prediction, point_confidences=self.point_confidences)
        if drawn is not None:
            described["drawn"] = drawn
        self._lines.write_line(json.dumps(described, ensure_ascii=False, allow_nan=False, separators=(",", ":")))

    def copy(self, line: str) -> None:
        """Append a line that an earlier run wrote.

        Raises:
            OSError: the disk is full or gone; the message names the file.
        """
        self._lines.write_line(line)

    def __exit__(self, *error: Any) -> None:
        self._lines.__exit__(*error)


def describe_lanes(frame: Frame, prediction: LanePrediction, *, point_confidences: bool = True) -> dict[str, object]:
    """The JSON object of one picture and its lanes, as `LanesJsonl` writes it."""
    height, width = frame.size
    where = f"{frame.source}, frame {frame.index}"
    described: dict[str, object] = {
        "version": SCHEMA_VERSION,
        "source": frame.source,
        "frame": frame.index,
        "time": round(frame.time, 6),
        "width": width,
        "height": height,
        "lanes": [
            _describe_lane(lane, f"{where}, lane {number}", point_confidences)
            for number, lane in enumerate(prediction.lanes, 1)
        ],
    }
    if prediction.road is not None:
        described["road"] = _describe_road(prediction.road)
    if prediction.events:
        described["events"] = [describe_driving_event(event) for event in prediction.events]
    return described


def describe_driving_event(event: DrivingEvent) -> dict[str, object]:
    """The JSON object of an event, as it stands in `lanes.jsonl` and in `summary.json`."""
    described: dict[str, object] = {
        "kind": event.kind,
        "side": event.side,
        "start": round(float(event.start), 6),
        "frame": int(event.frame),
        "duration": round(float(event.duration), 3),
        "is_over": bool(event.is_over),
    }
    if event.minimum_distance is not None and math.isfinite(event.minimum_distance):
        described["minimum_distance"] = round(float(event.minimum_distance), 3)
    return described


def lanes_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a line that `LanesJsonl` writes."""
    text = resources.files("lanenet_sad.inference").joinpath("lanes.schema.json").read_text(encoding="utf-8")
    return cast(dict[str, Any], json.loads(text))


def read_lanes_jsonl(
    path: str | Path, *, on_fault: Callable[[str], object] = warnings.warn
) -> Iterator[tuple[FrameHeader, LanePrediction]]:
    """The pictures and lanes of a `lanes.jsonl`, line by line, so that memory stays flat; blank lines are skipped.

    Lines of version 1, which have no `version`, are read too. Keys that are not known are passed over. A prediction's
    name is its source.

    Args:
        path: of the file; also the temporary file that a killed run left behind.
        on_fault: is told, in one sentence, that the last line is cut off, as after a power failure; the lines
            before it have been read.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is not as described in docs/outputs.md; the message names file and line.
    """
    path = Path(path)
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"Lanes {path}: there is no such file. `lanenet-sad predict` writes them.") from error
    except IsADirectoryError as error:
        raise ValueError(f"Lanes {path}: expected a file, got a folder; name the lanes.jsonl in it.") from error
    with file:
        yield from _read_lines(file, f"Lanes {path}", on_fault)


def _read_lines(
    file: BinaryIO, what: str, on_fault: Callable[[str], object]
) -> Iterator[tuple[FrameHeader, LanePrediction]]:
    for number, line in enumerate(file, 1):
        where = f"{what}, line {number}"
        if not line.strip():
            continue
        try:
            content = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            if line.startswith(b"{") and not line.endswith(b"\n"):
                on_fault(f"{where}: the file ends in the middle of this line, which was left out.")
                return
            raise ValueError(f"{where}: expected a JSON object, got {line[:40]!r} ({error}).") from error
        yield _parse_line(content, where)


def _describe_lane(lane: Lane, where: str, point_confidences: bool) -> dict[str, object]:
    check_finite(lane, where)
    # Slot has stood here from the first version on, null where there is none.
    described: dict[str, object] = {"slot": lane.slot, "confidence": round(float(lane.confidence), 4)}
    if lane.track_id is not None:
        described["track_id"] = int(lane.track_id)
    if lane.line_type is not None:
        described["type"] = {"style": lane.line_type.style, "colour": lane.line_type.colour}
    described["points"] = np.round(lane.points, 2).tolist()
    if point_confidences and lane.point_confidences is not None:
        described["point_confidences"] = np.round(np.asarray(lane.point_confidences, np.float64), 2).tolist()
    return described


def _describe_road(road: RoadMeasures) -> dict[str, object]:
    described: dict[str, object] = {"scale": road.scale}
    for field in fields(road):
        value = getattr(road, field.name)
        if isinstance(value, str):
            described[field.name] = value
        elif value is not None and math.isfinite(value):
            described[field.name] = round(float(value), _DECIMALS.get(field.name, 3))
    return described


def _parse_line(content: Any, where: str) -> tuple[FrameHeader, LanePrediction]:
    source = member(content, "source", str, where)
    version = _whole(content.get("version", 1), "version", where)
    if version > SCHEMA_VERSION:
        raise ValueError(
            f"{where}: expected a version up to {SCHEMA_VERSION}, got {version}; read it with a newer lanenet_sad."
        )
    size = (_whole(content.get("height"), "height", where), _whole(content.get("width"), "width", where))
    header = FrameHeader(
        source,
        _whole(content.get("frame"), "frame", where, lowest=0),
        _number(content.get("time"), "time", where),
        size,
        version,
    )
    lanes = member(content, "lanes", list, where)
    events = member(content, "events", list, where) if "events" in content else []
    prediction = LanePrediction(
        tuple(_parse_lane(lane, f"{where}, lane {number}") for number, lane in enumerate(lanes, 1)),
        size,
        name=source,
        road=_parse_road(member(content, "road", dict, where), f"{where}, road") if "road" in content else None,
        events=tuple(_parse_event(event, f"{where}, event {number}") for number, event in enumerate(events, 1)),
    )
    return header, prediction


def _parse_lane(content: Any, where: str) -> Lane:
    points = _numbers(member(content, "points", list, where), "points", where)
    points = points.reshape(0, 2) if points.size == 0 else points
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"{where}: expected points as [x, y], got {content['points']!r:.60}.")
    confidences = None
    if "point_confidences" in content:
        confidences = _numbers(member(content, "point_confidences", list, where), "point_confidences", where)
        if confidences.shape != (len(points),) or not ((confidences >= 0) & (confidences <= 1)).all():
            raise ValueError(
                f"{where}: expected a confidence of 0 to 1 for each of {len(points)} points, got "
                f"{content['point_confidences']!r:.60}."
            )
    slot, track_id = content.get("slot"), content.get("track_id")
    return Lane(
        points,
        slot=None if slot is None else _whole(slot, "slot", where),
        confidence=_number(content.get("confidence"), "confidence", where, lowest=0.0, highest=1.0),
        point_confidences=confidences,
        track_id=None if track_id is None else _whole(track_id, "track_id", where),
        line_type=_parse_type(member(content, "type", dict, where), where) if "type" in content else None,
    )


def _parse_type(content: dict[str, Any], where: str) -> LaneType:
    return LaneType(
        _word(content.get("style"), "style", get_args(LineStyle), where),
        _word(content.get("colour"), "colour", get_args(LineColour), where),
    )


def _parse_road(content: dict[str, Any], where: str) -> RoadMeasures:
    values: dict[str, Any] = {"scale": _word(content.get("scale"), "scale", _WORDS["scale"], where)}
    for name in (field.name for field in fields(RoadMeasures) if field.name in content):
        value = content[name]
        values[name] = _word(value, name, _WORDS[name], where) if name in _WORDS else _number(value, name, where)
    return RoadMeasures(**values)


def _parse_event(content: Any, where: str) -> DrivingEvent:
    is_over = member(content, "is_over", bool, where)
    distance = content.get("minimum_distance")
    return DrivingEvent(
        kind=_word(content.get("kind"), "kind", _KINDS, where),
        side=_word(content.get("side"), "side", get_args(Side), where),
        start=_number(content.get("start"), "start", where),
        frame=_whole(content.get("frame"), "frame", where, lowest=0),
        duration=_number(content.get("duration"), "duration", where, lowest=0.0),
        minimum_distance=None if distance is None else _number(distance, "minimum_distance", where),
        is_over=is_over,
    )


def _numbers(values: list[Any], key: str, where: str) -> NDArray[np.float64]:
    try:
        numbers = np.array(values)
    except ValueError:  # rows of several lengths
        numbers = np.array(None)
    if numbers.dtype.kind not in "iuf" or not np.isfinite(numbers).all():
        raise ValueError(f"{where}: expected finite numbers as {key!r}, got {values!r:.60}.")
    return numbers.astype(np.float64)


def _number(value: Any, key: str, where: str, *, lowest: float = -math.inf, highest: float = math.inf) -> float:
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.nan
    if not (math.isfinite(number) and lowest <= number <= highest):
        limits = "" if lowest == -math.inf else f" from {lowest:g}" + f" to {highest:g}" * (highest < math.inf)
        raise ValueError(f"{where}: expected a number{limits} as {key!r}, got {value!r:.40}.")
    return number


def _whole(value: Any, key: str, where: str, *, lowest: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
        raise ValueError(f"{where}: expected a whole number from {lowest} as {key!r}, got {value!r:.40}.")
    return value


def _word(value: Any, key: str, words: Sequence[str], where: str) -> Any:
    if value not in words:
        raise ValueError(f"{where}: expected one of {', '.join(words)} as {key!r}, got {value!r:.40}.")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
