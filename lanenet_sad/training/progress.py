"""What a person sees of a run: a bar on a terminal, plain lines elsewhere; and how they stop it."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class StepProgress:
    """Steps done, loss, images/s and time left.

    Args:
        num_steps: steps of the whole run.
        start_step: steps done before.
        enabled: show anything at all.
    """

    def __init__(self, num_steps: int, start_step: int = 0, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}  {task.fields[rate]:.1f} images/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not enabled or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=num_steps, completed=start_step, loss=0.0, rate=0.0)

    def advance(self, loss: float, images_per_second: float) -> None:
        """One step is done."""
        self._bar.update(self._task, advance=1, loss=loss, rate=images_per_second)

    def line(self, step: int, values: dict[str, float]) -> None:
        """Print the figures of a step on a line of their own."""
        if self.enabled:
            figures = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
            task = self._bar.tasks[0]
            text = f"step {step}  {figures}  ({task.fields['rate']:.1f} images/s)"
            self._console.print(text, highlight=False, soft_wrap=True)

    def __enter__(self) -> StepProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class StopRequest:
    """Turns Ctrl-C and SIGTERM into a flag, so that a run ends between two steps; the second one is immediate."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # Not `print`: the signal may arrive while something else is being printed.
        os.write(2, b"\nstopping after this step; press Ctrl-C again to stop at once\n")
