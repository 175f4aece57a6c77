"""Curves x(y) through the points of one lane: which points agree on one, and a smooth one through these."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Curve = Literal["polynomial", "spline"]

_SPANS = 6  # of the spline between a lane's nearest and its farthest row
_PASSES = 2  # of the fit that follows the search, each through the points that the one before agrees with


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
            self.coefficients = solved(basis, x)
        except np.linalg.LinAlgError:
            return False
        return bool(np.isfinite(self.coefficients).all())

    def residuals(self, basis: Values, x: Values) -> Values:
        """(N,) by how much the sums miss the model."""
        missed: Values = basis @ self.coefficients - x
        return missed


@dataclass(frozen=True)
class RowCurve:
    """One x for each row of a lane.

    Attributes:
        kind: sum of powers, or cubic spline with equally long spans.
        middle: row in the middle of the lane.
        half: rows from there to its ends.
        coefficients: (K,) of the powers or of the spline's functions.
    """

    kind: Curve
    middle: float
    half: float
    coefficients: Values

    def __call__(self, rows: Values) -> Values:
        """The x of rows of the lane, (N,) -> (N,); a spline ends with it."""
        at = (rows - self.middle) / self.half
        basis = powers(at, len(self.coefficients) - 1) if self.kind == "polynomial" else _spline_basis(at)
        x: Values = basis @ self.coefficients
        return x


def agreeing(
    rows: Values, x: Values, *, degree: int, tolerance: float, max_trials: int, seed: int
) -> NDArray[np.bool_]:
    """Which points of a lane lie on one polynomial; random samples are drawn only where not all do.

    Random sample consensus (Fischler and Bolles 1981), scikit-image's `ransac`, which stops as soon as another sample
    is unlikely to be better.

    Args:
        rows: (N,) y.
        x: (N,).
        degree: of the polynomial.
        tolerance: pixels in x within which a point agrees.
        max_trials: samples at most.
        seed: of the samples.

    Returns:
        (N,); all False where no polynomial has `degree + 1` points.
    """
    basis = powers((rows - rows.mean()) / max(float(np.ptp(rows)) / 2, 1e-9), degree)
    everything = np.ones(len(x), dtype=bool)
    if len(x) <= degree + 1:
        return everything
    close = _within(basis, x, everything, tolerance)
    if close.all():
        return close
    from skimage.measure import ransac  # takes a while to import

    _, found = ransac(  # type: ignore[no-untyped-call]
        (basis, x), BasisModel, min_samples=degree + 1, residual_threshold=tolerance, max_trials=max_trials, rng=seed
    )
    if found is None:
        return ~everything
    best: NDArray[np.bool_] = found
    for _ in range(_PASSES):
        again = _within(basis, x, best, tolerance)
        if again.sum() < best.sum():
            break
        best = again
    return best


def fitted(
    rows: Values,
    x: Values,
    weights: Values,
    *,
    curve: Curve,
    degree: int,
    stiffness: float,
    height: float,
) -> RowCurve:
    """The smooth curve through weighted points of a lane.

    Args:
        rows: (N,) y, of which two differ.
        x: (N,).
        weights: (N,) of the squared distances.
        curve: "polynomial": of `degree`. "spline": a cubic spline of equally long spans with a penalty on its bends
            (Eilers and Marx 1996), the integral of the squared second derivative as in a smoothing spline.
        degree: of the polynomial.
        stiffness: of the spline.
        height: of the picture, the unit of length of that penalty, so that its size in pixels does not matter.
    """
    middle, half = (rows.max() + rows.min()) / 2, float(np.ptp(rows)) / 2
    at = (rows - middle) / half
    if curve == "polynomial":
        return RowCurve(curve, middle, half, solved(powers(at, degree), x, weights))
    penalty = stiffness * (height / half) ** 3 * _bending()
    return RowCurve(curve, middle, half, solved(_spline_basis(at), x, weights, penalty))


def powers(at: Values, degree: int) -> Values:
    """1, t, t^2, ..., (N,) -> (N, degree + 1)."""
    raised: Values = at[:, None] ** np.arange(degree + 1)
    return raised


def solved(basis: Values, x: Values, weights: Values | None = None, penalty: Values | None = None) -> Values:
    """(K,) coefficients of the least squares, by the normal equations: few well-scaled functions, and quick."""
    weighted = basis if weights is None else basis * weights[:, None]
    matrix = weighted.T @ basis
    stiff = matrix if penalty is None else matrix + penalty
    coefficients: Values = np.linalg.solve(stiff, weighted.T @ x)
    return coefficients


def _within(basis: Values, x: Values, used: NDArray[np.bool_], tolerance: float) -> NDArray[np.bool_]:
    model = BasisModel.from_estimate(basis[used], x[used])
    return used if model is None else np.abs(model.residuals(basis, x)) < tolerance


@cache
def _spline(derivative: int) -> Any:
    """The spline's functions on -1..1, or a derivative of theirs: (N,) -> (N, K)."""
    from scipy.interpolate import BSpline  # takes a while to import

    knots = np.concatenate([[-1.0] * 3, np.linspace(-1, 1, _SPANS + 1), [1.0] * 3])
    functions = BSpline(knots, np.eye(_SPANS + 3), 3)
    return functions.derivative(derivative) if derivative else functions


def _spline_basis(at: Values) -> Values:
    basis: Values = _spline(0)(at.clip(-1, 1))
    return basis


@cache
def _bending() -> Values:
    """(K, K) integrals of products of the functions' second derivatives, by Gauss's rule, exact for them."""
    nodes = np.array([-1, 1]) / np.sqrt(3) / _SPANS
    centres = np.linspace(-1, 1, 2 * _SPANS + 1)[1::2]
    second = _spline(2)((centres[:, None] + nodes).ravel())
    products: Values = second.T @ second / _SPANS
    return products
