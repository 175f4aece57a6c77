"""Work spread over processes, its results in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD = 4  # tasks under way for each process, so that memory stays flat


def num_cores() -> int:
    """Cores that this process may use; a container or a scheduler may give it fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    num_workers: int,
    *,
    start: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
) -> Generator[Result, None, None]:
    """The results of tasks, in their order; closing the generator ends the processes after what they have begun.

    Processes are started afresh: forked ones hang where the program has threads, such as torch's. Ctrl-C is the main
    process's to answer. As always with fresh processes, a script that gets here has to guard its own start with
    `if __name__ == "__main__":`.

    Args:
        work: a function that another process can import.
        tasks: are handed out a few at a time.
        num_workers: processes.
        start: is called once in each process, with `arguments`.
        arguments: of `start`.

    Raises:
        OSError: a process was ended from outside.
    """
    pool = ProcessPoolExecutor(
        num_workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(start, arguments),
    )
    waiting: deque[Future[Result]] = deque()
    try:
        for number, task in enumerate(tasks):
            with _interrupts_ignored() if number == 0 else nullcontext():
                waiting.append(pool.submit(work, task))  # the first one starts the processes
            if len(waiting) > _AHEAD * num_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise OSError(
            "A process ended before its work was done. Either it was ended from outside (try fewer --num-workers), or "
            'a script called this at its top level: put the call below `if __name__ == "__main__":`.'
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_ignored() -> Generator[None, None, None]:
    """Ctrl-C is ignored, also by processes that are started meanwhile, from their first moment on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _begin(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if start is not None:
        start(*arguments)
