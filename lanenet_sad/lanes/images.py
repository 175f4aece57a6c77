"""Image and mask files: their size without decoding, and decoding with every defect named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np

from lanenet_sad.lanes.lane import IGNORE_INDEX, Image, IntMask

# Labels are in the pixels that a file stores. OpenCV would turn pictures by their EXIF orientation; the official
# tools of the benchmarks read images without it, and so do we in datasets; people's own photos are turned upright.
_STORED = cv2.IMREAD_IGNORE_ORIENTATION
_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}

_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"
_JPEG_SCAN = 0xDA
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HEADER_BYTES = 1 << 16
_PROBED_BYTES = 1 << 14  # of a file's beginning; most headers are shorter
_TAIL_BYTES = 1 << 10


class ImageFile(NamedTuple):
    """What an image file says of itself without being decoded.

    Attributes:
        size: (height, width) as stored.
        fingerprint: of its length, its beginning and its end; copies of a file have the same, never 0.
    """

    size: tuple[int, int]
    fingerprint: int


def probe_image(path: str | Path) -> ImageFile:
    """The size of an image file, and whether it is all there; JPEG and PNG are not decoded, and hardly read.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is empty, no image or cut off.
    """
    path = Path(path)
    head, tail, num_bytes = _both_ends(path)
    if not head:
        raise _is_empty(path)
    if not _has_both_ends(head, tail) and _is_cut_off(_read_bytes(path)):
        raise _is_short(path, num_bytes)
    size = _size_in_header(head) or image_size(path)
    if not all(size):
        raise ValueError(f"Image {path}: expected a picture, got one of {size[0]}x{size[1]} pixels.")
    digest = blake2b(num_bytes.to_bytes(8, "big") + head + tail, digest_size=8).digest()
    return ImageFile(size, int.from_bytes(digest, "big") or 1)


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) of an image file as stored, from the header of JPEG and PNG files; others are decoded.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no image or cut off.
    """
    path = Path(path)
    size = _size_in_header(_read_bytes(path, _HEADER_BYTES))
    if size is None:
        size = _size_in_header(_read_bytes(path))
    if size is None:
        height, width = read_image(path).shape[:2]
        size = height, width
    return size


def read_image(path: str | Path, *, min_size: tuple[int, int] | None = None, upright: bool = False) -> Image:
    """A picture of any depth and channels as RGB: grey gets three equal channels, alpha is dropped, 16 bits become 8.

    Args:
        path: of the file.
        upright: turn it as its EXIF orientation says, as a viewer shows it. Off in datasets, since labels are in
            stored pixels.
        min_size: (height, width) that is enough. A JPEG is then decoded at a half, a quarter or an eighth of its
            size where the result is no smaller and the division leaves no rest, so that coordinates scale by
            exactly that factor.

    Returns:
        (H, W, 3) RGB uint8.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no image, cut off or broken.
    """
    path = Path(path)
    data = _read_bytes(path)
    flag = cv2.IMREAD_COLOR
    if min_size is not None and data.startswith(_JPEG_START):
        flag = _REDUCED.get(_reduction(_size_in_header(data), min_size), flag)
    bgr = _decode(data, flag if upright else flag | _STORED, path)
    return np.ascontiguousarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_lane_mask(path: str | Path, size: tuple[int, int], num_lanes: int) -> IntMask:
    """A label mask, checked against its image.

    Args:
        path: of a greyscale image whose values are lane slots.
        size: (height, width) of the image that it labels.
        num_lanes: L; values are 0..L or `IGNORE_INDEX`.

    Returns:
        (H, W) uint8.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the mask is broken, in colour, of another size, or has values that are no slot.
    """
    path = Path(path)
    mask = _decode(_read_bytes(path), cv2.IMREAD_UNCHANGED | _STORED, path)
    if mask.ndim == 3:
        if mask.shape[2] != 3 or (mask != mask[..., :1]).any():
            raise ValueError(f"Lane mask {path}: expected a greyscale image of slot numbers, got one in colour.")
        mask = mask[..., 0]
    if mask.shape != tuple(size):
        hint = " Has the image been turned by its EXIF orientation?" if mask.shape == (size[1], size[0]) else ""
        got, expected = (f"{height}x{width}" for height, width in (mask.shape, size))
        raise ValueError(
            f"Lane mask {path}: expected {expected} pixels (height x width) as its image, got {got}.{hint}"
        )
    if mask.max() > num_lanes:
        wrong = mask[(mask > num_lanes) & (mask != IGNORE_INDEX)]
        if wrong.size:
            raise ValueError(
                f"Lane mask {path}: expected values 0 to {num_lanes} or {IGNORE_INDEX}, got {wrong.max()}; "
                "check the number of lane slots."
            )
    return np.ascontiguousarray(mask, dtype=np.uint8)


