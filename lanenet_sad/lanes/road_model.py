"""The lines of a road as one curve: parallel lines on a plane, fitted to where pixels look.

With the camera's height h as unit of length, a line lies `a + t y + b y^2 / 2 + c y^3 / 6` to the right at y ahead; all
lines share the direction t, the curvature b and its rate c (a clothoid), each has its own distance a. A pixel looks n
down and m to the right for each metre ahead, so that y = 1 / n, and the lines become hyperbolas of the picture:
`m = a n + t + b / (2 n) + c / (6 n^2)` (the hyperbola pair of Chen and Wang, "A real-time lane detection algorithm
based on a hyperbola-pair model", IEEE Intelligent Vehicles 2006, with one term more). The fit is in m, where the noise
of a pixel is the same near and far; on the ground that is to weight each point by the inverse of its ground error. The
camera's nod is fitted along: it is what keeps lines from being parallel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_FARTHEST = 70.0  # heights of the camera: beyond about 100 m a pixel is worth metres, and hills hide in it
_FAR_NOISE = 1.2e-3  # radians: about a pixel of a picture 1000 px wide
_NEAR_NOISE = 0.03  # heights: how far beside the middle of the paint a point lies
_DIRECTION_PRIOR = 0.3
_CURVATURE_PRIOR = 0.014  # of b: a radius of 100 m below a camera at 1.4 m
_RATE_PRIOR = 1e-4  # of c: 5e-5 1/m^2, a transition from straight to a radius of 200 m within 100 m
_HOPELESS = 10.0  # standard deviations: beyond, it makes no difference
_OUTLIER = 2.5  # standard deviations at which a point counts half


@dataclass(frozen=True, eq=False)
class Rays:
    """The points of some lines as directions.

    Attributes:
        right: (N,) m, to the right for each metre ahead.
        down: (N,) n, downwards for each metre ahead.
        line: (N,) index of the line that each belongs to.
        weights: (N,) how much each counts, 0..1.
        num_lines: how many lines there are.
    """

    right: FloatArray
    down: FloatArray
    line: NDArray[np.intp]
    weights: FloatArray
    num_lines: int


@dataclass(frozen=True, eq=False)
class RoadFit:
    """The road that fits some lines best; lengths in heights of the camera.

    Attributes:
        offsets: (L,) how far right of the camera each line passes.
        direction: of the road in radians, positive to the right.
        curvature: in 1/height, positive to the right.
        curvature_rate: its change in 1/height^2.
        nod: by which the camera looks down further than the rays were made for.
        covariance: (L + 4, L + 4) of these numbers in this order.
        cost: how badly it fits: the mean over the points of log(1 + squared deviation), 0 for perfect.
    """

    offsets: FloatArray
    direction: float
    curvature: float
    curvature_rate: float
    nod: float
    covariance: FloatArray
    cost: float


def gather(rays: Sequence[tuple[FloatArray, FloatArray]], weights: Sequence[FloatArray]) -> Rays:
    """Puts the rays (m, n) of several lines and their weights together."""
    line = np.repeat(np.arange(len(rays)), [len(each[0]) for each in rays])
    right, down = (np.concatenate([each[i] for each in rays]) for i in (0, 1))
    return Rays(right, down, line, np.concatenate(list(weights)), len(rays))


def fit_road(rays: Rays, *, nod: float = 0.0, nod_error: float = 0.005, noise: float = 1.0, rounds: int = 5) -> RoadFit:
    """The most likely road, by reweighted least squares (Cauchy weights) with weak priors on curvature and its rate.

    Args:
        rays: of one line or more.
        nod: what is known beforehand about the nod, in radians.
        nod_error: standard deviation of that.
        noise: factor on the noise that points are taken to have.
        rounds: of reweighting; at least 1.
    """
    count = rays.num_lines
    prior = np.zeros(count + 4)
    prior[-1] = nod
    errors = np.array([_DIRECTION_PRIOR, _CURVATURE_PRIOR, _RATE_PRIOR, nod_error])
    precision = np.concatenate([np.full(count, 1e-4), errors**-2])
    state, information = prior.copy(), np.diag(precision)
    design, rest, variance = _linearize(rays, state, noise)
    square = np.zeros(len(rays.right))
    for _ in range(rounds):
        weights = rays.weights / (variance * (1 + square / _OUTLIER**2))
        weighted = (design * weights[:, None]).T
        information = weighted @ design
        information.flat[:: count + 5] += precision
        state = state + np.linalg.solve(information, weighted @ rest - precision * (state - prior))
        state[-1] = min(max(state[-1], nod - 4 * nod_error), nod + 4 * nod_error)
        design, rest, variance = _linearize(rays, state, noise)
        square = rest**2 / variance
    cost = float(rays.weights @ np.log1p(np.minimum(square, _HOPELESS**2))) / max(float(rays.weights.sum()), 1e-9)
    direction, curvature, rate, nodded = (float(value) for value in state[count:])
    return RoadFit(state[:count], direction, curvature, rate, nodded, np.linalg.inv(information), cost)


def _linearize(rays: Rays, state: FloatArray, noise: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(N, L + 4) change of the model with its numbers, (N,) what it leaves over, (N,) variance of that.

    A point on or above the horizon, which no road explains, has a variance that makes it count nothing.
    """
    count = rays.num_lines
    direction, curvature, rate, nod = (float(value) for value in state[count:])
    tangent = math.tan(nod)
    turned = np.maximum(1 - rays.down * tangent, 0.1)
    down, right = (rays.down + tangent) / turned, rays.right * (math.hypot(1.0, tangent) / turned)
    on_road = down > 1 / _FARTHEST
    down = np.where(on_road, down, 1.0)
    ahead = 1 / down
    bent, twisted = ahead / 2, ahead**2 / 6
    offsets = state[rays.line]
    design = np.zeros((len(down), count + 4))
    design[np.arange(len(down)), rays.line] = down
    design[:, count] = 1.0
    design[:, count + 1] = bent
    design[:, count + 2] = twisted
    slope = offsets - ahead * (curvature * bent + 2 * rate * twisted)
    design[:, count + 3] = slope * (1 + down**2) - right * down
    rest = right - (offsets * down + direction + curvature * bent + rate * twisted)
    variance = (noise * _FAR_NOISE) ** 2 + (noise * _NEAR_NOISE * down) ** 2
    return design, np.where(on_road, rest, 1e6), np.where(on_road, variance, 1e10)
