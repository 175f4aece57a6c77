"""Video files at the level of packets and frames (PyAV), for `sources`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from lanenet_sad.lanes.lane import Image

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"}
)


@dataclass
class Tally:
    """What happened while a video was decoded: packets seen, packets given up on, frames mended."""

    packets: int = 0
    lost: int = 0
    mended: int = 0


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
    if not container.streams.video:
        container.close()
        raise ValueError(f"{file}: not a readable video: it has no video stream.")
    stream = container.streams.video[0]
    if getattr(stream, "codec_context", None) is None:
        container.close()
        raise ValueError(f"{file}: not a readable video: this PyAV build has no decoder for it.")
    stream.thread_type = "AUTO"
    return container


def decode(container: av.container.InputContainer, stream: av.VideoStream, tally: Tally) -> Iterator[av.VideoFrame]:
    """All frames that can be decoded; counts packets, and those the decoder gave up on or had to mend."""
    for packet in container.demux(stream):
        tally.packets += bool(packet.size or packet.dts is not None)  # the last, empty one only flushes the decoder
        try:
            frames = stream.decode(packet)
        except av.FFmpegError:
            tally.lost += 1
            continue
        for frame in frames:
            tally.mended += frame.is_corrupt
            yield frame


def upright(frame: av.VideoFrame) -> Image:
    """A decoded frame as (H, W, 3) RGB, turned as the display matrix of the file asks (phones write one)."""
    image = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90) % 4), dtype=np.uint8)


def duration(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    """Seconds of a video; None if the file does not say."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def reason_of(error: Exception) -> str:
    """The bare reason of an error, without code and file name."""
    return getattr(error, "strerror", None) or str(error)
