from pathlib import Path

import cv2
import numpy as np
import pytest
from factories import make_picture, write_picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.images import image_size, read_image, read_lane_mask, resize_mask

SUFFIXES = [".jpg", ".png", ".bmp"]


def jpeg_bytes(size: tuple[int, int] = (48, 64)) -> bytes:
    return cv2.imencode(".jpg", make_picture(size))[1].tobytes()


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def exif(orientation: int) -> bytes:
    """An EXIF segment that says how to turn the picture."""
    entry = (0x0112).to_bytes(2, "big") + (3).to_bytes(2, "big") + (1).to_bytes(4, "big")
    entry += orientation.to_bytes(2, "big") + b"\0\0"
    return segment(0xE1, b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01" + entry + b"\0\0\0\0")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_size_equals_the_decoded_size(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_picture(path, make_picture((37, 53)))
    assert image_size(path) == read_image(path).shape[:2] == (37, 53)


def test_size_behind_a_long_header(tmp_path: Path) -> None:
    data = jpeg_bytes()
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:2] + segment(0xE2, b"x" * 65000) * 2 + b"\xff" + data[2:])
    assert image_size(path) == read_image(path).shape[:2] == (48, 64)


def test_damaged_png_chunk_does_not_take_the_memory_that_it_asks_for(tmp_path: Path) -> None:
    data = bytearray(cv2.imencode(".png", make_picture((8, 16)))[1].tobytes())
    data[33:37] = (0x70000000).to_bytes(4, "big")  # the length of the chunk behind the header
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"Image {path}: the file is cut off or broken"):
        read_image(path)


def test_picture_is_rgb(tmp_path: Path) -> None:
    red = np.zeros((8, 8, 3), dtype=np.uint8)
    red[..., 0] = 200
    write_picture(tmp_path / "a.png", red)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), red)


def test_exif_orientation_does_not_turn_the_picture_against_its_labels(tmp_path: Path) -> None:
    data = jpeg_bytes()
    path = tmp_path / "phone.jpg"
    path.write_bytes(data[:2] + exif(6) + data[2:])
    turned = cv2.imread(str(path))
    assert turned is not None
    assert turned.shape[:2] == (64, 48)  # OpenCV's own habit, so the segment is understood
    assert image_size(path) == read_image(path).shape[:2] == (48, 64)
    assert read_image(path, min_size=(20, 20)).shape[:2] == (24, 32)


@pytest.mark.parametrize(
    ("size", "min_size", "decoded"),
    [
        pytest.param((160, 320), (80, 160), (80, 160), id="half"),
        pytest.param((160, 320), (81, 160), (160, 320), id="half-is-too-low"),
        pytest.param((160, 320), (40, 81), (80, 160), id="quarter-is-too-narrow"),
        pytest.param((160, 320), (10, 10), (20, 40), id="eighth"),
        pytest.param((164, 320), (10, 10), (41, 80), id="eighth-leaves-a-rest"),
        pytest.param((161, 320), (10, 10), (161, 320), id="odd"),
        pytest.param((160, 320), None, (160, 320), id="full"),
    ],
)
def test_reduced_size(
    tmp_path: Path, size: tuple[int, int], min_size: tuple[int, int] | None, decoded: tuple[int, int]
) -> None:
    write_picture(tmp_path / "a.jpg", make_picture(size))
    assert read_image(tmp_path / "a.jpg", min_size=min_size).shape[:2] == decoded


