"""Strays go, lines stay, and they reach the bottom of the picture."""

import numpy as np
import pytest

from lanenet_sad.postprocess.refine import drop_strays, run_to_bottom, run_to_horizon, seen_on_a_line

SIZE = (590, 1640)
ROWS = np.arange(589.0, 250.0, -10.0)


def curve(bend: float = 0.0) -> np.ndarray:
    share = (589 - ROWS) / 339
    return np.stack([400 + 350 * share + bend * share**3, ROWS], axis=1)


@pytest.mark.parametrize("bend", [0.0, 120.0, -250.0], ids=["straight", "right", "left"])
def test_a_smooth_line_keeps_every_point(bend):
    assert drop_strays(curve(bend), SIZE[1]).tolist() == curve(bend).tolist()


@pytest.mark.parametrize("bad", [[33, 32, 31, 30], [0, 1], [10, 17, 25]], ids=["far-end", "near-end", "between"])
def test_points_on_another_line_go_and_the_others_stay(bad):
    points = curve(60.0)
    points[bad, 0] += 200
    kept = drop_strays(points, SIZE[1])
    assert kept.tolist() == np.delete(points, bad, axis=0).tolist()


def test_noise_that_is_no_line_gives_none():
    scattered = np.stack([np.random.default_rng(3).uniform(0, 1640, len(ROWS)), ROWS], axis=1)
    assert len(drop_strays(scattered, SIZE[1])) == 0


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_points_to_tell_are_left_alone(count):
    points = curve()[:count]
    assert drop_strays(points, SIZE[1]) is points


def test_lines_of_a_picture_are_judged_each_for_itself():
    lines = [curve(60.0), curve()[:3], curve(-90.0)[20:26], curve(30.0)[5:13], curve()[:0]]
    lines[0][[3, 17, 33], 0] += 200
    lines[2][2, 0] -= 300
    together = seen_on_a_line(lines, SIZE[1])
    assert [flags.tolist() for flags in together] == [seen_on_a_line([line], SIZE[1])[0].tolist() for line in lines]
    assert [int((~flags).sum()) for flags in together] == [3, 0, 1, 0, 0]


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_what_lies_off_is_what_lies_off_the_fit_of_numpy(degree):
    """The same weights, fitted one lane after the other by another solver."""
    points = curve(80.0)[: {1: 5, 2: 9, 3: 34}[degree]]
    points[:, 0] += np.random.default_rng(degree).normal(0, 22, len(points))
    weights = np.ones(len(points))
    for power in (1,) * 6 + (2,) * 6 + (3,) * 8:
        fit = np.polynomial.Polynomial.fit(points[:, 1], points[:, 0], min(power, degree), w=np.sqrt(weights))
        off = np.abs(points[:, 0] - fit(points[:, 1]))
        weights = np.maximum(1 / (1 + (off / (0.012 * SIZE[1])) ** 2), 1e-4)
    (kept,) = seen_on_a_line([points], SIZE[1])
    assert kept.tolist() == (off < 2.5 * 0.012 * SIZE[1]).tolist()
    assert degree < 3 or not kept.all()


def test_a_line_runs_on_to_the_bottom_row():
    whole = curve()
    longer = run_to_bottom(whole[8:], ROWS, SIZE, 590)
    np.testing.assert_allclose(longer, whole, atol=1e-6)


def test_it_ends_at_the_side_of_the_picture():
    steep = np.stack([150 + 2.0 * (450 - ROWS), ROWS], axis=1)[14:]
    longer = run_to_bottom(steep, ROWS, SIZE, 590)
    assert 0 <= longer[0, 0] < 20
    assert len(steep) < len(longer) < len(ROWS)


@pytest.mark.parametrize("first", [0, 33], ids=["there-already", "one-far-point"])
def test_nothing_is_added(first):
    points = curve()[first:]
    assert run_to_bottom(points, ROWS, SIZE, 590) is points


def test_a_line_that_begins_far_away_stays_there():
    assert run_to_bottom(curve()[31:], ROWS, SIZE, 590).tolist() == curve()[31:].tolist()


def towards(vanishing: tuple[float, float], bottom_x: float, top: float) -> np.ndarray:
    """A straight line from the bottom of a 720x1280 picture towards a vanishing point, up to the row `top`."""
    rows = np.arange(719.0, top, -8.0)
    share = (719 - rows) / (719 - vanishing[1])
    return np.stack([bottom_x + share * (vanishing[0] - bottom_x), rows], axis=1)


def test_lines_that_the_view_cuts_run_on_towards_the_vanishing_point():
    cut = [towards((640, 100), x, 260) for x in (100, 1100)]
    whole = [towards((640, 100), x, 100 + 0.12 * 619) for x in (100, 1100)]
    rows = np.arange(719.0, 0.0, -8.0)
    longer = run_to_horizon(cut, rows[rows <= 260], (720, 1280), 260)
    for found, expected in zip(longer, whole, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    "lines",
    [
        [towards((640, 100), 100, 260)],
        [towards((640, 100), 100, 400), towards((640, 100), 1100, 400)],
        [towards((640, 600), 100, 610), towards((640, 600), 1100, 610)],
        [towards((640, -1e7), 600, 260), towards((640, -1e7), 680, 260)],
        [towards((640, 100), 100, 260)[:3], towards((640, 100), 1100, 260)],
    ],
    ids=["one-line", "ends-before", "meets-below", "parallel", "too-short"],
)
def test_lines_without_a_reason_to_go_on_stay(lines):
    rows = np.arange(260.0, 0.0, -8.0)
    same = run_to_horizon(lines, rows, (720, 1280), 260)
    assert [points.tolist() for points in same] == [points.tolist() for points in lines]
