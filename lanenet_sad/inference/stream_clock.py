"""Times for the frames of a stream that may break off and come back."""

from __future__ import annotations

_LARGEST_JUMP = 10.0  # seconds that time stamps may run ahead of the clock on the wall: servers send a few at once


class StreamClock:
    """Gives the frames of a live stream their times: seconds since its first frame, always growing.

    Within a connection, time stamps keep their distances, which are even where arrival is not. After a break, and where
    time stamps jump, time goes on with the clock on the wall, so that the break has its true length.
    """

    def __init__(self, *, step: float) -> None:
        """Start a clock; `step` is the usual distance of two frames in seconds."""
        self._step = step
        self._origin: float | None = None  # of the clock on the wall
        self._now = self._time = 0.0
        self._stamp: float | None = None

    def restart(self) -> None:
        """Say that the stream broke off: the next time stamp has nothing to do with the one before."""
        self._stamp = None

    def time(self, stamp: float | None, now: float) -> float:
        """The time of a frame.

        Args:
            stamp: its time stamp in the stream in seconds, on any clock; None if it has none.
            now: the clock on the wall in seconds.
        """
        if self._origin is None:
            self._origin = now
            time = 0.0
        elif self._stamp is None or stamp is None or self._jumps(stamp, now):
            # A little after the frame before, if that one was ahead of the wall.
            time = max(now - self._origin, self._time + self._step / 10)
        else:
            time = self._time + stamp - self._stamp
        self._time, self._now, self._stamp = time, now, stamp
        return time

    def _jumps(self, stamp: float, now: float) -> bool:
        assert self._stamp is not None
        return not 0 < stamp - self._stamp <= now - self._now + _LARGEST_JUMP
