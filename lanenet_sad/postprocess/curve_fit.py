"""Curves x(y) through the points of one lane: which points agree on one, and a smooth one through these."""

from __future__ import annotations

from functools import cache
from math import ceil
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]
Curve = Literal["polynomial", "spline"]

_SPANS = 6  # of the spline from a lane's nearest to its farthest row
_PASSES = 3  # of the fits that follow the search, each through the points that the one before agrees with
_USUAL = 6  # times the median distance from the curve, beyond which a point is a stray
_ENOUGH = 0.9  # of the points: where so many agree, no more samples are drawn
_RIDGE = 1e-9  # penalty that decides where points lie in too few rows to do so
_STIFFEST = 1e3  # penalty beyond which the equations only lose digits


class Search(NamedTuple):
    """How points that agree are searched.

    Attributes:
        tolerance: pixels in x within which a point agrees.
        max_trials: random samples at most.
        seed: of the samples.
    """

    tolerance: float
    max_trials: int
    seed: int


class BasisModel:
    """A sum of given functions, as scikit-image's `ransac` wants a model: `estimate` (up to 0.25), `from_estimate`.

    Attributes:
        coefficients: (K,) of the functions.
    """

    coefficients: Values

    @classmethod
    def from_estimate(cls, basis: Values, x: Values) -> Self | None:
        """The model through samples of the functions (N, K) and their sums (N,); None if they leave it open."""
        model = cls()
        return model if model.estimate(basis, x) else None

    def estimate(self, basis: Values, x: Values) -> bool:
        """Fits in place; False if the samples leave it open."""
        try:
            self.coefficients = _solved(basis, x, 1.0)
        except np.linalg.LinAlgError:
            return False
        return bool(np.isfinite(self.coefficients).all())

    def residuals(self, basis: Values, x: Values) -> Values:
        """(N,) by how much the sums miss the model."""
        missed: Values = basis @ self.coefficients - x
        return missed


class SmoothCurves:
    """Curves x(y) over the rows of one lane: functions of the row, and how their weighted sum is kept smooth.

    A "polynomial" is a sum of powers. A "spline" is a cubic spline of six equally long spans with a penalty on its
    wiggles (Eilers and Marx 1996): the integral of the squared third derivative, so that what it falls back to is a
    parabola. In perspective, a bend of the road is one in the near half of the picture.

    Args:
        rows: (R,) y, falling.
        curve: which functions.
        degree: of the polynomial.
        stiffness: of the spline.
        height: of the picture, the penalty's unit of length, so that its size in pixels does not matter.
    """

    def __init__(self, rows: Values, *, curve: Curve, degree: int, stiffness: float, height: float) -> None:
        middle, half = (rows[0] + rows[-1]) / 2, (rows[0] - rows[-1]) / 2
        at = (rows - middle) / half
        self.powers: Values = np.vander(at, degree + 1, increasing=True)
        self.basis, self.penalty = self.powers, _RIDGE * np.eye(degree + 1)
        if curve == "spline":
            self.basis = _spline()(at.clip(-1, 1))
            penalty = min(stiffness * (height / half) ** 5, _STIFFEST) * _wiggling()
            self.penalty = penalty + _RIDGE * np.eye(len(penalty))

    def fit(self, place: NDArray[np.intp], x: Values, weights: Values, tolerance: float) -> Values:
        """Columns of the smooth curve through points of a lane.

        A second pass gives points less weight the farther they lie off the first one's curve, half at a quarter of
        the tolerance.

        Args:
            place: (N,) index of each point's row.
            x: (N,) of the points.
            weights: (N,) of their squared distances.
            tolerance: pixels.

        Returns:
            (R,) x at each row.
        """
        basis = self.basis[place]
        first = _solved(basis, x, weights, self.penalty)
        off = (basis @ first - x) / (tolerance / 4)
        columns: Values = self.basis @ _solved(basis, x, weights / (1 + off * off), self.penalty)
        return columns

    def agreeing(self, place: NDArray[np.intp], x: Values, weights: Values, close: Flags, search: Search) -> Flags:
        """Which points of a lane lie on one curve.

        Random sample consensus on a polynomial (Fischler and Bolles 1981) by scikit-image's `ransac`, which begins
        with the points that seem right and stops when nine tenths of all agree, or another sample is unlikely to be
        better. As a stray at the end of a lane can bend a polynomial to itself, those that lie unusually far off the
        smooth curve are left out after that.

        Args:
            place: (N,) index of each point's row.
            x: (N,) of the points.
            weights: (N,) of their squared distances.
            close: (N,) which seem right.
            search: how to search.

        Returns:
            (N,); all False where no polynomial was found.
        """
        from skimage.measure import ransac  # takes a while to import

        basis = self.powers[place]
        least = basis.shape[1]
        _, found = ransac(  # type: ignore[no-untyped-call]
            (basis, x),
            BasisModel,
            min_samples=least,
            residual_threshold=search.tolerance,
            max_trials=search.max_trials,
            stop_sample_num=ceil(_ENOUGH * len(x)),
            initial_inliers=close if close.sum() > least else None,
            rng=search.seed,
        )
        best: Flags = np.zeros(len(x), dtype=bool) if found is None else found
        for _ in range(_PASSES):
            if best.sum() < least:
                break
            columns = self.fit(place[best], x[best], weights[best], search.tolerance)
            off = np.abs(columns[place] - x)
            limit = min(search.tolerance, max(search.tolerance / 4, _USUAL * float(np.median(off[best]))))
            best = off < limit
        return best


def _solved(basis: Values, x: Values, weights: Values | float, penalty: Values | float = 0.0) -> Values:
    """(K,) coefficients of the least squares, by the normal equations: few well-scaled functions, and quick."""
    weighted = basis.T * weights
    return np.asarray(np.linalg.solve(weighted @ basis + penalty, weighted @ x), dtype=np.float64)


@cache
def _spline() -> Any:
    """The spline's functions on -1..1, (N,) -> (N, K)."""
    from scipy.interpolate import BSpline  # takes a while to import

    knots = np.concatenate([[-1.0] * 3, np.linspace(-1, 1, _SPANS + 1), [1.0] * 3])
    return BSpline(knots, np.eye(_SPANS + 3), 3)


@cache
def _wiggling() -> Values:
    """(K, K) integrals of products of the functions' third derivatives, which are constant in each span."""
    centres = np.linspace(-1, 1, 2 * _SPANS + 1)[1::2]
    third = _spline().derivative(3)(centres)
    return np.asarray(third.T @ third * (2 / _SPANS), dtype=np.float64)
