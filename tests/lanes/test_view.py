import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanenet_sad.lanes.view import InputView, extract_view

CULANE = InputView((288, 800), aspect=1640 / 590)


@pytest.mark.parametrize(
    ("view", "image_size", "top", "height"),
    [
        pytest.param(CULANE, (590, 1640), 0, 590, id="culane-whole-frame"),
        pytest.param(InputView((208, 976), 1640 / 350), (590, 1640), 240, 350, id="official-crop-of-240-rows"),
        pytest.param(CULANE, (720, 1280), 260, 460, id="16:9-loses-its-top"),
        pytest.param(CULANE, (768, 480), 595, 173, id="portrait"),
        pytest.param(CULANE, (100, 800), -188, 288, id="wider-is-padded-at-the-top"),
        pytest.param(InputView((288, 800), 2.78, crop_top=0.25), (720, 1280), 180, 540, id="crop-top"),
    ],
)
def test_the_rectangle_is_the_full_width_down_to_the_bottom(view, image_size, top, height):
    placement = view.place(image_size)
    assert (placement.top, placement.height, placement.width) == (top, height, image_size[1])
    assert placement.top + placement.height == image_size[0]


@given(
    st.tuples(st.integers(20, 2000), st.integers(20, 2000)),
    st.floats(0.5, 6),
    st.lists(st.tuples(st.floats(-500, 3000), st.floats(-500, 3000)), max_size=5),
)
def test_to_the_input_and_back_is_the_same_point(image_size, aspect, points):
    placement = InputView((288, 800), aspect).place(image_size)
    there = np.array(points, dtype=float).reshape(-1, 2)
    np.testing.assert_allclose(placement.to_image(placement.to_input(there)), there, atol=1e-6)


def test_pixel_centres_stay_pixel_centres():
    placement = InputView((8, 16), 2.0).place((16, 32))
    np.testing.assert_allclose(placement.to_input(np.array([[0.5, 0.5]])), [[0.0, 0.0]])


def test_extracted_view_shows_what_to_input_says():
    image = np.zeros((720, 1280, 3), np.uint8)
    image[600:612, 300:312] = 255
    placement = CULANE.place((720, 1280))
    cut = extract_view(image, placement)
    row, column = np.argwhere(cut[..., 0] > 200).mean(axis=0)
    assert cut.shape == (288, 800, 3)
    np.testing.assert_allclose([column, row], placement.to_input(np.array([[305.5, 605.5]]))[0], atol=0.6)


def test_rows_above_the_picture_are_black():
    cut = extract_view(np.full((100, 800, 3), 200, np.uint8), CULANE.place((100, 800)))
    assert cut[:180].max() == 0
    assert cut[195:].min() == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(((290, 800), 2.0), "multiples of 8; the next fitting size is 296x800", id="no-multiple-of-8"),
        pytest.param(((288, 800), 0.0), "aspect", id="no-aspect"),
        pytest.param(((288, 800), 2.0, 1.0), "crop_top", id="everything-cut-off"),
    ],
)
def test_what_cannot_be_a_view_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        InputView(*arguments)
