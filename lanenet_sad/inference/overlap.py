"""Work that runs in threads of its own, with bounded queues between: a slow stage makes the others wait, never pile up.

NumPy, OpenCV, PyAV and torch give up Python's lock while they work, so threads are enough to keep several cores busy.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")

BEHIND_THE_NETWORK = 10
"""Niceness of work that can wait: on a CPU the network sets the pace, and should never wait for a core."""

_PATIENCE = 0.1  # seconds after which a thread that waits looks whether it is still wanted
_GIVE_UP = 5.0  # seconds that a stage has for its last item when nobody wants the rest


class StageClock:
    """How long each stage was busy, in seconds, waiting left out."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Adds what passes within the block; a stage belongs to one thread."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started

    def each(self, stage: str, items: Iterable[Item]) -> Generator[Item, None, None]:
        """Passes items on and measures how long each took to come."""
        iterator = iter(items)
        try:
            while True:
                with self.measure(stage):
                    try:
                        item = next(iterator)
                    except StopIteration:
                        return
                yield item
        finally:
            _close(iterator)


def ahead(
    items: Iterable[Item], *, depth: int = 4, name: str = "ahead", niceness: int = 0
) -> Generator[Item, None, None]:
    """Passes items on that a thread of its own draws, at most `depth` of them before they are wanted.

    An error in the thread is raised here, after the items before it. When the caller stops early, the thread ends with
    the item it is at, and closes `items`.

    Args:
        items: drawn in the thread, from now on; what comes back has to be iterated, or the thread waits for ever.
        depth: of the queue, at least 1.
        name: of the thread.
        niceness: by how much the thread gives way to others, 0 to 19; only Linux knows this of threads.
    """
    found: queue.Queue[_Parcel[Item]] = queue.Queue(depth)
    unwanted = threading.Event()
    thread = threading.Thread(target=_draw, args=(items, found, unwanted, niceness), name=name, daemon=True)
    thread.start()  # by the caller and not by who asks first, from whom it would have its niceness
    return _hand_out(found, unwanted, thread)


def _hand_out(
    found: queue.Queue[_Parcel[Item]], unwanted: threading.Event, thread: threading.Thread
) -> Generator[Item, None, None]:
    try:
        while True:
            parcel = found.get()
            if parcel.error is not None:
                raise parcel.error
            if parcel.is_last:
                return
            yield parcel.items[0]
            del parcel  # the next one may take long, and pictures are large
    finally:
        unwanted.set()
        thread.join(_GIVE_UP)


class Behind(Generic[Item]):
    """Hands items to a function that works on them in a thread of its own, in order, at most `depth` behind.

    A context manager. The end of the block waits until everything handed over is done, also after an error or Ctrl-C,
    because finished work must not be lost. An error in the thread is raised at the next call, or at the end. Ctrl-C
    while it waits leaves out what has not begun; the item at hand is waited for, as nobody may close its file before.
    """

    def __init__(
        self, work: Callable[[Item], object], *, depth: int = 4, name: str = "behind", niceness: int = 0
    ) -> None:
        """Prepare; the thread starts with the `with` block. The numbers are those of `ahead`."""
        self._work, self._niceness = work, niceness
        self._waiting: queue.Queue[_Parcel[Item]] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._unwanted = threading.Event()
        # Not `Thread.join`: once Ctrl-C has come through that, Python 3.11 takes a busy thread for an ended one.
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __call__(self, item: Item) -> None:
        """Hand over one item; waits while the queue is full."""
        self._put(_Parcel((item,)))

    def _put(self, parcel: _Parcel[Item]) -> None:
        while True:
            if self._error is not None:
                raise self._error
            try:
                self._waiting.put(parcel, timeout=_PATIENCE)
            except queue.Full:
                continue
            return

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        interruption: BaseException | None = None
        while not self._over.is_set():
            try:
                self._wait_for_the_end()
            except BaseException as signal:
                self._unwanted.set()
                interruption = signal
        if interruption is not None:
            raise interruption
        if self._error is not None and error is not self._error:
            raise self._error

    def _wait_for_the_end(self) -> None:
        while not self._over.is_set():
            with suppress(queue.Full):
                self._waiting.put(_Parcel(is_last=True), timeout=_PATIENCE)
                self._over.wait()

    def _run(self) -> None:
        _give_way(self._niceness)
        try:
            while not (parcel := self._waiting.get()).is_last and not self._unwanted.is_set():
                self._work(parcel.items[0])
        except BaseException as error:  # raised in the caller's thread
            self._error = error
        finally:
            self._over.set()


class _Parcel(Generic[Item]):
    """What goes through a queue: one item, or an error, or word that this was all."""

    def __init__(
        self, items: tuple[Item, ...] = (), *, error: BaseException | None = None, is_last: bool = False
    ) -> None:
        self.items, self.error, self.is_last = items, error, is_last


def _give_way(niceness: int) -> None:
    """Makes this thread, and those that it starts, wait for others where there are more of them than cores."""
    if niceness and sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


def _draw(items: Iterable[Item], found: queue.Queue[_Parcel[Item]], unwanted: threading.Event, niceness: int) -> None:
    _give_way(niceness)
    iterator: Iterator[Item] | None = None
    last: _Parcel[Item] = _Parcel(is_last=True)
    try:
        iterator = iter(items)
        for item in iterator:
            if not _deliver(_Parcel((item,)), found, unwanted):
                break
            del item
    except BaseException as error:  # raised in the caller's thread
        last = _Parcel(error=error)
    finally:
        if iterator is not None:
            _close(iterator)
    _deliver(last, found, unwanted)


def _deliver(parcel: _Parcel[Item], found: queue.Queue[_Parcel[Item]], unwanted: threading.Event) -> bool:
    while not unwanted.is_set():
        try:
            found.put(parcel, timeout=_PATIENCE)
        except queue.Full:
            continue
        return True
    return False


def _close(iterator: Iterator[Item]) -> None:
    if isinstance(iterator, Generator):
        iterator.close()
