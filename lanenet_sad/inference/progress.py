"""A progress bar with rate and time left for anything that goes item by item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

Item = TypeVar("Item")


class RateColumn(ProgressColumn):
    """Items per second."""

    def render(self, task: Task) -> Text:
        """E.g. `12.3 images/s`."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} {task.fields['unit']}/s")


@contextmanager
def waiting(description: str, *, enabled: bool = True) -> Iterator[None]:
    """Says what takes its time without a measure of progress; says nothing where stderr is no terminal."""
    console = Console(stderr=True)
    if not (enabled and console.is_terminal):
        yield
        return
    with console.status(description):
        yield


def with_progress(
    items: Iterable[Item], *, description: str, total: int | None = None, unit: str = "images", enabled: bool = True
) -> Iterator[Item]:
    """Pass items through and show how many, how fast and how long still.

    Args:
        items: what is worked through.
        description: in front of the bar.
        total: how many to expect; None if unknown (a camera).
        unit: of the items, for the rate.
        enabled: show anything; nothing is shown where stderr is no terminal.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not (enabled and console.is_terminal)) as bar:
        task = bar.add_task(description, total=total, unit=unit)
        for item in items:
            yield item
            bar.advance(task)
