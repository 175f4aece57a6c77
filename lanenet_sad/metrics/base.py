"""What every official lane score has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

from lanenet_sad.lanes.lane import LanePrediction


class Score(ABC):
    """The result of a metric: a frozen dataclass whose `str()` is the table that the official tool reports."""

    @property
    @abstractmethod
    def value(self) -> float:
        """The one figure, 0..1 and higher is better, by which checkpoints are compared; 0 where undefined."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON can hold them; what is undefined is None."""

    @abstractmethod
    def __str__(self) -> str:
        """The official table, for people."""


class LaneMetric(ABC):
    """Collects what an official evaluator needs from one image after the other.

    `merge` joins the collections of several ranks or workers, so that figures are computed from totals and
    never averaged over parts.
    """

    @abstractmethod
    def update(self, prediction: LanePrediction, truth: LanePrediction) -> None:
        """Adds one image.

        Args:
            prediction: the lanes that were found.
            truth: the lanes of the label, of the same image.
        """

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Adds what another metric with the same settings has collected.

        Raises:
            ValueError: the settings differ.
        """

    @abstractmethod
    def compute(self) -> Score:
        """The score of all images so far."""