def resize_mask(mask: IntMask, size: tuple[int, int]) -> IntMask:
    """A label mask at another size, (H, W) -> `size`, by the nearest pixel centre and without a shift."""
    if mask.shape == tuple(size):
        return mask
    return np.asarray(cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT), dtype=np.uint8)


def _is_empty(path: Path) -> ValueError:
    return ValueError(f"Image {path}: expected a picture, got an empty file.")


def _is_short(path: Path, num_bytes: int) -> ValueError:
    return ValueError(f"Image {path}: the file is cut off or broken after {num_bytes} bytes; copy it again.")


def _read_bytes(path: Path, limit: int = -1) -> bytes:
    with _opened(path) as file:
        return file.read(limit)


def _both_ends(path: Path) -> tuple[bytes, bytes, int]:
    """The beginning of a file, what of its end is not in that, and its length."""
    with _opened(path) as file:
        head = file.read(_PROBED_BYTES)
        num_bytes = os.fstat(file.fileno()).st_size
        file.seek(max(len(head), num_bytes - _TAIL_BYTES))
        return head, file.read(_TAIL_BYTES), num_bytes


def _has_both_ends(head: bytes, tail: bytes) -> bool:
    """Whether a JPEG or PNG has its end marker in its last bytes; False where only the whole file can tell."""
    end = (head + tail)[-_TAIL_BYTES:]
    if head.startswith(_PNG_START):
        return end.endswith(_PNG_END)
    if head.startswith(_JPEG_START):
        scan = dict(_jpeg_segments(head)).get(_JPEG_SCAN)
        return scan is not None and end.endswith(_JPEG_END)
    return False


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"Image {path}: there is no such file.") from error
    except IsADirectoryError as error:
        raise ValueError(f"Image {path}: expected an image file, got a folder.") from error
    except OSError as error:
        raise ValueError(f"Image {path}: cannot be read: {error.strerror}.") from error


def _decode(data: bytes, flag: int, path: Path) -> Image:
    """The picture as OpenCV gives it (BGR), or an error in words instead of None or half a picture."""
    if not data:
        raise _is_empty(path)
    if _is_cut_off(data):
        raise _is_short(path, len(data))
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise ValueError(f"Image {path}: expected a picture that OpenCV can read ({error.err}).") from error
    if image is None:
        raise ValueError(f"Image {path}: expected a JPEG, PNG or other picture, got a broken file or none of these.")
    return image  # type: ignore[return-value]


def _is_cut_off(data: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end marker, behind which some cameras append data of their own."""
    if data.startswith(_PNG_START):
        return not _has_all_png_chunks(data)
    if data.startswith(_JPEG_START):
        # Only behind the start of the scan: the thumbnail in a JPEG's header has an end marker as well.
        scan = dict(_jpeg_segments(data)).get(_JPEG_SCAN)
        return scan is None or data.rfind(_JPEG_END, scan) < 0
    return False


def _has_all_png_chunks(data: bytes) -> bool:
    """Whether the chunks lead to the end marker; OpenCV reserves whatever memory a damaged chunk length asks for."""
    position = len(_PNG_START)
    while position + 12 <= len(data):
        kind = data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[position : position + 4], "big")
        if kind == b"IEND":
            return position <= len(data)
    return False


def _size_in_header(data: bytes) -> tuple[int, int] | None:
    """(height, width) of a JPEG or PNG; None if these bytes do not tell."""
    if data.startswith(_PNG_START) and len(data) >= 24:
        return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    if data.startswith(_JPEG_START):
        for marker, start in _jpeg_segments(data):
            if marker in _JPEG_FRAMES and len(data) >= start + 9:
                size = (
                    int.from_bytes(data[start + 5 : start + 7], "big"),
                    int.from_bytes(data[start + 7 : start + 9], "big"),
                )
                return size if all(size) else None
    return None


def _jpeg_segments(data: bytes) -> list[tuple[int, int]]:
    """(marker, position) of a JPEG's header segments, up to and including the start of its first scan."""
    segments: list[tuple[int, int]] = []
    position = len(_JPEG_START)
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        segments.append((marker, position))
        if marker == _JPEG_SCAN:
            break
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return segments


def _reduction(size: tuple[int, int] | None, min_size: tuple[int, int]) -> int:
    """The largest divisor that OpenCV offers, leaves no rest and keeps at least `min_size`; 1 if there is none."""
    if size is None:
        return 1
    fits = (d for d in _REDUCED if all(n % d == 0 and n // d >= least for n, least in zip(size, min_size, strict=True)))
    return next(fits, 1)
