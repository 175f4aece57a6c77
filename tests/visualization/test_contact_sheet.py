import numpy as np
import pytest

from lanenet_sad.lanes.lane import Image
from lanenet_sad.visualization import contact_sheet, stacked


def make_picture(level: int, size: tuple[int, int] = (20, 40)) -> Image:
    return np.full((*size, 3), level, np.uint8)


def test_pictures_stand_in_rows_left_to_right() -> None:
    sheet = contact_sheet([make_picture(level) for level in (60, 120, 180)], columns=2, cell_width=40)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (6 + 2 * 26, 2 * 46 + 6, 3)
    assert (sheet[6:26, 6:46] == 60).all()
    assert (sheet[6:26, 52:92] == 120).all()
    assert (sheet[32:52, 6:46] == 180).all()
    assert (sheet[32:52, 52:] == 18).all()


def test_captions_are_written_below_and_change_no_picture() -> None:
    images = [make_picture(90, (60, 200)), make_picture(90, (60, 200))]
    plain = contact_sheet(images, ["", ""], columns=2, cell_width=200)
    written = contact_sheet(images, ["night", "a very long caption " * 9], columns=2, cell_width=200)
    assert plain.shape == written.shape
    np.testing.assert_array_equal(plain[:66], written[:66])
    for left in (6, 212):
        assert written[66:, left : left + 200].max() > 200
    assert (written[66:, 206:212] == 18).all()


def test_any_sizes_fit_and_a_row_is_as_high_as_its_highest_picture() -> None:
    sheet = contact_sheet([make_picture(50, (10, 100)), make_picture(70, (300, 100))], columns=4, cell_width=50)
    assert sheet.shape == (6 + 150 + 6, 2 * 56 + 6, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": []}, "one picture or more"),
        ({"images": [make_picture(1)], "captions": ["a", "b"]}, "expected 1 captions"),
        ({"images": [make_picture(1)], "columns": 0}, "columns and cell_width of 1 or more, got 0 and 400"),
    ],
    ids=["none", "captions", "columns"],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        contact_sheet(**arguments)  # type: ignore[arg-type]


def test_stacked_pictures_keep_their_size_and_are_filled_up():
    wide, narrow = np.full((2, 5, 3), 7, np.uint8), np.full((3, 4, 3), 9, np.uint8)
    sheet = stacked([wide, narrow], background=255)
    assert sheet.shape == (5, 5, 3)
    assert (sheet[:2] == 7).all()
    assert (sheet[2:, :4] == 9).all()
    assert (sheet[2:, 4] == 255).all()
