"""What a run found and how fast it was: `summary.json`, and a few lines to print (see docs/outputs.md)."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import TypeVar

import lanenet_sad
from lanenet_sad.inference.lanes_jsonl import describe_driving_event
from lanenet_sad.lanes.driving import DrivingEvent
from lanenet_sad.lanes.files import replacing
from lanenet_sad.lanes.lane import Frame, LanePrediction
from lanenet_sad.lanes.perspective import CameraCalibration
from lanenet_sad.lanes.slots import ego_slots

SUMMARY_VERSION = 1
"""Of the keys in `summary.json`."""

_T = TypeVar("_T")
_SHOWN = 10  # sources, events or faults are printed; the file has all
_PACKAGES = ("torch", "numpy", "opencv-python-headless", "opencv-python", "av")


@dataclass(frozen=True)
class SourceSummary:
    """What became of one source.

    Attributes:
        source: as its frames name it; several pictures go by the name that the run gives them.
        frames: that were read and worked on.
        frames_with_lanes: of them, with one lane line or more.
        frames_with_own_lane: of them, with both lines of the own lane.
        lanes: lane lines in all frames together.
        mean_confidence: of all these; None without any.
        tracks: different lane lines that were followed; 0 where lanes have no identity.
        events: in the order of their beginning, each once, as it was last told.
        faults: one sentence for each frame or file that could not be read.
        dropped_frames: that a live source had and the run was too slow for.
        seconds: from the first frame asked for to the last one written.
        stages: seconds that each stage was busy; stages overlap, so their sum may be more than `seconds`.
        finished: whether it was read to its end; not after Ctrl-C or a full disk.
        camera: with which its road was measured, as it was known at the end; None without one.
        assumed_lane_width: metres on which all others rest, where the camera's height is not known.
    """

    source: str
    frames: int
    frames_with_lanes: int
    frames_with_own_lane: int
    lanes: int
    mean_confidence: float | None
    tracks: int
    events: tuple[DrivingEvent, ...] = ()
    faults: tuple[str, ...] = ()
    dropped_frames: int = 0
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    finished: bool = True
    camera: CameraCalibration | None = None
    assumed_lane_width: float | None = None

    @property
    def detection_rate(self) -> float | None:
        """Share of the frames with both lines of the own lane; None without a frame."""
        return self.frames_with_own_lane / self.frames if self.frames else None

    @property
    def fps(self) -> float | None:
        """Frames per second from end to end; None if the time is not known."""
        return self.frames / self.seconds if self.seconds > 0 else None

    def __str__(self) -> str:
        lines = [_headline(self.source, self), *_stage_line(self)]
        lines += _some(self.events, lambda event: f"{describe_event(event)}{_details(event)}", "events")
        lines += _some(self.faults, str, "faults")
        return "\n  ".join(lines)


class SummaryBuilder:
    """Counts while a source is worked through; memory grows with events and tracks alone."""

    def __init__(self, source: str, *, num_lanes: int = 4) -> None:
        """Begin a source.

        Args:
            source: its name in the summary.
            num_lanes: L of the network, which says which slots are the lines of the own lane.
        """
        self.source = source
        self.num_frames = self.num_lanes = 0
        self._own_slots = ego_slots(num_lanes)
        self._frames_with_lanes = self._frames_with_own_lane = 0
        self._confidence = 0.0
        self._tracks: set[int] = set()
        self._events: dict[tuple[str, str, float], DrivingEvent] = {}

    def add(self, frame: Frame, prediction: LanePrediction) -> None:
        """Count one frame."""
        self.num_frames += 1
        self.num_lanes += len(prediction.lanes)
        self._frames_with_lanes += bool(prediction.lanes)
        slots = {lane.slot for lane in prediction.lanes}
        self._frames_with_own_lane += slots.issuperset(self._own_slots)
        self._confidence += sum(float(lane.confidence) for lane in prediction.lanes)
        self._tracks.update(lane.track_id for lane in prediction.lanes if lane.track_id is not None)
        self.add_events(prediction.events)

    def add_events(self, events: Iterable[DrivingEvent]) -> None:
        """Count what was told; an event that is told again is the same one."""
        for event in events:
            self._events[event.kind, event.side, event.start] = event

    def finish(
        self,
        *,
        seconds: float,
        stages: Mapping[str, float] | None = None,
        faults: Iterable[str] = (),
        dropped_frames: int = 0,
        finished: bool = True,
    ) -> SourceSummary:
        """The summary of what has been added.

        Args:
            seconds: that the source took from end to end.
            stages: seconds that each stage was busy, in the order of the work.
            faults: one sentence for each frame or file that could not be read.
            dropped_frames: that a live source had and the run was too slow for.
            finished: whether the source was read to its end.
        """
        return SourceSummary(
            source=self.source,
            frames=self.num_frames,
            frames_with_lanes=self._frames_with_lanes,
            frames_with_own_lane=self._frames_with_own_lane,
            lanes=self.num_lanes,
            mean_confidence=self._confidence / self.num_lanes if self.num_lanes else None,
            tracks=len(self._tracks),
            events=tuple(sorted(self._events.values(), key=lambda event: event.start)),
            faults=tuple(faults),
            dropped_frames=dropped_frames,
            seconds=seconds,
            stages=dict(stages or {}),
            finished=finished,
        )


def package_versions() -> dict[str, str]:
    """The versions that a run's figures depend on, and the machine's kind."""
    versions = {"lanenet_sad": lanenet_sad.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {**versions, "platform": platform.platform(), "cores": str(os.cpu_count())}


@dataclass(frozen=True)
class RunSummary:
    """What a run found in all its sources.

    Attributes:
        sources: in the order of the work.
        weights: name of the weight file.
        settings: with which the run was made, by name; values that JSON does not know are written as text.
        versions: of the programs.
    """

    sources: tuple[SourceSummary, ...]
    weights: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=package_versions)

    @property
    def total(self) -> SourceSummary:
        """All sources as one. Their seconds are added up; events and faults stand one source after the other."""
        lanes = sum(each.lanes for each in self.sources)
        names = dict.fromkeys(name for each in self.sources for name in each.stages)
        return SourceSummary(
            source=f"{len(self.sources)} sources",
            frames=sum(each.frames for each in self.sources),
            frames_with_lanes=sum(each.frames_with_lanes for each in self.sources),
            frames_with_own_lane=sum(each.frames_with_own_lane for each in self.sources),
            lanes=lanes,
            mean_confidence=sum((each.mean_confidence or 0) * each.lanes for each in self.sources) / lanes
            if lanes
            else None,
            tracks=sum(each.tracks for each in self.sources),
            events=tuple(event for each in self.sources for event in each.events),
            faults=tuple(fault for each in self.sources for fault in each.faults),
            dropped_frames=sum(each.dropped_frames for each in self.sources),
            seconds=sum(each.seconds for each in self.sources),
            stages={name: sum(each.stages.get(name, 0.0) for each in self.sources) for name in names},
            finished=all(each.finished for each in self.sources),
        )

    def as_json(self) -> dict[str, object]:
        """The object that `write` writes."""
        total = _describe(self.total)
        for key in ("source", "events", "faults", "camera"):
            del total[key]
        return {
            "version": SUMMARY_VERSION,
            "total": {**total, "events": len(self.total.events), "faults": len(self.total.faults)},
            "sources": [_describe(each) for each in self.sources],
            "weights": self.weights,
            "settings": dict(self.settings),
            "versions": dict(self.versions),
        }

    def write(self, path: Path) -> None:
        """Write `summary.json`.

        Raises:
            OSError: the folder cannot be written to.
        """
        text = json.dumps(self.as_json(), indent=2, ensure_ascii=False, default=str)
        with replacing(path) as temporary:
            temporary.write_bytes(f"{text}\n".encode("utf-8", "backslashreplace"))

    def __str__(self) -> str:
        """A few lines: all about a single source, or a line for each source and the total."""
        if len(self.sources) == 1:
            return str(self.sources[0])
        lines = [_headline(each.source, each) for each in self.sources[:_SHOWN]]
        if len(self.sources) > _SHOWN:
            lines.append(f"... and {len(self.sources) - _SHOWN} more")
        return "\n".join([*lines, str(self.total)])


def describe_event(event: DrivingEvent) -> str:
    """An event in words for a caption or a line: `lane change to the left`."""
    return f"{event.kind.replace('_', ' ')} to the {event.side}"


def _details(event: DrivingEvent) -> str:
    text = f" at {event.start:.1f} s"
    if event.kind == "departure":
        text += f", {event.duration:.1f} s long" if event.is_over else ", not over at the end"
    if event.minimum_distance is not None:
        side = "over the line" if event.minimum_distance < 0 else "from the line"
        text += f", {abs(event.minimum_distance):.2f} m {side}"
    return text


def _headline(name: str, source: SourceSummary) -> str:
    if source.detection_rate is None:
        return f"{name}: no frame" + _times(source)
    parts = [f"{name}: {source.frames} frames{_times(source)}", f"own lane in {source.detection_rate:.0%} of them"]
    lanes = f"{source.lanes} lanes" + (f" in {source.tracks} tracks" if source.tracks else "")
    if source.mean_confidence is not None:
        lanes += f" (mean confidence {source.mean_confidence:.2f})"
    parts.append(lanes)
    if source.dropped_frames:
        parts.append(f"{source.dropped_frames} frames dropped")
    return ", ".join(parts)


def _times(source: SourceSummary) -> str:
    return f" in {source.seconds:.1f} s" + (f" ({source.fps:.1f}/s)" if source.fps else "")


def _stage_line(source: SourceSummary) -> list[str]:
    stages = _describe_stages(source)
    if not stages:
        return []
    parts = [f"{name} {stage['mean_ms']:.1f} ms ({stage['share']:.0%})" for name, stage in stages.items()]
    return ["per frame: " + ", ".join(parts)]


def _some(values: Sequence[_T], describe: Callable[[_T], str], what: str) -> list[str]:
    lines = [describe(value) for value in values[:_SHOWN]]
    return lines + [f"... and {len(values) - _SHOWN} more {what}"] * (len(values) > _SHOWN)


def _describe(source: SourceSummary) -> dict[str, object]:
    described: dict[str, object] = {each.name: getattr(source, each.name) for each in fields(source)}
    del described["assumed_lane_width"]
    return {
        **described,
        "detection_rate": _rounded(source.detection_rate),
        "mean_confidence": _rounded(source.mean_confidence),
        "events": [describe_driving_event(event) for event in source.events],
        "faults": list(source.faults),
        "seconds": round(source.seconds, 3),
        "fps": _rounded(source.fps),
        "stages": _describe_stages(source),
        "camera": _describe_camera(source),
    }


def _describe_camera(source: SourceSummary) -> dict[str, object] | None:
    camera = source.camera
    if camera is None:
        return None
    names = ("pitch", "pitch_error", "yaw", "yaw_error", "height")
    numbers = {name: None if getattr(camera, name) is None else round(getattr(camera, name), 5) for name in names}
    about = {"scale": camera.scale, "assumed_lane_width": source.assumed_lane_width, "origin": camera.origin}
    return {**numbers, "focal": [round(length, 2) for length in camera.focal], **about}


def _describe_stages(source: SourceSummary) -> dict[str, dict[str, float]]:
    return {
        name: {
            "seconds": round(busy, 3),
            "mean_ms": round(1000 * busy / source.frames, 3) if source.frames else 0.0,
            "share": round(busy / source.seconds, 4) if source.seconds > 0 else 0.0,
        }
        for name, busy in source.stages.items()
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
