"""Signals that wait for the end of a block."""

import signal
import threading

import pytest

from lanenet_sad.inference.interrupts import uninterrupted

pytestmark = pytest.mark.usefixtures("interruptible")


def work_under(*numbers: int, done: list[str]) -> None:
    with uninterrupted():
        for number in numbers:
            signal.raise_signal(number)
        done.append("all")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_end_of_the_block(number):
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work_under(number, done=done)
    assert done == ["all"]
    assert signal.getsignal(number) is signal.default_int_handler


@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)])
def test_two_in_a_hurry_wait_too(numbers):
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work_under(*numbers, done=done)
    assert done == ["all"]


def test_a_third_signal_does_not_wait():
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work_under(signal.SIGINT, signal.SIGTERM, signal.SIGINT, done=done)
    assert done == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler


def test_a_signal_while_the_handlers_come_back_is_not_swallowed(monkeypatch):
    put = signal.signal

    def interrupted(number, handler):
        put(number, handler)
        if number == signal.SIGINT and handler is signal.default_int_handler:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(signal, "signal", interrupted)
    with pytest.raises(KeyboardInterrupt):
        work_under(done=[])
    monkeypatch.undo()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_what_went_wrong_in_the_block_is_not_lost():
    def fail() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            raise OSError("full")

    with pytest.raises(KeyboardInterrupt) as caught:
        fail()
    assert isinstance(caught.value.__context__, OSError)


def test_a_signal_that_is_ignored_stays_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)


def test_nothing_changes_in_another_thread():
    seen = []

    def work():
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
