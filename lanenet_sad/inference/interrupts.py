"""Ctrl-C and SIGTERM that wait until what is being written about a frame is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Holds Ctrl-C and SIGTERM back to the end of the block; a second one gets through at once.

    In other threads than the main one, which signals never reach, and for signals that are ignored or end the process
    outright, it changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    callables = {number: handler for number, handler in handlers.items() if callable(handler)}
    held: list[int] = []

    def hold(number: int, _: FrameType | None) -> None:
        if held:
            raise KeyboardInterrupt
        held.append(number)

    try:
        for number in callables:
            signal.signal(number, hold)
        yield
    finally:
        for number, handler in callables.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])
