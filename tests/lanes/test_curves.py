import numpy as np
import pytest
from factories import distance_to_polyline
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lanenet_sad.lanes.curves import fit_polynomial, natural_spline, resample, sample_at_rows, thin

COORDINATES = st.floats(-500, 2500, width=32)
KNOTS = st.integers(3, 12).flatmap(lambda n: arrays(np.float64, (n, 2), elements=COORDINATES))


def rising_points(count: int, seed: int = 0) -> np.ndarray:
    """A lane from the bottom up, with a random walk in x."""
    rng = np.random.default_rng(seed)
    return np.stack([800 + np.cumsum(rng.normal(0, 20, count)), np.linspace(590, 250, count)], axis=1)


def dense_natural_spline(points: np.ndarray, samples: int) -> np.ndarray:
    """The natural spline by one dense linear system for all cubic coefficients, as an oracle."""
    spans = np.hypot(*np.diff(points, axis=0).T)
    n = len(spans)
    system, right = np.zeros((4 * n, 4 * n)), np.zeros((4 * n, 2))
    row = 0

    def powers(t: float, derivative: int) -> np.ndarray:
        return np.array([[1, t, t**2, t**3], [0, 1, 2 * t, 3 * t**2], [0, 0, 2, 6 * t]][derivative], dtype=float)

    for i, h in enumerate(spans):
        for t, value in ((0.0, points[i]), (h, points[i + 1])):
            system[row, 4 * i : 4 * i + 4], right[row] = powers(t, 0), value
            row += 1
    for i in range(n - 1):
        for derivative in (1, 2):
            system[row, 4 * i : 4 * i + 4] = powers(spans[i], derivative)
            system[row, 4 * i + 4 : 4 * i + 8] = -powers(0.0, derivative)
            row += 1
    system[row, :4], system[row + 1, -4:] = powers(0.0, 2), powers(spans[-1], 2)
    coefficients = np.linalg.solve(system, right).reshape(n, 4, 2)
    curve = [powers(h * k / samples, 0) @ coefficients[i] for i, h in enumerate(spans) for k in range(samples)]
    return np.array([*curve, points[-1]])


@pytest.mark.parametrize("count", [3, 4, 9, 30])
def test_spline_solves_the_natural_spline_equations(count: int) -> None:
    points = rising_points(count)
    np.testing.assert_allclose(natural_spline(points), dense_natural_spline(points, 50), rtol=0, atol=1e-3)


@given(KNOTS)
def test_spline_passes_through_its_knots(points: np.ndarray) -> None:
    distinct = points[np.r_[True, (np.diff(points, axis=0) != 0).any(axis=1)]]
    curve = natural_spline(points, 7)
    if len(distinct) < 3:
        np.testing.assert_array_equal(curve[[0, -1]], points[[0, -1]])
        return
    assert len(curve) == (len(distinct) - 1) * 7 + 1
    np.testing.assert_array_equal(curve[::7], distinct)


def test_spline_turned_round_is_the_same_curve() -> None:
    points = rising_points(8)
    np.testing.assert_allclose(natural_spline(points[::-1])[::-1], natural_spline(points), rtol=0, atol=1e-3)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_points_for_a_spline_come_back(count: int) -> None:
    points = rising_points(2)[:count].astype(np.float32)
    np.testing.assert_array_equal(natural_spline(points), points)


def test_points_that_are_all_equal_stay_one_spot() -> None:
    assert np.unique(natural_spline(np.full((5, 2), 7.0)), axis=0).tolist() == [[7.0, 7.0]]


@pytest.mark.parametrize("huge", [1e39, np.inf], ids=["beyond-single", "infinite"])
def test_absurd_coordinates_do_not_raise(huge: float) -> None:
    assert natural_spline([[1.0, 2.0], [huge, 3.0], [4.0, 5.0]]).shape == (101, 2)


@given(st.floats(-3, 3), st.floats(-1000, 1000), st.booleans())
def test_sampling_a_straight_line_is_exact(slope: float, offset: float, upwards: bool) -> None:
    y = np.array([700.0, 512.5, 400.0, 205.25])
    points = np.stack([slope * y + offset, y], axis=1)
    rows = np.array([205.25, 300.0, 512.5, 699.0, 700.0])
    sampled = sample_at_rows(points if upwards else points[::-1], rows)
    np.testing.assert_allclose(sampled, slope * rows + offset, rtol=1e-12, atol=1e-9)


@given(arrays(np.float64, 9, elements=st.floats(-1e6, 1e6)))
def test_sampling_at_own_rows_gives_own_points_exactly(x: np.ndarray) -> None:
    y = np.linspace(700, 240, 9)
    np.testing.assert_array_equal(sample_at_rows(np.stack([x, y], axis=1), y), x)


def test_rows_beyond_the_ends_have_no_point() -> None:
    sampled = sample_at_rows([[10.0, 500.0], [20.0, 400.0]], [501, 500, 450, 400, 399])
    np.testing.assert_array_equal(sampled, [np.nan, 10, 15, 20, np.nan])


