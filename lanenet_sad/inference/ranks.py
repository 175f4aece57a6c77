"""Prediction over several processes: which part of the work is this one's. They share nothing but the list."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

Item = TypeVar("Item")

# What starts several processes of one command says who they are by these; the first pair that is set counts. SLURM sets
# SLURM_NTASKS also for the one process of a batch script, but the tasks of a step for `srun` alone.
_VARIABLES = (("RANK", "WORLD_SIZE", "LOCAL_RANK"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"))


@dataclass(frozen=True)
class Rank:
    """One of several processes that share a list of work.

    Attributes:
        index: of this process, from 0.
        count: of all processes.
        local_index: of this process among those on its machine, from 0.
    """

    index: int = 0
    count: int = 1
    local_index: int = 0

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """What torchrun (`RANK`, `WORLD_SIZE`) or `srun` (`SLURM_PROCID`, `SLURM_STEP_NUM_TASKS`) says; else alone.

        Raises:
            ValueError: a variable is no number, or the rank is not below the count.
        """
        values = os.environ if environment is None else environment
        for index_name, count_name, local_name in _VARIABLES:
            if index_name not in values or count_name not in values:
                continue
            names = (index_name, count_name, local_name)
            try:
                index, count, local_index = (int(values.get(name, "0")) for name in names)
            except ValueError as error:
                said = ", ".join(f"{name}={values.get(name, '')!r}" for name in names)
                raise ValueError(f"Ranks: expected whole numbers, got {said}.") from error
            if not 0 <= index < count:
                raise ValueError(f"Ranks: expected {index_name} below {count_name}, got {index} and {count}.")
            return cls(index, count, local_index)
        return cls()

    @property
    def is_alone(self) -> bool:
        """Whether there is nobody to share with."""
        return self.count == 1

    @property
    def suffix(self) -> str:
        """What tells this rank's files apart: `.rank2`; nothing for a process that is alone."""
        return "" if self.is_alone else f".rank{self.index}"

    def share(self, items: Sequence[Item], *, size: Callable[[Item], float]) -> list[Item]:
        """This rank's part of a list, in the list's order; every rank works out the same division.

        The largest item goes first, each to the rank with least to do so far.
        """
        loads = [0.0] * self.count
        mine: list[int] = []
        sizes = [size(item) for item in items]
        for number in sorted(range(len(items)), key=lambda number: (-sizes[number], number)):
            rank = loads.index(min(loads))
            # an item of size 0 counts a little too, so that many of them spread
            loads[rank] += max(sizes[number], 1.0)
            if rank == self.index:
                mine.append(number)
        return [items[number] for number in sorted(mine)]
