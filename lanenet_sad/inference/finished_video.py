"""From a video that was written in fragments to one with its index at the front."""

from __future__ import annotations

from pathlib import Path

import av

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""FFmpeg's names of the formats that videos are written in, by file extension."""


def with_index_in_front(unfinished: Path, finished: Path) -> None:
    """Copy the packets of a fragmented .mp4 or .mov into one that a browser can start, and seek in, at once.

    Raises:
        av.FFmpegError, OSError: if it cannot be read or the copy not be written, as on a full disk.
    """
    container_format = CONTAINERS[finished.suffix.lower()]
    with (
        av.open(str(unfinished.absolute()), options={"protocol_whitelist": "file"}) as old,
        av.open(str(finished.absolute()), "w", format=container_format, options={"movflags": "+faststart"}) as new,
    ):
        template = old.streams.video[0]
        stream = new.add_stream_from_template(template, opaque=True)
        for packet in old.demux(template):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)


def cut_to_whole_fragments(path: Path) -> None:
    """Cut off the fragment at the end of a .mp4 or .mov that is not there whole.

    Players that read over the end of a file stop there with an error, some of them before its last pictures.
    """
    size, position, whole = path.stat().st_size, 0, 0
    with path.open("r+b") as file:
        while position + 8 <= size:
            file.seek(position)
            head = file.read(16)
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if length == 1:  # a box of more than 4 GB has its length behind its kind
                length = int.from_bytes(head[8:16], "big")
            position += length
            if length < 8 or position > size:
                break
            if kind != b"moof":  # which only says what is in the mdat behind it
                whole = position
        file.truncate(whole)


def holds_pictures(path: Path) -> bool:
    """Whether a video file has at least one packet of pictures."""
    try:
        with av.open(str(path.absolute()), options={"protocol_whitelist": "file"}) as container:
            return any(packet.size for packet in container.demux(video=0))
    except (OSError, IndexError, av.FFmpegError):
        return False