@pytest.mark.parametrize("divisor", [2, 4, 8])
def test_reduced_decode_has_the_geometry_of_the_full_one(tmp_path: Path, divisor: int) -> None:
    write_picture(tmp_path / "a.jpg", make_picture((160, 320)))
    full = read_image(tmp_path / "a.jpg").astype(float)
    reduced = read_image(tmp_path / "a.jpg", min_size=(160 // divisor, 320 // divisor)).astype(float)
    blocks = full.reshape(160 // divisor, divisor, 320 // divisor, divisor, 3).mean(axis=(1, 3))
    difference = np.abs(reduced - blocks).mean()
    assert difference < 2
    assert difference < 0.5 * np.abs(reduced[:, 1:] - blocks[:, :-1]).mean()  # one pixel off would be seen


def test_png_is_decoded_in_full(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", make_picture((160, 320)))
    assert read_image(tmp_path / "a.png", min_size=(10, 10)).shape[:2] == (160, 320)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.95, 0.5, 0.02])
def test_cut_off_file(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"a{suffix}"
    write_picture(path, make_picture((48, 64)))
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(ValueError, match=rf"Image {path}: the file is cut off or broken after \d+ bytes"):
        read_image(path)


def test_thumbnail_does_not_hide_that_a_jpeg_is_cut_off(tmp_path: Path) -> None:
    data = jpeg_bytes()
    with_thumbnail = data[:2] + segment(0xE1, b"Exif\0\0" + jpeg_bytes((8, 8))) + data[2:]
    path = tmp_path / "a.jpg"
    path.write_bytes(with_thumbnail)
    assert read_image(path).shape == (48, 64, 3)
    path.write_bytes(with_thumbnail[:-40])
    with pytest.raises(ValueError, match="cut off"):
        read_image(path)


def test_data_behind_the_picture_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_bytes() + b"camera maker's own data" * 1000)
    assert read_image(path).shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "got an empty file", id="empty"),
        pytest.param(b"this is no picture", "expected a JPEG, PNG or other picture", id="text"),
    ],
)
def test_file_that_is_no_picture(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    for read in (read_image, image_size):
        with pytest.raises(ValueError, match=rf"Image {path}: .*{message}"):
            read(path)


def test_missing_picture_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"Image {tmp_path}/none.jpg: there is no such file"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(ValueError, match="got a folder"):
        read_image(tmp_path)


def shape_or_complaint(path: Path) -> tuple[tuple[int, ...], str]:
    try:
        return read_image(path).shape, ""
    except ValueError as error:
        return (), str(error)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 600), st.binary(min_size=1, max_size=8), st.sampled_from([".jpg", ".png"]))
def test_damaged_file_gives_a_picture_or_the_documented_error(
    tmp_path: Path, position: int, damage: bytes, suffix: str
) -> None:
    data = cv2.imencode(suffix, make_picture((8, 16)))[1].tobytes()
    position %= len(data)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data[:position] + damage + data[position + len(damage) :])
    shape, complaint = shape_or_complaint(path)
    assert complaint.startswith(f"Image {path}") != (len(shape) == 3)


@pytest.mark.parametrize("num_channels", [None, 3])
def test_mask_is_read_as_it_is(tmp_path: Path, num_channels: int | None) -> None:
    mask = np.array([[0, 1, 2], [3, 4, 255]], dtype=np.uint8)
    stored = mask if num_channels is None else np.repeat(mask[..., None], num_channels, axis=2)
    write_picture(tmp_path / "a.png", stored)
    np.testing.assert_array_equal(read_lane_mask(tmp_path / "a.png", (2, 3), 4), mask)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        pytest.param(np.zeros((3, 3), np.uint8), r"expected 2x3 pixels .* got 3x3\.$", id="size"),
        pytest.param(
            np.zeros((3, 2), np.uint8), r"expected 2x3 pixels .* got 3x2\. Has the image been turned", id="turned"
        ),
        pytest.param(np.full((2, 3), 5, np.uint8), r"expected values 0 to 4 or 255, got 5", id="value"),
        pytest.param(np.full((2, 3), 300, np.uint16), r"expected values 0 to 4 or 255, got 300", id="16-bit"),
        pytest.param(np.full((2, 3, 3), [1, 2, 3], np.uint8), r"expected a greyscale image", id="colour"),
    ],
)
def test_wrong_mask(tmp_path: Path, mask: np.ndarray, message: str) -> None:
    path = tmp_path / "mask.png"
    write_picture(path, mask)
    with pytest.raises(ValueError, match=rf"Lane mask {path}: {message}"):
        read_lane_mask(path, (2, 3), 4)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_resized_mask_is_not_shifted(factor: int) -> None:
    mask = np.zeros((8, 64), dtype=np.uint8)
    mask[:, 16:48] = 1  # symmetric, and on block borders
    small = resize_mask(mask, (8 // factor, 64 // factor))
    expected = mask[::factor, ::factor]
    np.testing.assert_array_equal(small, expected)
    stripes = np.tile(np.arange(64, dtype=np.uint8), (8, 1))
    picked = resize_mask(stripes, (1, 64 // factor))[0].astype(float)
    centres = np.arange(64 // factor) * factor + (factor - 1) / 2
    assert np.abs(picked - centres).max() <= 0.5
