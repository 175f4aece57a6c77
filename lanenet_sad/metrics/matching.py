"""The one-to-one matching of the official CULane evaluator, tolerance included."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: As the official tools pair lanes, or with the largest sum that there is.
Matching: TypeAlias = Literal["official", "optimal"]

_TOLERANCE = 0.01
_LOWEST_LABEL = -1e5


def match(ious: ArrayLike) -> list[int]:
    """Pairs labels with predictions as the official CULane evaluator does.

    Kuhn-Munkres over the side with fewer lanes (labels on a tie), where an edge counts as tight when its slack
    is below 0.01. The tolerance is part of the official score: which of two near-equal predictions is taken
    depends on their order, and the sum of IoUs may lie up to 0.01 per pair below the optimum. Exact assignment
    (scipy) therefore gives other counts. NaN never pairs.

    Args:
        ious: (G, P) of labels and predictions.

    Returns:
        For each label the index of its prediction, or -1; no threshold is applied yet.
    """
    weights = np.asarray(ious, dtype=np.float64)
    num_labels, num_predictions = weights.shape
    if num_labels <= num_predictions:
        return _Matching(weights.tolist(), num_predictions).solve()
    label_of = _Matching(weights.T.tolist(), num_labels).solve()
    pairs = {label: prediction for prediction, label in enumerate(label_of) if label >= 0}
    return [pairs.get(label, -1) for label in range(num_labels)]


def match_optimally(ious: ArrayLike) -> list[int]:
    """Pairs labels with predictions such that the sum of IoUs is the largest there is.

    Args:
        ious: (G, P) of labels and predictions; NaN never pairs.

    Returns:
        For each label the index of its prediction, or -1.
    """
    weights = np.asarray(ious, dtype=np.float64)
    return [-1 if p >= 0 and np.isnan(weights[g, p]) else p for g, p in enumerate(assign(weights))]


def assign(ious: NDArray[np.float64]) -> list[int]:
    """Pairs rows with columns at the least sum of 1 - IoU, as the official tools in Python call scipy.

    Args:
        ious: (N, M); NaN counts as 0.

    Returns:
        For each row its column, or -1.
    """
    from scipy.optimize import linear_sum_assignment  # takes a while to import

    pairs = [-1] * len(ious)
    for row, column in zip(*linear_sum_assignment(1 - np.nan_to_num(ious)), strict=True):
        pairs[row] = int(column)
    return pairs


class _Matching:
    """Kuhn-Munkres with tolerant tightness; rows of `weights` are the left side, the one with fewer lanes."""

    def __init__(self, weights: list[list[float]], num_right: int) -> None:
        self.weights = weights
        # `>` is false for NaN: a row without any number keeps the lowest label.
        self.left = [_LOWEST_LABEL] * len(weights)
        for u, row in enumerate(weights):
            for weight in row:
                self.left[u] = weight if weight > self.left[u] else self.left[u]
        self.right = [0.0] * num_right
        self.right_of = [-1] * len(weights)
        self.left_of = [-1] * num_right
        self.seen_left: set[int] = set()
        self.seen_right: set[int] = set()

    def solve(self) -> list[int]:
        """For each left lane the index of its right lane or -1."""
        for u in range(len(self.weights)):
            while not self._augment(u):
                slack = self._smallest_slack()
                if not math.isfinite(slack):
                    return self.right_of  # as the official tool: the lanes after this one stay unmatched too
                for seen in self.seen_left:
                    self.left[seen] -= slack
                for seen in self.seen_right:
                    self.right[seen] += slack
        return self.right_of

    def _augment(self, start: int) -> bool:
        """Depth-first search for a free right lane along tight edges, right lanes in index order."""
        self.seen_left, self.seen_right = {start}, set()
        chosen: dict[int, int] = {}
        path = [(start, self._tight_edges(start))]
        while path:
            u, edges = path[-1]
            v = next(edges, None)
            if v is None:
                path.pop()
                continue
            self.seen_right.add(v)
            chosen[u] = v
            owner = self.left_of[v]
            if owner < 0:
                for u, _ in path:
                    self.right_of[u], self.left_of[chosen[u]] = chosen[u], u
                return True
            self.seen_left.add(owner)
            path.append((owner, self._tight_edges(owner)))
        return False

    def _tight_edges(self, u: int) -> Iterator[int]:
        """The right lanes that `u` may pair with and that are still unseen when it is their turn."""
        for v, weight in enumerate(self.weights[u]):
            if v not in self.seen_right and abs(self.left[u] + self.right[v] - weight) < _TOLERANCE:
                yield v

    def _smallest_slack(self) -> float:
        """The smallest slack between visited left and unvisited right lanes; infinite if there is none."""
        smallest = math.inf
        for u in self.seen_left:
            for v, weight in enumerate(self.weights[u]):
                if v not in self.seen_right:
                    slack = self.left[u] + self.right[v] - weight
                    smallest = slack if slack < smallest else smallest
        return smallest