@pytest.mark.parametrize(("points", "expected"), [([], np.nan), ([[7.0, 5.0]], 7.0)], ids=["no-point", "one-point"])
def test_sampling_hardly_any_points(points: list[list[float]], expected: float) -> None:
    np.testing.assert_array_equal(sample_at_rows(points, [5.0, 6.0]), [expected, np.nan])


@pytest.mark.parametrize("near_first", [True, False], ids=["near-to-far", "far-to-near"])
def test_of_several_crossings_the_nearest_along_the_lane_counts(near_first: bool) -> None:
    points = np.array([[0.0, 600.0], [100.0, 400.0], [200.0, 500.0], [300.0, 300.0]])
    sampled = sample_at_rows(points if near_first else points[::-1], [450.0, 350.0])
    np.testing.assert_allclose(sampled, [75.0, 275.0])


def test_level_parts_give_their_nearer_end() -> None:
    np.testing.assert_array_equal(sample_at_rows([[0.0, 500.0], [40.0, 500.0], [50.0, 400.0]], [500.0]), [0.0])


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_polynomial_of_its_own_degree_is_recovered(degree: int) -> None:
    y = np.linspace(250, 590, 12)
    x = 400 + sum(((y - 400) / 100) ** power for power in range(1, degree + 1)) + np.zeros(12)
    polynomial = fit_polynomial(np.stack([x, y], axis=1), degree)
    np.testing.assert_allclose(polynomial(y), x, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("count", "degree"), [(1, 0), (2, 1), (3, 2)])
def test_degree_is_lowered_to_what_the_rows_determine(count: int, degree: int) -> None:
    points = rising_points(count)
    polynomial = fit_polynomial(np.concatenate([points, points]), 5)
    assert polynomial.degree() == degree
    np.testing.assert_allclose(polynomial(points[:, 1]), points[:, 0], rtol=0, atol=1e-8)


@pytest.mark.parametrize(("degree", "expected"), [(0, 10.0), (1, 10.0)])
def test_points_of_no_weight_do_not_count(degree: int, expected: float) -> None:
    points = [[10.0, 100.0], [10.0, 200.0], [500.0, 300.0]]
    assert fit_polynomial(points, degree, weights=[1, 1, 0])(150.0) == pytest.approx(expected)


@pytest.mark.parametrize(("points", "degree"), [([], 2), ([[1.0, 2.0]], -1)], ids=["no-point", "degree"])
def test_impossible_fits_are_refused(points: list[list[float]], degree: int) -> None:
    with pytest.raises(ValueError, match=r"at least one point and a degree >= 0, got [01] points"):
        fit_polynomial(points, degree)


@given(st.integers(2, 40), st.integers(1, 10))
def test_resampling_keeps_ends_and_spaces_evenly(num_points: int, seed: int) -> None:
    y = np.cumsum(np.random.default_rng(seed).uniform(1, 50, 9))
    straight = np.stack([3 * y + 5, 4 * y / 3], axis=1)
    resampled = resample(straight, num_points)
    np.testing.assert_allclose(resampled[[0, -1]], straight[[0, -1]])
    steps = np.hypot(*np.diff(resampled, axis=0).T)
    np.testing.assert_allclose(steps, steps[0])


def test_resampling_follows_the_corners() -> None:
    resampled = resample([[0.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 4.0]], 5)
    np.testing.assert_allclose(resampled, [[0, 0], [2, 0], [4, 0], [4, 2], [4, 4]])


@pytest.mark.parametrize(("points", "shape"), [([], (0, 2)), ([[1.0, 2.0]], (3, 2))], ids=["no-point", "one-point"])
def test_resampling_hardly_any_points(points: list[list[float]], shape: tuple[int, int]) -> None:
    assert resample(points, 3).shape == shape


def test_resampling_needs_two_points_to_place() -> None:
    with pytest.raises(ValueError, match=r"at least 2 points to place, got 1"):
        resample(rising_points(3), 1)


@given(arrays(np.float64, st.tuples(st.integers(2, 15), st.just(2)), elements=COORDINATES), st.floats(0, 50))
def test_a_thinned_line_keeps_its_ends_and_stays_near(points: np.ndarray, tolerance: float) -> None:
    few = thin(points, tolerance, max_points=len(points))
    assert (few[[0, -1]] == points[[0, -1]]).all()
    assert (distance_to_polyline(points, few) <= tolerance + 1e-6).all()
    assert all((points == point).all(axis=1).any() for point in few)


def test_a_straight_line_is_thinned_to_its_ends_and_a_wild_one_to_the_most_allowed() -> None:
    straight = np.stack([np.linspace(0, 90, 46), np.linspace(590, 250, 46)], axis=1)
    assert thin(straight).tolist() == [[0.0, 590.0], [90.0, 250.0]]
    assert len(thin(rising_points(46))) == 12
    assert len(thin(rising_points(46), max_points=5)) == 5


def test_the_farthest_point_comes_first() -> None:
    corner = np.array([[0, 0], [10, 3], [20, 40], [30, 3], [40, 0]])
    assert thin(corner, max_points=3).tolist() == [[0, 0], [20, 40], [40, 0]]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_line_that_cannot_be_thinned_comes_back(count: int) -> None:
    points = np.arange(2.0 * count).reshape(count, 2)
    assert thin(points).tolist() == points.tolist()
