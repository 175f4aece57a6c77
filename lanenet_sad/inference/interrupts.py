"""Ctrl-C and SIGTERM that wait until what is being written is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_MOST_HELD = 2  # Ctrl-C pressed twice in a hurry, or SIGTERM after it, must not cost what is finished


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Holds Ctrl-C and SIGTERM back to the end of the block; only a third one gets through at once.

    In other threads than the main one, which signals never reach, and for signals that are ignored or end the process
    outright, it changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    callables = {int(number): handler for number, handler in handlers.items() if callable(handler)}
    held: list[int] = []
    is_over = False

    def hold(number: int, frame: FrameType | None) -> None:
        if is_over:  # one that came before all handlers were back
            callables[number](number, frame)
            return
        held.append(number)
        if len(held) > _MOST_HELD:
            raise KeyboardInterrupt

    try:
        for number in callables:
            signal.signal(number, hold)
        yield
    finally:
        is_over = True
        for number, handler in callables.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])
