import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from factories import GREEN, RED, has_color, make_corner_picture

from lanenet_sad.inference.image_files import natural_key
from lanenet_sad.lanes.images import read_image as read_stored_image
from lanenet_sad.lanes.lane import Image


def read_image(path: Path) -> Image:
    return read_stored_image(path, upright=True)


def write_jpeg_with_thumbnail(path: Path) -> bytes:
    """A JPEG whose header holds a whole small JPEG, as cameras write it."""
    thumbnail = cv2.imencode(".jpg", make_corner_picture(8, 8))[1].tobytes()
    picture = cv2.imencode(".jpg", make_corner_picture())[1].tobytes()
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    content = picture[:2] + segment + picture[2:]
    path.write_bytes(content)
    return content


def write_turned_jpeg(path: Path, orientation: int) -> None:
    """A JPEG with an EXIF block that holds nothing but the orientation."""
    picture = cv2.imencode(".jpg", make_corner_picture()[..., ::-1])[1].tobytes()
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    segment = b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff
    path.write_bytes(picture[:2] + segment + picture[2:])


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.full((6, 8), 77, np.uint8), (77, 77, 77)),
        (np.full((6, 8), 77 * 256 + 9, np.uint16), (77, 77, 77)),
        (np.full((6, 8, 3), (10 * 256, 20 * 256, 30 * 256), np.uint16), (30, 20, 10)),
        (np.full((6, 8, 4), (10, 20, 30, 128), np.uint8), (30, 20, 10)),
    ],
    ids=["grey", "grey-16-bit", "colour-16-bit", "alpha"],
)
def test_any_png_becomes_rgb(tmp_path: Path, pixels: np.ndarray, expected: tuple[int, int, int]) -> None:
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    image = read_image(tmp_path / "a.png")
    assert (image.shape, image.dtype) == ((6, 8, 3), np.uint8)
    assert np.array_equal(image, np.broadcast_to(np.array(expected, np.uint8), (6, 8, 3)))


@pytest.mark.parametrize(
    ("orientation", "shape", "green"),
    [(1, (24, 40), (0.2, 0.2)), (3, (24, 40), (0.8, 0.8)), (6, (40, 24), (0.8, 0.2)), (8, (40, 24), (0.2, 0.8))],
    ids=["upright", "upside-down", "right", "left"],
)
def test_photos_are_turned_upright(
    tmp_path: Path, orientation: int, shape: tuple[int, int], green: tuple[float, float]
) -> None:
    write_turned_jpeg(tmp_path / "a.jpg", orientation)
    image = read_image(tmp_path / "a.jpg")
    assert image.shape[:2] == shape
    assert has_color(image, *green, GREEN)
    assert has_color(image, 1 - green[0], 1 - green[1], RED)


def break_jpeg(path: Path) -> None:
    content = write_jpeg_with_thumbnail(path)
    path.write_bytes(content[: len(content) - 200])


def break_png(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    path.write_bytes(cv2.imencode(".png", noise)[1].tobytes()[:2000])


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("b.jpg", break_jpeg, "cut off or broken after"),
        ("b.jpg", lambda path: path.write_bytes(b"\xff\xd8"), "cut off"),
        ("b.png", break_png, "cut off"),
        ("b.jpg", lambda path: path.write_bytes(b""), "got an empty file"),
        ("b.bmp", lambda path: path.write_text("hello"), "a broken file or none of these"),
        ("b.png", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 50 + b"IEND"), "cut off or broken"),
    ],
    ids=["cut-jpeg", "bare-jpeg", "cut-png", "empty", "text", "zeros"],
)
def test_broken_images_are_refused(tmp_path: Path, name: str, spoil: Callable[[Path], object], message: str) -> None:
    spoil(tmp_path / name)
    with pytest.raises(ValueError, match=message) as caught:
        read_image(tmp_path / name)
    assert str(caught.value).startswith(f"Image {tmp_path / name}: ")


def test_jpeg_with_thumbnail_is_whole(tmp_path: Path) -> None:
    write_jpeg_with_thumbnail(tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg").shape == (24, 40, 3)


def test_natural_key_orders_any_names() -> None:
    names = ["a", "a1", "a01", "A1", "a10", "a2", "1", "01", "10", "2", "", "a/9", "a/10", "٣", "²"]
    ordered = sorted((Path(name) for name in names), key=natural_key)
    assert ordered.index(Path("a2")) < ordered.index(Path("a10"))
    assert ordered.index(Path("2")) < ordered.index(Path("10"))
    assert ordered.index(Path("a/9")) < ordered.index(Path("a/10"))
    names_backward = [Path(name) for name in reversed(names)]
    assert ordered == sorted(names_backward, key=natural_key)
