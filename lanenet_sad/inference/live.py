"""Reading in the background, so that pictures of a live source are fresh when they are looked at."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
MAX_AGE = 0.25
"""Seconds that an item may be older than the newest one and still wait."""
MAX_WAITING = 8
"""How many items may wait."""
_POLL = 0.25  # seconds; a wait without end would keep Ctrl-C from the main thread on some systems


class BackgroundReader(Generic[Item]):
    """Runs an iterator in a thread and hands its items over one by one.

    A few items wait, because networks deliver in bursts. Beyond `MAX_AGE` or `MAX_WAITING` they give way to new ones,
    and `dropped` counts them, so that who works slowly sees what is, not what was. Where nothing is to be lost, the
    thread waits instead.

    Attributes:
        dropped: items that nobody fetched.
    """

    def __init__(
        self,
        read: Callable[[threading.Event], Iterator[Item]],
        *,
        may_drop: Callable[[], bool] = lambda: True,
    ) -> None:
        """Start reading.

        Args:
            read: gives the iterator; it is to end soon after the event that it gets is set.
            may_drop: asked at every item whether those that wait may give way to it.
        """
        self._may_drop = may_drop
        self.dropped = 0
        self._changed = threading.Condition()
        self._waiting: deque[tuple[float, Item]] = deque()  # with the time at which it came
        self._has_ended = False
        self._error: BaseException | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(read,), name="reader", daemon=True)
        self._thread.start()

    def _run(self, read: Callable[[threading.Event], Iterator[Item]]) -> None:
        try:
            for item in read(self._stopping):
                if not self._put(item):
                    break
        except BaseException as error:
            self._error = error  # raised again where the items are fetched
        finally:
            with self._changed:
                self._has_ended = True
                self._changed.notify_all()

    def _put(self, item: Item) -> bool:
        with self._changed:
            while self._waiting and not self._may_drop() and not self._stopping.is_set():
                self._changed.wait(_POLL)
            now = time.monotonic()
            self._waiting.append((now, item))
            while len(self._waiting) > MAX_WAITING or now - self._waiting[0][0] > MAX_AGE:
                self._waiting.popleft()
                self.dropped += 1
            self._changed.notify_all()
        return not self._stopping.is_set()

    def wait(self, timeout: float) -> bool:
        """Wait until an item can be fetched, without fetching it; False if it all ended without one.

        Raises:
            TimeoutError: if nothing came for `timeout` seconds.
        """
        limit = time.monotonic() + timeout
        with self._changed:
            while not (self._waiting or self._has_ended):
                left = limit - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"nothing came for {timeout:g} s")
                self._changed.wait(min(left, _POLL))
            if self._error is not None and not self._waiting:
                raise self._error
            return bool(self._waiting)

    def fetch(self, timeout: float) -> Iterator[Item]:
        """The items from now on, until they end; what the iterator raised is raised here.

        Raises:
            TimeoutError: if nothing came for `timeout` seconds.
        """
        while self.wait(timeout):
            with self._changed:
                _, item = self._waiting.popleft()
                self._changed.notify_all()
            yield item

    def stop(self, timeout: float = 2.0) -> bool:
        """End the thread; False if it is still in a call that does not return, and is left to itself."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive()
