"""Video at the level of packets and frames (PyAV), for the sources of files and streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from lanenet_sad.inference.source import FrameSelection
from lanenet_sad.lanes.lane import Image

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"}
)
# Packets from one key frame to the next that are held while the start is looked for; beyond, all are decoded.
_MAX_HELD_PACKETS = 1000


@dataclass
class Tally:
    """What happened while a video was decoded.

    Attributes:
        packets: packets seen.
        lost: packets that the decoder gave up on.
        mended: frames that it had to mend.
        ticks: time stamps of all packets seen until the start was found, in the stream's time base.
        is_looking: whether a start is still looked for.
        is_complete: whether the end of the wanted part was reached.
        latest: time of the latest frame that was decoded, in seconds.
    """

    packets: int = 0
    lost: int = 0
    mended: int = 0
    ticks: list[int] = field(default_factory=list)
    is_looking: bool = False
    is_complete: bool = False
    latest: float = 0.0

    def note(self, packet: av.Packet[av.VideoStream]) -> None:
        """Count a packet, and keep its time stamp if a start is looked for."""
        # The last packet has no content: it only flushes the decoder.
        self.packets += bool(packet.size or packet.dts is not None)
        if self.is_looking and packet.pts is not None and not packet.is_discard:
            self.ticks.append(packet.pts)


class NumberedFrame(NamedTuple):
    """A decoded frame with its number in the video, from 0, and its seconds since the first one."""

    number: int
    time: float
    frame: av.VideoFrame


class FrameConverter:
    """Decoded frames -> upright RGB pictures of the wanted size, converted and scaled in one pass of libswscale."""

    def __init__(self, selection: FrameSelection) -> None:
        self.selection = selection
        self._reformatter = VideoReformatter()  # kept, because it sets itself up anew for every size

    def __call__(self, frame: av.VideoFrame) -> Image:
        """A frame as (H, W, 3) RGB, turned as the display matrix of the file asks (phones write one)."""
        size = (frame.height, frame.width)
        if is_turned(frame):
            width, height = self.selection.fit((frame.width, frame.height))
        else:
            height, width = self.selection.fit(size)
        # Area averaging is the one that neither aliases thin lines nor costs much.
        method = None if (height, width) == size else "AREA"
        rgb = self._reformatter.reformat(frame, width=width, height=height, format="rgb24", interpolation=method)
        return np.ascontiguousarray(np.rot90(rgb.to_ndarray(), round(frame.rotation / 90) % 4), dtype=np.uint8)


def open_video(file: str) -> av.container.InputContainer:
    """Open a video file for reading; its first video stream decodes on several threads.

    Raises:
        ValueError: if it has no video stream, or none that this PyAV build can decode.
        av.FFmpegError: if it is no media file.
    """
    if Path(file).stat().st_size == 0:
        raise ValueError(f"{file}: not a readable video: the file is empty.")
    # An absolute name, and no protocol but files: a playlist that calls itself .mp4 must not reach into the network.
    container = av.open(str(Path(file).absolute()), options={"protocol_whitelist": "file"})
    if reason := reason_without_pictures(container):
        container.close()
        raise ValueError(f"{file}: not a readable video: {reason}.")
    container.streams.video[0].thread_type = "AUTO"
    return container


def reason_without_pictures(container: av.container.InputContainer) -> str:
    """Why an opened file or stream gives no pictures; empty if it does."""
    if not container.streams.video:
        return "it has no video stream"
    if getattr(container.streams.video[0], "codec_context", None) is None:
        return "this PyAV build has no decoder for it"
    return ""


def decode(
    container: av.container.InputContainer, stream: av.VideoStream, tally: Tally, *, start: float = 0.0
) -> Iterator[av.VideoFrame]:
    """All frames that can be decoded; counts packets, and those the decoder gave up on or had to mend.

    With a `start` in seconds, decoding begins at the last key frame before it; packets in front of it are read and
    counted only. So frames before the start come too, but few.
    """
    packets: Iterable[av.Packet[av.VideoStream]] = container.demux(stream)
    if start > 0 and stream.time_base is not None:
        tally.is_looking = True
        # time stamps have 64 bits
        packets = _from_key_frame(packets, round(min(start / float(stream.time_base), 2.0**63)), tally)
    for packet in packets:
        tally.note(packet)
        try:
            frames = stream.decode(packet)
        except av.FFmpegError:
            tally.lost += 1
            continue
        yield from frames


def decode_numbered(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    tally: Tally,
    *,
    fps: float,
    selection: FrameSelection,
) -> Iterator[NumberedFrame]:
    """The selected frames with their numbers and times in the whole video.

    A video whose frames have no time stamps has `fps` frames a second.
    """
    beginning: float | None = None  # time stamp of the video's first frame
    index = first = -1
    for frame in decode(container, stream, tally, start=selection.start):
        moment = max(index + 1, 0) / fps if frame.time is None else frame.time
        if beginning is None:
            beginning = moment
            if tally.ticks and stream.time_base is not None:
                beginning = float(min(tally.ticks) * stream.time_base)
        index += 1
        time = moment - beginning
        if selection.is_before(time):
            continue
        if first < 0:
            if tally.ticks and frame.pts is not None:
                index = sum(ticks < frame.pts for ticks in tally.ticks)
            tally.is_looking = False
            first = index
        if selection.is_over(time):
            tally.is_complete = True
            return
        tally.latest = time
        if (index - first) % selection.every == 0:
            tally.mended += frame.is_corrupt
            yield NumberedFrame(index, time, frame)


def is_turned(frame: av.VideoFrame) -> bool:
    """Whether a frame stands on its side until it is turned by a quarter."""
    return round(frame.rotation / 90) % 2 == 1


def pixel_aspect_of(stream: av.VideoStream, *, turned: bool) -> Fraction:
    """Width of a pixel by its height, 1 where the file does not say; `turned` by a quarter, it is the inverse."""
    aspect = stream.sample_aspect_ratio
    if not aspect or aspect < 0:
        return Fraction(1)
    return 1 / Fraction(aspect) if turned else Fraction(aspect)


def duration(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    """Seconds of a video; None if the file does not say."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def reason_of(error: Exception) -> str:
    """The bare reason of an error, without code and file name."""
    return getattr(error, "strerror", None) or str(error)


def _from_key_frame(
    packets: Iterable[av.Packet[av.VideoStream]], start: int, tally: Tally
) -> Iterator[av.Packet[av.VideoStream]]:
    """The packets from the last key frame on that is at most `start` ticks after the first packet."""
    held: list[av.Packet[av.VideoStream]] = []
    beginning: int | None = None
    packets = iter(packets)
    for packet in packets:
        held.append(packet)
        if packet.pts is None:
            break  # the end, or a file without time stamps: decode what is held, and all that follows
        beginning = packet.pts if beginning is None else beginning
        if packet.is_keyframe and packet.pts - beginning <= start:
            for passed in held[:-1]:
                tally.note(passed)
            held = [packet]
        elif packet.pts - beginning > start or len(held) > _MAX_HELD_PACKETS:
            # The one after a key frame is waited for, because frames that are shown before that key frame lie between.
            break
    yield from held
    yield from packets
