import numpy as np
import pytest
from road_factories import SIZE, board_corners, board_pose, draw_board, make_camera

from lanenet_sad.lanes.chessboard import find_corners, fit_lens

PATTERN, SQUARE = (7, 5), 0.03
BENT = (-0.25, 0.08, 0.001, -0.0005, 0.0)


def make_lens(distortion=BENT):
    return make_camera(focal=(500.0, 505.0), centre=(325.0, 176.0), distortion=distortion)


def corners_of(camera, count: int, noise: float = 0.02):
    rng = np.random.default_rng(0)
    boards = [board_corners(camera, PATTERN, SQUARE, number) for number in range(count)]
    return [board + rng.normal(0, noise, board.shape) for board in boards]


def test_corners_of_a_drawn_board_are_found_to_a_fraction_of_a_pixel():
    camera = make_lens()
    picture = draw_board(camera, PATTERN, SQUARE, board_pose(0))
    found, truth = find_corners(picture, PATTERN), board_corners(camera, PATTERN, SQUARE, 0)
    assert found is not None
    if np.linalg.norm(found[0] - truth[0]) > 20:  # counted from the other end, which is as good
        found = found[::-1]
    assert np.abs(found - truth).max() < 0.15


def test_no_board_in_a_picture():
    assert find_corners(np.full((90, 160, 3), 120, np.uint8), PATTERN) is None


@pytest.mark.parametrize(
    ("lens", "distortion"),
    [("standard", BENT), ("pinhole", ()), ("rational", BENT)],
    ids=["standard", "pinhole", "rational"],
)
def test_the_lens_is_found(lens, distortion):
    camera = make_lens(distortion)
    found = fit_lens(corners_of(camera, 12), SIZE, pattern=PATTERN, square_size=SQUARE, lens=lens)
    assert found.camera.focal == pytest.approx(camera.focal, rel=0.005)
    assert found.camera.centre == pytest.approx(camera.centre, abs=2)
    assert len(found.camera.distortion) == {"standard": 5, "pinhole": 0, "rational": 8}[lens]
    border = np.array([[0.0, 0.0], [639.0, 0.0], [0.0, 359.0], [639.0, 359.0]])
    assert found.camera.undistort(border) == pytest.approx(camera.undistort(border), abs=4)
    assert found.errors.max() < 0.05
    assert found.doubts == ()
    assert found.camera.pitch is None


def test_too_few_boards_are_refused():
    with pytest.raises(ValueError, match=r"in at least 3 pictures, found it in 2\. Count corners between squares"):
        fit_lens(corners_of(make_lens(), 2), SIZE, pattern=PATTERN, square_size=SQUARE)


def test_boards_in_one_place_and_boards_off_are_doubted():
    camera = make_lens()
    same = [board_corners(camera, PATTERN, SQUARE, 0) * 0.3 + 100 + shift for shift in (0.0, 0.5, 1.0)]
    doubts = fit_lens(same, SIZE, pattern=PATTERN, square_size=SQUARE, lens="pinhole").doubts
    assert any("all boards are in one place" in doubt for doubt in doubts)
    shaken = fit_lens(corners_of(camera, 8, noise=3), SIZE, pattern=PATTERN, square_size=SQUARE).doubts
    assert any("in the worst picture" in doubt for doubt in shaken)
