import os
import signal
import sys
import threading
import time

import pytest

from lanenet_sad.inference import overlap
from lanenet_sad.inference.overlap import Behind, StageClock, ahead


def threads_named(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_items_come_in_order_and_the_thread_ends():
    assert list(ahead(range(100), depth=3, name="ordered")) == list(range(100))
    until(lambda: not threads_named("ordered"))


def test_no_more_than_the_depth_is_drawn_before_it_is_wanted():
    drawn = []
    items = ahead((drawn.append(n) or n for n in range(50)), depth=3)
    assert next(items) == 0
    until(lambda: len(drawn) == 5)  # one handed over, three in the queue, one that waits for a place
    time.sleep(0.05)
    assert len(drawn) == 5
    items.close()
    assert len(drawn) == 5


def test_an_error_comes_after_the_items_before_it():
    def broken():
        yield 1
        yield 2
        raise ValueError("no third")

    found = []
    with pytest.raises(ValueError, match="no third"):
        found.extend(ahead(broken()))
    items = ahead(broken())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="no third"):
        next(items)


def test_who_stops_early_closes_what_is_drawn_from():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    items = ahead(ahead(endless(), depth=1), depth=1)
    next(items)
    items.close()
    assert closed.wait(5)


def test_items_run_while_the_caller_works():
    barrier = threading.Barrier(2, timeout=10)  # passes only if both sides wait at the same time

    def meeting():
        yield 0
        barrier.wait()
        yield 1

    items = ahead(meeting())
    assert next(items) == 0
    barrier.wait()
    assert next(items) == 1


def test_work_behind_is_done_in_order_and_to_the_end():
    done = []
    with Behind(done.append, depth=2) as hand_over:
        for number in range(50):
            hand_over(number)
    assert done == list(range(50))


def test_work_behind_is_finished_after_an_error_of_the_caller():
    done = []

    def interrupted():
        with Behind(lambda item: (time.sleep(0.01), done.append(item))) as hand_over:
            for number in range(4):
                hand_over(number)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == [0, 1, 2, 3]


def test_ctrl_c_at_the_end_waits_for_the_item_at_hand_and_leaves_out_the_rest(monkeypatch):
    begun, may_end, done = threading.Event(), threading.Event(), []

    def work(item):
        begun.set()
        may_end.wait(10)
        done.append(item)

    hand_over = Behind(work, depth=2)
    wait_for_the_end, calls = hand_over._wait_for_the_end, []

    def interrupted():
        calls.append(1)
        if len(calls) < 3:
            raise KeyboardInterrupt
        may_end.set()
        wait_for_the_end()

    monkeypatch.setattr(hand_over, "_wait_for_the_end", interrupted)

    def hand_over_all():
        with hand_over:
            for number in range(3):
                hand_over(number)
            begun.wait(10)

    with pytest.raises(KeyboardInterrupt):
        hand_over_all()
    assert done == [0]
    hand_over._thread.join(5)
    assert not hand_over._thread.is_alive()


@pytest.mark.usefixtures("interruptible")
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_a_signal_while_the_end_is_waited_for_does_not_leave_the_thread_behind():
    done, main_thread = [], threading.main_thread().ident

    def work(item):
        if item == 0:
            signal.pthread_kill(main_thread, signal.SIGINT)
            time.sleep(0.05)  # the caller is at its end by then, and interrupted
        done.append(item)

    def hand_over_all():
        with Behind(work, depth=2) as hand_over:
            hand_over(0)

    with pytest.raises(KeyboardInterrupt):
        hand_over_all()
    assert done == [0]


@pytest.mark.parametrize("count", [1, 50])
def test_an_error_behind_reaches_the_caller(count):
    def fail(item):
        raise OSError("disk full")

    def hand_over_all():
        with Behind(fail, depth=2) as hand_over:
            for number in range(count):
                hand_over(number)

    with pytest.raises(OSError, match="disk full"):
        hand_over_all()


def test_the_clock_counts_work_and_not_waiting(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(overlap.time, "perf_counter", lambda: now[0])
    clock = StageClock()

    def slow():
        for number in range(3):
            now[0] += 2.0
            yield number

    for _ in clock.each("read", slow()):
        now[0] += 50.0
    assert clock.seconds == {"read": 6.0}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
def test_threads_that_can_wait_give_way():
    def niceness(_=None) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    here, seen = niceness(), []
    assert list(ahead((niceness() for _ in range(1)), niceness=here + 3)) == [here + 3]
    with Behind(lambda _: seen.append(niceness()), niceness=here + 3) as hand_over:
        hand_over(None)
    assert seen == [here + 3]
    assert niceness() == here
