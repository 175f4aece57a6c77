"""From a video that was written in fragments to one with its index at the front."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""FFmpeg's names of the formats that videos are written in, by file extension."""

_LOCAL = {"protocol_whitelist": "file"}


def with_index_in_front(unfinished: Path, finished: Path) -> None:
    """Copy the packets of a fragmented .mp4 or .mov into one that a browser can start, and seek in, at once.

    Raises:
        av.FFmpegError, OSError: if it cannot be read or the copy not be written, as on a full disk.
    """
    container_format, count = CONTAINERS[finished.suffix.lower()], 0
    with (
        av.open(str(unfinished.absolute()), options=_LOCAL) as old,
        av.open(str(finished.absolute()), "w", format=container_format, options={"movflags": "+faststart"}) as new,
    ):
        template = old.streams.video[0]
        stream = new.add_stream_from_template(template, opaque=True)
        for packet in old.demux(template):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
                count += 1
    # The fragments go after this, and an error while a file is closed is not always told.
    if not is_there_whole(finished, count):
        raise OSError("the disk did not take all of it")


def is_there_whole(path: Path, count: int) -> bool:
    """Whether a .mp4 or .mov has an index of `count` pictures and is as long as it says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        ends = dict(_boxes(file, size))
    if b"moov" not in ends or max(ends.values()) != size:
        return False
    with av.open(str(path.absolute()), options=_LOCAL) as container:
        return container.streams.video[0].frames == count


def cut_to_whole_fragments(path: Path) -> None:
    """Cut off the fragment at the end of a .mp4 or .mov that is not there whole.

    Players that read over the end of a file stop there with an error, some of them before its last pictures.
    """
    size, whole = path.stat().st_size, 0
    with path.open("r+b") as file:
        for kind, end in _boxes(file, size):
            if kind != b"moof" and end <= size:  # a moof only says what is in the mdat behind it
                whole = end
        file.truncate(whole)


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Kind and end of the boxes that a .mp4 or .mov of `size` bytes is made of; the last may end behind the file."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:  # a box of more than 4 GB has its length behind its kind
            length = int.from_bytes(head[8:16], "big")
        if length < 8:
            return
        position += length
        yield kind, position


def count_pictures(path: Path) -> int:
    """How many pictures a video file has, without decoding them; 0 if there is no such file."""
    count = 0
    try:
        with av.open(str(path.absolute()), options=_LOCAL) as container:
            for packet in container.demux(video=0):
                count += packet.size > 0
    except (OSError, IndexError, av.FFmpegError):
        pass  # what comes before the damage plays
    return count
